import io
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from partreid import backbones, methods
from partreid.errors import UserError
from partreid.storage import chunks, foreign, torchfile, weights
from partreid.tools import imported

PAGE = b"<!DOCTYPE html>\n<html><title>Google Drive - Virus scan warning</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 267000000\n"


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x")  # a fixed date: the bytes are in the tests' names
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PAGE, "an HTML page"),
        (b"\xef\xbb\xbf\r\n  <HTML>", "an HTML page"),
        (POINTER, "a Git LFS pointer"),
        (b"", "an empty file"),
        (zipped("exp/model.pth", "readme.txt"), "a zip archive with exp/model.pth, readme.txt, to be unpacked first"),
        (zipped("a.npy"), "a NumPy archive"),
        (zipped("x")[:-30], "a cut or damaged zip archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"\x08\x0a\x12\x07pytorch", "an ONNX model, which onnxruntime runs"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"Not Found\n", "a text that begins 'Not Found'"),
        (b"\x00\x01\xff\xfe", ""),
    ],
)
def test_what_a_file_is(tmp_path, data, said):
    (tmp_path / "f").write_bytes(data)
    assert foreign.what(tmp_path / "f").startswith(said)
    assert bool(foreign.what(tmp_path / "f")) == bool(said)


def test_nobody_is_told_a_librarys_advice(tmp_path):
    readers = (
        weights.read,
        methods.load,
        lambda path: torchfile.load(path, "download it again"),
        chunks.Reader,
        imported.numbers,
    )
    whole = io.BytesIO()
    torch.save({"epoch": 3, "state_dict": {"x": torch.zeros(2)}, "model": torch.nn.Linear(2, 2)}, whole)
    for data in (
        PAGE,
        POINTER,
        b"",
        zipped("a.pth"),
        b"hello",
        b"\x80\x04\x95",
        np.arange(4).tobytes(),
        whole.getvalue(),
    ):
        (tmp_path / "w.pt").write_bytes(data)
        for read in readers:
            with pytest.raises((UserError, ValueError, OSError)) as error:
                read(tmp_path / "w.pt")
            text = str(error.value)
            assert "\n" not in text
            for word in ("weights_only", "allow_pickle", "add_safe_globals", "pickle.load"):
                assert word not in text, text


def test_a_web_page_in_the_place_of_weights_is_named(tmp_path):
    (tmp_path / "schp.pth").write_bytes(PAGE)
    with pytest.raises(UserError, match=r"schp.pth .*it is an HTML page.*expected a file of named.*; download it"):
        torchfile.load(tmp_path / "schp.pth", "download it again")
    with pytest.raises(UserError, match=r"schp.pth .*it is an HTML page.*expected weights that partreid saved"):
        weights.read(tmp_path / "schp.pth")


def test_a_foreign_checkpoint_is_described_by_its_keys_and_not_to_be_deleted(tmp_path):
    torch.save({"epoch": 3, "state_dict": {}, "optimizer": {}, "best": 1.0, "seed": 1}, tmp_path / "w.pt")
    with pytest.raises(UserError) as error:
        weights.read(tmp_path / "w.pt")
    assert "a checkpoint with the keys epoch, state_dict, optimizer, best, ... (5 in all)" in str(error.value)
    assert "if `dvc repro` made it, delete it" in str(error.value)
    assert "of what other toolboxes released, `python stages/convert.py` makes weights" in str(error.value)
    save_file({"backbone.conv1.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="a safetensors file without our header"):
        weights.read(tmp_path / "w.safetensors")


def test_a_list_or_numbers_for_names_are_no_table_of_tensors(tmp_path):
    for content in ([torch.zeros(2)], {1: torch.zeros(2)}, torch.zeros(2)):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(UserError, match=r"is a checkpoint .*expected a file of named tensors"):
            torchfile.load(tmp_path / "w.pth", "download it again")


def test_values_that_are_no_tensors_are_named():
    module = torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match="1 tensors are no tensors: bias"):
        backbones.load_named(module, {"weight": torch.zeros(2, 2), "bias": 3}, (), "file")
