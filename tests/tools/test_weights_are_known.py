"""Every name of published weights that the code can ask for is one that can be fetched, or put in place by hand."""

import ast
from pathlib import Path

import torch

import partreid
from partreid.backbones import BACKBONES
from partreid.storage.published_weights import WEIGHTS
from partreid.tools import densepose, openpifpaf, schp

UNPUBLISHED = {
    "openpose",
    "openpose_pabr",
    "small_cpm",
}  # pretraining/partmaps.py asks by name for what they start from


def test_those_of_the_tools():
    asked = {*openpifpaf.PUBLISHED.values(), *densepose.PUBLISHED.values(), *schp.NETWORKS}
    assert asked <= set(WEIGHTS)


def test_those_of_the_backbones():
    with torch.device("meta"):
        asked = {network().weights or name for name, network in BACKBONES.items() if name not in UNPUBLISHED}
    assert asked - set(WEIGHTS) == {name for name in BACKBONES if "rga" in name}  # its trunk is resnet50


def test_those_that_stand_in_the_source():
    asked = set()
    for file in Path(partreid.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("published_weights.path", "published.path"):
                asked |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    assert {"blazepose_full", "openpose_coco", "schp_pascal"} <= asked <= set(WEIGHTS)
