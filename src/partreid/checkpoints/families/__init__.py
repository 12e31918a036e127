"""The families of released checkpoints that convert, one file for each publisher with its tables of names."""

from partreid.checkpoints.families.bag_of_tricks import BAG_OF_TRICKS
from partreid.checkpoints.families.base import Family
from partreid.checkpoints.families.bpbreid import BPBREID
from partreid.checkpoints.families.mpn import MPN
from partreid.checkpoints.families.pabr import PABR
from partreid.checkpoints.families.torchreid import OSNET, PCB, RESNET

FAMILIES: dict[str, Family] = {
    "bot": BAG_OF_TRICKS,
    "bpbreid": BPBREID,
    "mpn": MPN,
    "osnet": OSNET,
    "pabr": PABR,
    "pcb": PCB,
    "resnet": RESNET,
}
