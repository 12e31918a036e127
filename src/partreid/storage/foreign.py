"""What a file is that should be another: said in words, from its first bytes, without running anything in it.

Libraries answer a foreign file with what they know of themselves ("set weights_only=False"); a person needs to hear
that the browser saved a login page.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

AGAIN = "if `dvc repro` made it, delete it and run `dvc repro`; else put the right file there"
START = 4096  # bytes that are looked at
SHOWN = 4  # keys, or members of an archive, that are named
# what a file begins with -> what it is
MAGIC = (
    (b"version https://git-lfs", "a Git LFS pointer in the place of the file, which `git lfs pull` fetches"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet table"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip archive, to be unpacked first"),
    (b"7z\xbc\xaf", "a 7-Zip archive, to be unpacked first"),
    (b"Rar!", "a RAR archive, to be unpacked first"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
)
PAGES = (b"<!doctype html", b"<html", b"<head", b"<script")


def what(path: Path) -> str:
    """What a file is, as `an HTML page (...)`; "" when that cannot be told from its beginning."""
    if path.is_dir():
        return "a folder"
    with path.open("rb") as file:
        start = file.read(START)
    if not start:
        return "an empty file"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
        return "an HTML page, a download's or login's, that was saved in the place of the file"
    if start.startswith(b"PK"):
        return _archive(path)
    if start[257:262] == b"ustar":
        return "a tar archive, to be unpacked first"
    if start[:1] == b"\x08" and start[2:3] == b"\x12":  # its version, then who wrote it
        return "an ONNX model, which onnxruntime runs"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 27:
        return "a safetensors file"
    for magic, name in MAGIC:
        if start.startswith(magic):
            return name
    return _text(start)


def kinds_of(content: Any) -> str:
    """What a loaded checkpoint holds, as `a checkpoint with the keys epoch, state_dict`."""
    if not isinstance(content, Mapping):
        return f"a checkpoint that holds a {type(content).__name__}"
    names = [str(key) for key in content]
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN else ""
    return f"a checkpoint with the keys {', '.join(names[:SHOWN])}{more}" if names else "an empty checkpoint"


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a cut or damaged zip archive, as which torch and NumPy write their files"
    if any(name.endswith("data.pkl") for name in names):
        return "a file of torch"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive"
    more = ", ..." if len(names) > SHOWN else ""
    return f"a zip archive with {', '.join(names[:SHOWN])}{more}, to be unpacked first" if names else "an empty archive"


def _text(start: bytes) -> str:
    try:
        text = start[:256].decode()
    except UnicodeDecodeError:
        return ""
    line = text.strip().partition("\n")[0].strip()
    return f"a text that begins {line[:40]!r}" if line and line.isprintable() else ""
