"""Files of torch.save, of all its ages, and of safetensors, as plain containers of tensors.

A zip archive (torch 1.6 and later) holds a pickle and a member per storage; the older form is five pickles and the
storages behind them. Both are read by partreid.checkpoints.machine. Only the storages of tensors that are asked for are
read, so an optimiser's state costs nothing.
"""

import math
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from partreid.checkpoints import machine
from partreid.checkpoints.machine import Foreign, Name
from partreid.errors import UserError, reason
from partreid.storage import chunks, foreign

SAFETENSORS = "a safetensors file"  # of foreign.what
EXPECTED = "expected a file of torch.save or safetensors"
DAMAGE = (*chunks.DAMAGE, safetensors.SafetensorError)
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older form
LONGEST = 256 << 20  # bytes of an archive's pickle
DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
NUMBERS = (
    "f8",
    "f4",
    "f2",
    "i8",
    "i4",
    "i2",
    "i1",
    "u8",
    "u4",
    "u2",
    "u1",
    "b1",
)  # NumPy's types whose scalars are read


@dataclass(frozen=True)
class Storage:
    """numel: how many numbers of dtype it holds. bytes: reads them."""

    dtype: torch.dtype
    numel: int
    bytes: Callable[[], bytes]


@dataclass(frozen=True)
class Stored:
    """A tensor that is still in the file. offset, size, stride: as torch.as_strided has them."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def tensor(self) -> Tensor:
        """Read it: a tensor of its own on the CPU."""
        if not math.prod(self.size):
            return torch.empty(self.size, dtype=self.storage.dtype)
        flat = torch.frombuffer(bytearray(self.storage.bytes()), dtype=self.storage.dtype)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def load(path: Path) -> Any:
    """What a file holds: dictionaries, lists, numbers, text, Stored tensors, and Foreign for all else.

    What it is shows in its bytes; released files have all kinds of names. UserError when it cannot be read or is
    something that would have to be run.
    """
    kind = foreign.what(path)
    try:
        if kind == SAFETENSORS:
            return load_file(path)
        if zipfile.is_zipfile(path):
            return _archive(path)
        with path.open("rb") as file:
            return _older(file)
    except UserError as error:
        if kind in ("", "a pickle", "a file of torch"):
            raise UserError(f"cannot read {path}: {error}") from error
        raise UserError(f"cannot read {path}: it is {kind}; {EXPECTED}") from error
    except DAMAGE as error:
        raise UserError(f"cannot read {path}: {reason(error)}; {EXPECTED}") from error


def _archive(path: Path) -> Any:
    # open as long as something of it may be read: for each of a network's 2,000 tensors its directory, read again,
    # would take as long as the tensor
    archive = zipfile.ZipFile(path)
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UserError(f"the archive holds {len(pickles)} pickles called data.pkl, one was expected")
    top = pickles[0].removesuffix("data.pkl")
    if f"{top}constants.pkl" in members:
        raise UserError("it is a TorchScript program, which would have to be run; take the file of its state_dict")
    if f"{top}byteorder" in members and archive.read(f"{top}byteorder") != b"little":
        raise UserError("its bytes are in big-endian order, which is not read")

    def storage(dtype: torch.dtype, key: str, numel: int) -> Storage:
        info = members.get(f"{top}data/{key}")
        if info is None or info.compress_type != zipfile.ZIP_STORED or info.file_size < numel * dtype.itemsize:
            raise UserError(f"its storage {key} is missing, compressed or too short")

        def read() -> bytes:
            try:
                return archive.read(info)[: numel * dtype.itemsize]
            except DAMAGE as error:
                raise UserError(f"its storage {key} is damaged ({reason(error)}); fetch the file again") from error

        return Storage(dtype, numel, read)

    if members[pickles[0]].file_size > LONGEST:
        raise UserError(f"its pickle has more than {LONGEST >> 20} MiB, which no file of weights needs")
    return machine.read(BytesIO(archive.read(pickles[0])), MAKERS, _persistent(storage))


def _older(file: BinaryIO) -> Any:
    def nothing(_: Any) -> Any:
        raise UserError("it refers to something outside itself")

    try:
        magic = machine.read(file, {}, nothing)
    except UserError as error:
        raise UserError(f"it is no file of torch.save ({error})") from error
    if magic != MAGIC:
        raise UserError("it is a pickle, but not one of torch.save")
    machine.read(file, {}, nothing)  # the protocol
    system = machine.read(file, {}, nothing)
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise UserError("its bytes are in big-endian order, which is not read")
    places: dict[str, tuple[int, int]] = {}  # storage -> where its numbers start, how many there are
    name = Path(file.name)

    def storage(dtype: torch.dtype, key: str, numel: int) -> Storage:
        def read() -> bytes:
            start, count = places[key]
            if count < numel or start + numel * dtype.itemsize > name.stat().st_size:
                raise UserError(f"{name} is cut short: its storage {key} has not all of its {numel} numbers")
            with name.open("rb") as again:
                again.seek(start)
                return again.read(numel * dtype.itemsize)

        widths[key] = dtype.itemsize
        return Storage(dtype, numel, read)

    widths: dict[str, int] = {}
    content = machine.read(file, MAKERS, _persistent(storage))
    keys = machine.read(file, {}, nothing)
    for key in keys if isinstance(keys, list) else []:
        (count,) = struct.unpack("<q", file.read(8).ljust(8, b"\0"))
        if key not in widths or count < 0:
            raise UserError("its table of storages does not fit its tensors")
        places[key] = file.tell(), count
        file.seek(count * widths[key], 1)
    if absent := sorted(set(widths) - set(places)):
        raise UserError(f"its storage {absent[0]} is missing")
    return content


def _persistent(storage: Callable[[torch.dtype, str, int], Storage]) -> Callable[[Any], Any]:
    """What stands for a persistent id: a storage. Each is opened once."""
    opened: dict[str, Storage] = {}

    def of(given: Any) -> Any:
        if isinstance(given, tuple) and given and given[0] == "module":  # the source of a class, kept by old torch
            return given[1]
        if not (isinstance(given, tuple) and len(given) >= 5 and given[0] == "storage"):
            raise TypeError("a persistent id that is no storage")
        _, kind, key, _, numel, *_ = given
        if not (isinstance(kind, Name) and kind.name in DTYPES and isinstance(key, str)):
            raise UserError(f"it has a storage of the kind {kind}, which is not read")
        if not isinstance(numel, int) or numel < 0:
            raise TypeError("a storage without a size")
        if key not in opened:
            opened[key] = storage(DTYPES[kind.name], key, numel)
        return opened[key]

    return of


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Stored:
    """torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if not isinstance(storage, Storage) or not all(type(each) is int and each >= 0 for each in numbers):
        raise TypeError("a tensor without a storage or a shape")
    if len(size) != len(stride) or len(size) > 16:
        raise TypeError("a tensor whose shape and strides differ in length")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > storage.numel or (math.prod(size) and last >= storage.numel):
        raise TypeError("a tensor that reaches beyond its storage")
    return Stored(storage, offset, size, stride)


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _number(kind: Any, data: Any = b"") -> Any:
    """A NumPy scalar as a number of Python."""
    if not (isinstance(kind, str) and isinstance(data, bytes)):
        return Foreign("numpy.scalar")
    return np.frombuffer(data, kind)[0].item()


def _kind(code: Any, *_: Any) -> Any:
    """A NumPy type by its code, as "f8"; native order is the only one that is read."""
    return code if code in NUMBERS else Foreign("numpy.dtype", (code,))


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 2 and protocol 2 write bytes."""
    if not (isinstance(text, str) and encoding == "latin1"):
        raise TypeError("bytes that are not written as Latin-1 text")
    return text.encode("latin-1")


def _dictionary(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((machine.key(name), value) for name, value in pairs)


def _values(*values: Any) -> Any:
    """torch.Size, set and such, of one list."""
    return tuple(values[0]) if values else ()


MAKERS: Mapping[Name, Callable[..., Any]] = {
    Name("torch._utils", "_rebuild_tensor"): _tensor,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): _parameter,
    Name("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Name("torch.nn.parameter", "Parameter"): _parameter,
    Name("torch", "Size"): _values,
    Name("collections", "OrderedDict"): _dictionary,
    Name("_codecs", "encode"): _bytes,
    **{Name(place, "dtype"): _kind for place in ("numpy", "numpy.dtypes")},
    **{Name(f"numpy.{place}.multiarray", "scalar"): _number for place in ("core", "_core")},
}
