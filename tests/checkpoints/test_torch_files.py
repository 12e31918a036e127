"""Released files: every form of torch.save is read, and nothing in one is run."""

import io
import os
import pickle
import random
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from partreid.checkpoints import contents, machine, torch_files
from partreid.checkpoints.machine import Foreign, Name
from partreid.checkpoints.tables import read
from partreid.errors import UserError


class Config(dict):
    """Stands for a configuration class that only the authors' package has."""


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def checkpoint() -> dict:
    config = Config(data=Config(height=384, width=128))
    config.frozen = True
    optimizer = torch.optim.Adam(network().parameters())
    return {
        "state_dict": OrderedDict((f"module.{name}", value) for name, value in network().state_dict().items()),
        "epoch": 120,
        "rank1": np.float64(0.945),
        "best": np.float32(1.5),
        "optimizer": optimizer.state_dict(),
        "config": config,
        "sizes": torch.Size((2, 3)),
        "others": {3, 4},
    }


def write(path: Path, content: object, **how: object) -> Path:
    torch.save(content, path, **how)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_checkpoint_with_foreign_objects_is_read_in_every_form(tmp_path, zipped, protocol):
    path = write(tmp_path / "a.pth.tar", checkpoint(), _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    content = torch_files.load(path)
    found = contents.tensors(content, path)
    wanted = network().state_dict()
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name].tensor(), value, rtol=0, atol=0)
    assert content["epoch"] == 120
    assert content["rank1"] == 0.945
    assert content["best"] == 1.5
    assert content["sizes"] == (2, 3)
    assert isinstance(content["config"], Foreign)
    assert contents.setting(content, "data", "height") == 384
    assert contents.setting(content, "data", "depth") is None
    assert contents.setting(content, "model", "depth") is None


def test_an_archives_directory_is_read_once_for_all_of_its_tensors(tmp_path, monkeypatch):
    path, opened, opens = write(tmp_path / "a.pth", checkpoint()), [], zipfile.ZipFile.__init__
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *given, **more: opened.append(opens(*given, **more)))
    found = contents.tensors(torch_files.load(path), path)
    before = len(opened)
    assert len([read(each) for each in found.values()]) > 5
    assert len(opened) == before > 0


@pytest.mark.parametrize("zipped", [True, False])
def test_strides_offsets_shared_storages_and_every_type_are_read(tmp_path, zipped):
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {
        "turned": whole.T,
        "part": whole[1:3, 2:5],
        "parameter": torch.nn.Parameter(whole * 2),
        "empty": torch.empty(0, 3),
        "number": torch.tensor(7),
        **{str(kind): torch.tensor([0, 1, 3]).to(kind) for kind in torch_files.DTYPES.values()},
    }
    path = write(tmp_path / "a.pt", state, _use_new_zipfile_serialization=zipped)
    found = contents.tensors(torch_files.load(path), path)
    assert list(found) == list(state)
    for name, value in state.items():
        torch.testing.assert_close(found[name].tensor(), value.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_saved_network_is_read_as_its_state_dict(tmp_path, zipped):
    path = write(tmp_path / "a.pth", {"model": network()}, _use_new_zipfile_serialization=zipped)
    found = contents.tensors(torch_files.load(path), path)
    assert set(found) == set(network().state_dict())
    torch.testing.assert_close(found["0.weight"].tensor(), network().state_dict()["0.weight"])


def test_names_say_nothing_of_what_a_file_is(tmp_path):
    state = {"a": torch.arange(3.0)}
    save_file(state, tmp_path / "a.pth")
    write(tmp_path / "a.safetensors", state)
    for name in ("a.pth", "a.safetensors"):
        assert torch.equal(all_of(tmp_path / name)[0], state["a"])


def test_safetensors_are_read(tmp_path):
    save_file({"a": torch.arange(3)}, tmp_path / "a.safetensors")
    found = contents.tensors(torch_files.load(tmp_path / "a.safetensors"), tmp_path)
    assert found["a"].tolist() == [0, 1, 2]


def test_python_2_text_and_bytes_are_read():
    old = b"\x80\x02}q\x00U\x05epochq\x01K\x03s."  # what Python 2 wrote for {"epoch": 3}
    assert machine.read(io.BytesIO(old), {}, lambda _: None) == {"epoch": 3}


# attacks: each of these is run by pickle.load


class Runs:
    def __init__(self, call, *args):
        self.call = call, args

    def __reduce__(self):
        return self.call


def attacks(marker: Path) -> dict[str, bytes]:
    touch = f"open({str(marker)!r}, 'w').close()"
    shell = f"touch {marker}"
    short = b"\x8c" + bytes([len(shell)]) + shell.encode()
    words = {
        "global": b"cposix\nsystem\n(V" + shell.encode() + b"\ntR.",
        "inst": b"(V" + shell.encode() + b"\niposix\nsystem\n.",
        "obj": b"(cposix\nsystem\nV" + shell.encode() + b"\no.",
        "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93" + short + b"\x85R.",
        "dotted name": b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93" + short + b"\x85R.",
        "newobj": b"\x80\x02cbuiltins\nexec\n(V" + touch.encode() + b"\nt\x81.",
        "within a maker": b"ctorch._utils\n_rebuild_parameter\n(cbuiltins\nexec\n(V" + touch.encode() + b"\ntRtR.",
        "build": b"ccollections\nOrderedDict\n)R}(V__setstate__\ncbuiltins\nexec\nub.",
        "items of a class": b"cbuiltins\nexec\n(V__class__\ncbuiltins\nexec\nu.",
        "extension": b"\x80\x02\x82\x01.",
        "text persistent id": b"Pid\n.",
        "buffer": b"\x80\x05\x97.",
    }
    made = {
        "eval": Runs(eval, touch),
        "exec": Runs(exec, touch),
        "system": Runs(os.system, shell),
        "torch.load": Runs(torch.load, str(marker)),
        "numpy.load": Runs(np.load, str(marker)),
    }
    words |= {name: pickle.dumps(value, 2) for name, value in made.items()}
    return words


def archived(path: Path, data: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", data)
        for name, value in members.items():
            archive.writestr(f"a/{name}", value)
    return path


@pytest.mark.parametrize("name", attacks(Path("x")))
@pytest.mark.parametrize("form", ["zip", "older", "bare"])
def test_nothing_in_a_file_is_run(tmp_path, name, form):
    marker = tmp_path / "it_ran"
    data = attacks(marker)[name]
    path = tmp_path / "a.pth"
    if form == "zip":
        archived(path, data)
    elif form == "older":
        path.write_bytes(b"".join(pickle.dumps(each, 2) for each in (torch_files.MAGIC, 1001, {})) + data)
    else:
        path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.pth"):
        contents.tensors(torch_files.load(path), path)
    assert not marker.exists()


def test_the_attacks_do_run_where_pickle_reads_them(tmp_path):
    marker = tmp_path / "it_ran"
    ran = []
    for name, data in attacks(marker).items():
        marker.unlink(missing_ok=True)
        try:
            pickle.loads(data)
        except Exception as error:
            ran += [name] if "NoneType" in str(error) else []
        ran += [name] if marker.exists() else []
    assert {"global", "inst", "obj", "stack global", "eval", "exec", "system"} <= set(ran)


def test_names_are_words_and_calls_are_remembered_only():
    data = b"cposix\nsystem\n(Vecho\ntR."
    found = machine.read(io.BytesIO(data), {}, lambda _: None)
    assert isinstance(found, Foreign)
    assert (found.of, found.args) == ("posix.system", ("echo",))
    assert machine.read(io.BytesIO(b"cposix\nsystem\n."), {}, lambda _: None) == Name("posix", "system")


def tensor(offset=0, size=(2,), stride=(1,), numel=4, key="0", count=4) -> tuple[bytes, dict[str, bytes]]:
    """A pickle of a tensor as torch writes it, with any numbers."""

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            return value.id if isinstance(value, SimpleNamespace) else None

    class Tensor:
        def __reduce__(self):
            storage = SimpleNamespace(id=("storage", torch.FloatStorage, key, "cpu", numel))
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, OrderedDict())

    out = io.BytesIO()
    Pickler(out, 2).dump({"a": Tensor()})
    return out.getvalue(), {"data/0": b"\0" * 4 * count}


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"size": (5,)}, "beyond its storage"),
        ({"offset": 3}, "beyond its storage"),
        ({"offset": -1}, "without a storage or a shape"),
        ({"size": (1 << 40,), "stride": (0,)}, "beyond its storage"),
        ({"size": (2, 2), "stride": (1,)}, "differ in length"),
        ({"size": (1,) * 17, "stride": (1,) * 17}, "differ in length"),
        ({"numel": 1 << 50}, "too short"),
        ({"key": "../../etc/passwd"}, "missing"),
        ({"key": "7"}, "missing"),
        ({"numel": -4}, "without a size"),
        ({"count": 3}, "too short"),
    ],
)
def test_a_tensor_that_reaches_outside_its_numbers_is_refused(tmp_path, numbers, words):
    data, members = tensor(**numbers)
    with pytest.raises(UserError, match=words):
        torch_files.load(archived(tmp_path / "a.pth", data, **members))


def test_the_same_tensor_within_its_numbers_is_read(tmp_path):
    data, members = tensor()
    assert torch_files.load(archived(tmp_path / "a.pth", data, **members))["a"].tensor().tolist() == [0, 0]


def nested(depth: int) -> bytes:
    """A dictionary whose key is a tuple in a tuple in a tuple ...: hashing it overflows the interpreter's own stack."""
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"garbage",
        b"\x80\x02}",
        b"\x80\x02j\xff\xff\xff\xff.",  # a memo's place that was never written
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # text of 2 GiB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",  # bytes of 8 EiB
        b"\x80\x02}r\xff\xff\xff\xffh\x00.",
        b"0.",
        b"R.",
        b"(((((u.",
        b"\x80\x02}K\x01s.",
        b"\x80\x02](K\x01K\x02u.",
        nested(200_000),
        b"I" + b"9" * 10_000 + b"\n.",
    ],
)
def test_broken_pickles_are_one_message(tmp_path, data):
    with pytest.raises(UserError, match=r"cannot read .*a\.pth"):
        torch_files.load(archived(tmp_path / "a.pth", data))
    (tmp_path / "b.pth").write_bytes(data)
    with pytest.raises(UserError, match=r"cannot read .*b\.pth"):
        torch_files.load(tmp_path / "b.pth")


def test_an_endless_pickle_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MOST", 1000)
    with pytest.raises(UserError, match="more than 1,000 instructions"):
        torch_files.load(archived(tmp_path / "a.pth", b"\x80\x02" + b"N0" * 1000 + b"N."))


def all_of(path: Path) -> list[torch.Tensor]:
    return [read(value) for value in contents.tensors(torch_files.load(path), path).values()]


@pytest.mark.parametrize("zipped", [True, False])
def test_every_cut_of_a_file_is_one_message_or_all_tensors(tmp_path, zipped):
    path = write(tmp_path / "a.pth", {"state_dict": network().state_dict()}, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    for end in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:end])
        with pytest.raises(UserError, match=r"a\.pth"):
            all_of(path)


@pytest.mark.parametrize("form", ["zip", "older", "safetensors"])
def test_a_file_with_changed_bytes_is_one_message_or_all_tensors(tmp_path, form):
    path, state = tmp_path / "a.pth", {"a": torch.randn(400), "b": torch.zeros(3)}
    if form == "safetensors":
        save_file(state, path)
    else:
        write(path, {"state_dict": state}, _use_new_zipfile_serialization=form == "zip")
    data, rng = path.read_bytes(), random.Random(4)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.choice([1, -1]) * rng.randrange(500)] = rng.randrange(256)
        path.write_bytes(changed)
        with suppress(UserError):
            all_of(path)


def test_a_number_that_changed_in_an_archive_is_noticed(tmp_path):
    path = write(tmp_path / "a.pth", {"state_dict": {"a": torch.zeros(1000)}})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"its storage 0 is damaged \(Bad CRC-32"):
        all_of(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><html>", "it is an HTML page, a download's or login's"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer in the place of the file"),
        (b"", "it is an empty file"),
        (b"PK\x03\x04" + b"\0" * 50, "it is a cut or damaged zip archive"),
        (b"\x89PNG\r\n", "it is a PNG image"),
    ],
)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_what_is_no_checkpoint_is_named(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(
        UserError, match=rf"cannot read .*{name}: {words}.*; expected a file of torch\.save or safetens"
    ):
        torch_files.load(tmp_path / name)


def test_torchscript_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.jit.script(network()).save(str(path))
    with pytest.raises(UserError, match="TorchScript program, which would have to be run"):
        torch_files.load(path)


def test_a_compressed_archive_is_refused(tmp_path):
    path = archived(tmp_path / "a.pth", b"N.")
    with zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        data, members = tensor()
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/data/0", members["data/0"])
    with pytest.raises(UserError, match="compressed"):
        torch_files.load(tmp_path / "b.pth")
    with pytest.raises(UserError, match="no state_dict; found None"):
        contents.tensors(torch_files.load(path), path)


def test_what_holds_no_tensors_says_what_it_holds(tmp_path):
    path = write(tmp_path / "a.pth", {"epoch": 3, "rank1": 0.5})
    with pytest.raises(UserError, match="no state_dict; found keys epoch, rank1, expected one of state_dict"):
        contents.tensors(torch_files.load(path), path)
