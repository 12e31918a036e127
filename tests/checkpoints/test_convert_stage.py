"""A released file through stages/convert.py, embed.py, evaluate.py, report.py and search.py."""

import json
import runpy
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import yaml
from safetensors.torch import save_file

import coloured_persons
from checkpoints.published import filled, shapes
from partreid.errors import UserError
from partreid.report import pipeline
from partreid.storage import embeddings, weights
from partreid.storage.places import Run

PROJECT = Path(__file__).parents[2]
HERE = Run("pcb", "folder", "folder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project of six coloured persons beside a released PCB."""
    root = tmp_path_factory.mktemp("convert")
    values = coloured_persons.project(root, 6)
    (root / "params.yaml").write_text(yaml.safe_dump({**values, "model": "pcb"}))
    for name in pipeline.FILES:
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, root / name)
    torch.save({"state_dict": filled(shapes("torchreid_pcb_p6")), "epoch": 60}, root / "pcb_p6.pth.tar")
    return root


@pytest.fixture
def stage(folder, monkeypatch, capsys):
    """A function that runs a stage in the project and returns what it printed; errors are raised."""
    monkeypatch.chdir(folder)

    def run(name, *arguments):
        monkeypatch.setattr("sys.argv", [f"stages/{name}.py", *map(str, arguments)])
        runpy.run_path(str(PROJECT / f"stages/{name}.py"))["main"]()
        return capsys.readouterr().out

    return run


def test_every_stage_takes_it(stage):
    said = stage("convert", "pcb", "pcb_p6.pth.tar", "--dataset", "folder", "--size", "96x32", "--out", HERE.weights)
    assert "taken: 336 tensors" in said
    assert "theirs without a place: none" in said
    assert "ours alone, random here: none" in said
    assert "in a test, as published: {'vectors': 'averages'}" in said
    header = weights.header(HERE.weights)
    assert (header["height"], header["width"], header["dataset"]) == (96, 32, "folder")
    assert header["converted"]["file"] == "pcb_p6.pth.tar"
    assert header["converted"]["published by"] == "torchreid"
    assert header["options"]["reduction"] == "shared"

    assert "converted from | pcb_p6.pth.tar of torchreid" in HERE.card.read_text()

    stage("embed", "pcb", "folder")
    found = embeddings.Stored(HERE.embeddings)
    assert found.header["at_test"] == {"vectors": "averages"}  # not params.yaml's `reduced`
    assert found.of(found.image_id[:2]).features.shape == (2, 6, 2048)

    stage("evaluate")
    metrics = json.loads((HERE.results / "metrics.json").read_text())
    assert all(0 <= values["mAP"] <= 1 for values in metrics.values())

    stage("report")
    words = "".join(ElementTree.fromstring((HERE.results / "report.html").read_text()).itertext())
    assert "converted from pcb_p6.pth.tar of torchreid" in words
    assert "python stages/convert.py pcb pcb_p6.pth.tar --dataset folder" in words
    assert "Nothing yet" not in HERE.card.read_text()  # now with what was measured
    assert "Training" not in words.split("Pipeline")[0]

    said = stage("search", "--query", "photos/3_0.png", "--gallery", HERE.embeddings, "--weights", HERE.weights)
    assert " 3 · cam 1" in said.splitlines()[2]


def test_by_default_it_goes_to_weights(stage):
    said = stage("convert", "pcb", "pcb_p6.pth.tar", "--set", "margin=0.5", "backbone_rate=1.0")
    assert "wrote weights/pcb_p6.safetensors" in said
    assert weights.header(Path("weights/pcb_p6.safetensors"))["options"]["margin"] == 0.5


def test_a_name_with_dots_is_kept_and_a_released_file_is_not_written_over(stage):
    shutil.copy("pcb_p6.pth.tar", "pcb_lr0.0015_flip.pth")
    assert "wrote weights/pcb_lr0.0015_flip.safetensors" in stage("convert", "pcb", "pcb_lr0.0015_flip.pth")
    released = Path("weights/released.safetensors")
    save_file(torch.load("pcb_p6.pth.tar")["state_dict"], released)
    before = released.read_bytes()
    with pytest.raises(UserError, match=r"weights/released\.safetensors is the released file itself"):
        stage("convert", "pcb", released)
    assert released.read_bytes() == before


def test_weights_that_are_ours_already_are_not_converted(stage):
    stage("convert", "pcb", "pcb_p6.pth.tar")
    with pytest.raises(
        UserError, match=r"weights/pcb_p6\.safetensors is partreid's own already, weights of pcb; there is"
    ):
        stage("convert", "pcb", "weights/pcb_p6.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pcb", "nothing.pth"], r"no file nothing\.pth"),
        (["pcbs", "pcb_p6.pth.tar"], "unknown family of checkpoints 'pcbs'; known: bot, bpbreid, mpn"),
        (["pcb", "pcb_p6.pth.tar", "--size", "96"], "--size is height x width, as 384x128; found '96'"),
        (["pcb", "pcb_p6.pth.tar", "--set", "margin=[0.5"], r"--set margin=\[0\.5 is not valid YAML"),
        (["pcb", "pcb_p6.pth.tar", "--set", "margin"], "--set takes NAME=VALUE, found 'margin'"),
        (["osnet", "pcb_p6.pth.tar"], r"pcb_p6\.pth\.tar does not fit bot of torchreid"),
        (
            ["pcb", "params.yaml"],
            r"cannot read params\.yaml: it is a text that begins .*; expected a file of torch\.save",
        ),
        (["pcb", "pcb_p6.pth.tar", "--set", "embedding=abc"], "embedding is 'abc', expected 1 or more, a whole number"),
        (["pcb", "pcb_p6.pth.tar", "--set", "parts=-1"], "parts is -1, expected 1 or more"),
        (["pcb", "pcb_p6.pth.tar", "--set", "depth=3"], "pcb has no value depth; known: backbone_rate"),
        (
            ["pcb", "pcb_p6.pth.tar", "--out", "params.yaml/w.safetensors"],
            r"w\.safetensors cannot be written \(Not a dir",
        ),
        (["pcb", "pcb_p6.pth.tar", "--out", "."], r"^\. cannot be written \(Is a directory\), so nothing was begun"),
        (["pcb", "pcb_p6.pth.tar", "--out", "weights/pcb.md"], r"--out weights/pcb\.md is where the model card goes"),
    ],
)
def test_bad_input_is_one_message(stage, arguments, words):
    with pytest.raises(UserError, match=words):
        stage("convert", *arguments)
