"""What every isolated program does: read the image table, look at the images piece by piece, write what was found.

    PROGRAM --table data/index/x.parquet --root FOLDER --pieces FOLDER --size 64 [--parent PID] [own options]

For every piece (images start..start+size-1 of the table, start = 0, size, 2 size, ...) whose file
FOLDER/<start:09d>.npz is not there yet, the program writes it: whole or not at all, so it can be killed at any time and
takes up where it was. It ends with status 0 when all pieces are there. Members of a piece: `status` uint8 (n,), `score`
float32 (n,) and the program's own, first axis n; see partreid.tools.

A damaged image is a failed row, and so is one that the program stumbles over; neither stops it. A file that cannot be
read now (its disk is away) ends the program, which loses no piece and goes on when it is started again. When it
stumbles over all images of a piece (at least MANY), the error is the program's own, and ends it.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pyarrow.parquet

OK, MISSING, FAILED = 0, 1, 2
MANY = 3
LONGEST = 1024  # pixels: larger images are shrunk to this side, which bounds the memory of a piece

Found = dict[str, Any]  # members of one image, without their first axis; `score` among them
Blank = Callable[[int], dict[str, np.ndarray]]  # n -> the program's own members of n images in which nobody was found


@dataclass(frozen=True)
class Image:
    """pixels: uint8 RGB (h, w, 3). height, width: of the original, before it was shrunk, in pixels."""

    pixels: np.ndarray
    height: int
    width: int

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of `pixels` per pixel of the original, along x and y."""
        return self.pixels.shape[1] / self.width, self.pixels.shape[0] / self.height


Look = Callable[[list[Image]], Sequence[Found | None]]  # a batch of images -> for each what was found, None for nobody


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser of the options that all programs have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--table", type=Path, required=True, help="image table, Parquet with a column `path`")
    made.add_argument("--root", type=Path, required=True, help="the folder that the paths are relative to")
    made.add_argument("--pieces", type=Path, required=True, help="folder of the results")
    made.add_argument("--size", type=int, required=True, help="images per piece")
    made.add_argument("--parent", type=int, help="end when this process is gone")
    made.add_argument("--batch", type=int, default=8, help="images that the network sees at once")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...")
    return made


def run(options: argparse.Namespace, blank: Blank, look: Look, key: Callable[[Image], Hashable]) -> None:
    """Make all pieces that are not there. Images go to `look` in batches of at most options.batch with the same key."""
    if options.parent:
        threading.Thread(target=_end_with, args=(options.parent,), daemon=True).start()
    paths = pyarrow.parquet.read_table(options.table, columns=["path"])["path"].to_pylist()
    options.pieces.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(paths), options.size):
        file = options.pieces / f"{start:09d}.npz"
        if not file.exists():
            here = [options.root / path for path in paths[start : start + options.size]]
            save(file, piece(here, blank, look, key, options.batch))


def piece(
    paths: list[Path], blank: Blank, look: Look, key: Callable[[Image], Hashable], batch: int
) -> dict[str, np.ndarray]:
    """The members of one piece."""
    n = len(paths)
    result: dict[str, np.ndarray] = {
        "status": np.full(n, FAILED, np.uint8),
        "score": np.zeros(n, np.float32),
        **blank(n),
    }
    images = {row: image for row, path in enumerate(paths) if (image := read(path)) is not None}
    stumbled = 0
    for rows in batches(images, key, batch):
        for row, found in zip(rows, _look(look, [images[row] for row in rows]), strict=True):
            if isinstance(found, Exception):
                stumbled += 1
                if stumbled == len(images) >= MANY:
                    raise found
                print(f"{paths[row]}: {type(found).__name__}: {found}", file=sys.stderr, flush=True)
                continue
            result["status"][row] = MISSING if found is None else OK
            for name, value in (found or {}).items():
                result[name][row] = value
    return result


def batches(images: dict[int, Image], key: Callable[[Image], Hashable], most: int) -> Iterator[list[int]]:
    """Rows of `images` grouped by key, in groups of at most `most`, each group in order."""
    groups: dict[Hashable, list[int]] = {}
    for row, image in images.items():
        groups.setdefault(key(image), []).append(row)
    for rows in groups.values():
        yield from (rows[first : first + most] for first in range(0, len(rows), most))


def _look(look: Look, images: list[Image]) -> Sequence[Found | Exception | None]:
    """What was found in each image; the exception where the program stumbled."""
    try:
        return look(images)
    except Exception as error:
        if len(images) == 1:
            return [error]
        return [found for image in images for found in _look(look, [image])]  # which one is it?


def read(path: Path, longest: int = LONGEST) -> Image | None:
    """The image, shrunk to `longest` where it is larger; None when its bytes are damaged (as partreid.tools.reading).

    A file that cannot be read now ends the program: that says nothing of the image.

    OpenCV decodes a cut JPEG to a picture that is grey from the cut on; a missing end marker gives that away.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        refuse(f"cannot read the image {path} now: {error.strerror or error}; bring it back and run it again")
    try:
        if not data or (data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data):
            return None
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    if max(height, width) > longest:
        share = longest / max(height, width)
        size = max(1, round(width * share)), max(1, round(height * share))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return Image(pixels, height, width)


def save(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an npz that appears whole or not at all."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stub takes any key for allow_pickle
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def device(name: str, cuda: bool) -> str:
    """The torch device that --device means; cuda: whether there is one."""
    if name == "auto":
        return "cuda" if cuda else "cpu"
    if name.startswith("cuda") and not cuda:
        refuse(f"--device {name}: no CUDA device was found; use cpu or auto")
    return name


def refuse(message: str) -> NoReturn:
    """End the program with a message for its user."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


def _end_with(parent: int) -> None:
    # a parent killed with SIGKILL cannot tell, and uv, which stands between it and us, does not notice
    while True:
        time.sleep(1)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        except PermissionError:
            return
