"""Weights out of a .caffemodel file, without Caffe.

The file is a protocol buffer, https://protobuf.dev/programming-guides/encoding/: a sequence of fields, each a number
with a wire type, then its value. Of caffe.proto (https://github.com/BVLC/caffe/blob/master/src/caffe/proto/caffe.proto)
we need

    NetParameter      layers = 2 (V1LayerParameter, old files), layer = 100 (LayerParameter)
    V1LayerParameter  name = 4, blobs = 6
    LayerParameter    name = 1, blobs = 7
    BlobProto         num, channels, height, width = 1..4 (old files), data = 5 (floats), shape = 7
    BlobShape         dim = 1
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from partreid.errors import UserError
from partreid.storage import foreign

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types
OLD_LAYER, LAYER = 2, 100
FIELDS = {OLD_LAYER: (4, 6), LAYER: (1, 7)}  # of the name and of the blobs in either kind of layer


def load(path: Path, remedy: str) -> dict[str, Tensor]:
    """ "<layer>.weight" and "<layer>.bias" of every layer that has blobs; float32, a convolution's weight 4-D.

    UserError "<path> is damaged or no .caffemodel ...; <remedy>" when the file is not what it should be.
    """
    data = memoryview(path.read_bytes())
    state: dict[str, Tensor] = {}
    try:
        for field, layer in fields(data):
            if field in FIELDS:
                name, blobs = _layer(layer, *FIELDS[field])
                state |= {f"{name}.{kind}": blob for kind, blob in zip(("weight", "bias"), blobs, strict=False)}
    except (IndexError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged or no .caffemodel ({_told(path, str(error))}); {remedy}") from error
    if not state:
        raise UserError(f"{path} is damaged or no .caffemodel ({_told(path, 'it holds no weights')}); {remedy}")
    return state


def _told(path: Path, otherwise: str) -> str:
    kind = foreign.what(path)
    return f"it is {kind}" if kind else otherwise


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and the value as an integer (varint) or as bytes. ValueError at a bad one."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if wire == EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > len(data):
            raise ValueError(f"a field ends at byte {at + size} of {len(data)}")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A base-128 number at byte `at`, and where it ends. IndexError when the data end first."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def _layer(data: int | memoryview, name_field: int, blobs_field: int) -> tuple[str, list[Tensor]]:
    name, blobs = "", []
    for number, value in fields(_message(data)):
        if number == name_field:
            name = str(_message(value), "utf-8")
        elif number == blobs_field:
            blobs.append(_blob(_message(value)))
    return name, blobs


def _blob(data: memoryview) -> Tensor:
    old: dict[int, int] = {}  # num, channels, height, width
    shape: list[int] = []
    values: list[np.ndarray] = []
    for number, value in fields(data):
        if number == 5:
            values.append(np.frombuffer(_message(value), "<f4"))  # packed, or one number after the other
        elif number == 7:
            shape = [size for _, dims in fields(_message(value)) for size in _integers(dims)]
        elif number in (1, 2, 3, 4) and isinstance(value, int):
            old[number] = value
    if not shape and old:
        shape = [old.get(number, 1) for number in (1, 2, 3, 4)]
        if shape[:3] == [1, 1, 1]:
            shape = shape[3:]  # old files write a bias as 1 x 1 x 1 x n
    return torch.from_numpy(np.concatenate([np.empty(0, "<f4"), *values]).reshape(shape).astype(np.float32))


def _integers(value: int | memoryview) -> list[int]:
    """A repeated integer's values, packed or one alone."""
    if isinstance(value, int):
        return [value]
    values, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        values.append(one)
    return values


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message was expected")
    return value
