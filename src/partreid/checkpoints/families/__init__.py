"""The families of released checkpoints that convert, one file each with its table of names."""

from partreid.checkpoints.families.base import Family
from partreid.checkpoints.families.bpbreid import BPBREID
from partreid.checkpoints.families.mpn import MPN

FAMILIES: dict[str, Family] = {"bpbreid": BPBREID, "mpn": MPN}
