"""Weights files: safetensors with a JSON header; older files of torch."""

import json
import pickle
import struct
import subprocess
import sys

import pytest
import torch

from partreid.errors import UserError
from partreid.storage import torchfile, weights

HEADER = {"model": "bot", "options": {"parts": [1, 2]}, "name": "größe"}


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    turned = torch.randn(4, 3, 5, 2).to(memory_format=torch.channels_last)
    shared = torch.randn(6)
    return {
        "b.weight": turned,
        "a": shared[:3],
        "a_again": shared,
        "counter": torch.tensor(7),
        "half": torch.randn(3).to(torch.bfloat16),
        "global.weight": torch.nn.Parameter(torch.randn(2, 2)),
    }


def test_what_is_written_is_read(tmp_path):
    weights.save(tmp_path / "w.safetensors", HEADER, state())
    header, found = weights.read(tmp_path / "w.safetensors")
    assert header == HEADER == weights.header(tmp_path / "w.safetensors")
    assert set(found) == set(state())
    for name, value in state().items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_who_may_read_it_is_the_umask_s_affair(tmp_path):
    """A service runs as somebody else than who trained."""
    weights.save(tmp_path / "weights.safetensors", HEADER, state())
    (tmp_path / "other").touch()
    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_same_content_is_the_same_bytes_in_another_process(tmp_path):
    weights.save(tmp_path / "a", HEADER, {"x": torch.arange(3.0), "y": torch.zeros(2)})
    code = (
        "import torch; from pathlib import Path; from partreid.storage import weights;"
        f"weights.save(Path({str(tmp_path / 'b')!r}), {HEADER!r}, {{'y': torch.zeros(2), 'x': torch.arange(3.0)}})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_is_readable_without_torch(tmp_path):
    weights.save(tmp_path / "w.safetensors", HEADER, {"x": torch.arange(3.0)})
    data = (tmp_path / "w.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    table = json.loads(data[8 : 8 + length])
    header = json.loads(table["__metadata__"]["header"])
    assert len(header.pop("sha256")) == 64
    assert header == HEADER
    start, end = table["x"]["data_offsets"]
    assert struct.unpack("<3f", data[8 + length + start : 8 + length + end]) == (0.0, 1.0, 2.0)


@pytest.mark.parametrize("zipped", [True, False])
def test_older_files_are_read_whatever_their_name(tmp_path, zipped):
    content = {"header": json.dumps(HEADER), "state": {"x": torch.arange(3)}}
    torch.save(content, tmp_path / "w.safetensors", _use_new_zipfile_serialization=zipped)
    header, found = weights.read(tmp_path / "w.safetensors")
    assert header == HEADER == weights.header(tmp_path / "w.safetensors")
    assert found["x"].tolist() == [0, 1, 2]


def test_nothing_in_an_older_file_is_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return open, (str(tmp_path / "it_ran"), "w")

    (tmp_path / "w.pt").write_bytes(pickle.dumps({"header": "{}", "state": Attack()}, 2))
    with pytest.raises(UserError, match=r"w\.pt is damaged"):
        weights.read(tmp_path / "w.pt")
    assert not (tmp_path / "it_ran").exists()


def test_damage_is_one_message(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(path, HEADER, state())
    data = path.read_bytes()
    for end in (0, 1, 7, 8, 20, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(UserError, match=r"w\.safetensors is damaged or no weights file"):
            weights.read(path)
    with pytest.raises(UserError, match=r"no weights .*nothing$"):
        weights.read(tmp_path / "nothing")


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_changed_number_or_word_is_noticed(tmp_path, ending):
    path = tmp_path / f"w.{ending}"
    header = {**HEADER, "rate": 0.5, "numbers": {2: "two", 10: "ten"}, "pair": (1, 2)}
    if ending == "safetensors":
        weights.save(path, header, state())
        data = bytearray(path.read_bytes())
        data[-1] ^= 1  # in a tensor
        path.write_bytes(data)
    else:
        weights.save(tmp_path / "w.safetensors", header, state())
        (length,) = struct.unpack("<Q", (tmp_path / "w.safetensors").read_bytes()[:8])
        table = json.loads((tmp_path / "w.safetensors").read_bytes()[8 : 8 + length])
        text = table["__metadata__"]["header"].replace("0.5", "0.25")
        torchfile.save(path, {"header": text, "state": state()})
    with pytest.raises(UserError, match="damaged: its numbers are not those that were written"):
        weights.read(path)


def test_keys_and_pairs_that_json_changes_do_not_look_like_damage(tmp_path):
    weights.save(tmp_path / "w.safetensors", {"numbers": {2: "two", 10: "ten"}, "pair": (1, 2)}, state())
    assert weights.read(tmp_path / "w.safetensors")[0] == {"numbers": {"2": "two", "10": "ten"}, "pair": [1, 2]}


@pytest.mark.parametrize(
    "content",
    [
        {"state": {}},
        {"header": "[]", "state": {}},
        {"header": "{", "state": {}},
        {},
        {"header": "{}", "state": {"x": 1}},
    ],
)
def test_a_file_of_something_else_is_said_to_be_that(tmp_path, content):
    torchfile.save(tmp_path / "w.pt", content)
    with pytest.raises(UserError, match="is no weights file of partreid"):
        weights.read(tmp_path / "w.pt")


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    with pytest.raises(TypeError):
        weights.save(tmp_path / "w.safetensors", {"x": object()}, {})
    assert not list(tmp_path.iterdir())
