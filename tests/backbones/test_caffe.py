import struct

import numpy as np
import pytest
import torch

from partreid.backbones import caffe
from partreid.errors import UserError


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def old_blob(array: np.ndarray) -> bytes:
    """As the files of Caffe before blobs had a shape."""
    dims = (1,) * (4 - array.ndim) + array.shape
    return b"".join(field(i, d) for i, d in enumerate(dims, 1)) + field(5, array.astype("<f4").tobytes())


def new_blob(array: np.ndarray) -> bytes:
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(5, array.astype("<f4").tobytes())


def loose_blob(array: np.ndarray) -> bytes:
    """Nothing packed: one field per number, which the encoding allows as well."""
    values = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in array.ravel())
    return field(7, b"".join(field(1, d) for d in array.shape)) + values


def model(state: dict[str, np.ndarray], blob=old_blob, layer=caffe.OLD_LAYER) -> bytes:
    """A .caffemodel with a layer for every "<layer>.weight", and one without weights."""
    name_field, blobs_field = caffe.FIELDS[layer]
    message = field(1, b"a network") + field(layer, field(name_field, b"relu1"))
    for name, weight in state.items():
        if name.endswith(".weight"):
            bias = state[name.removesuffix("weight") + "bias"]
            body = field(name_field, name.removesuffix(".weight").encode()) + field(5, 4)
            message += field(layer, body + field(blobs_field, blob(weight)) + field(blobs_field, blob(bias)))
    return message


STATE = {
    "conv1/7x7_s2.weight": np.random.default_rng(0).normal(size=(200, 3, 2, 2)),
    "conv1/7x7_s2.bias": np.random.default_rng(1).normal(size=200),
    "b.weight": np.random.default_rng(2).normal(size=(1, 1, 3, 3)),
    "b.bias": np.array([7.0]),
}


@pytest.mark.parametrize("blob", [old_blob, new_blob, loose_blob])
@pytest.mark.parametrize("layer", [caffe.OLD_LAYER, caffe.LAYER])
def test_reads_what_was_written(tmp_path, blob, layer):
    (tmp_path / "a.caffemodel").write_bytes(model(STATE, blob, layer))
    found = caffe.load(tmp_path / "a.caffemodel", "fetch it again")
    assert list(found) == list(STATE)
    for name, value in STATE.items():
        assert found[name].dtype == torch.float32
        np.testing.assert_array_equal(found[name].numpy(), value.astype(np.float32))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 40, model(STATE)[:-5], model({})])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "a.caffemodel").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.caffemodel is damaged or no \.caffemodel .*; fetch it again"):
        caffe.load(tmp_path / "a.caffemodel", "fetch it again")
