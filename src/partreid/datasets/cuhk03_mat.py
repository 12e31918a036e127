"""cuhk-03.mat, the one file of CUHK03's release: MATLAB 7.3, which is HDF5, with the images as arrays inside.

`detected` and `labeled` are 5 x 1 cells, one per camera pair, of M x 10 cells, one row per person: columns 1-5 are
images of the pair's first view, 6-10 of the second, some of them empty. `testsets` is a 20 x 1 cell of 100 x 2
matrices: camera pair and person of the test persons, from 1. HDF5 lists an array's axes in the opposite order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import h5py
import numpy as np

from partreid.errors import UserError
from partreid.progress import followed
from partreid.storage.files import alone, whole


def extract(mat: Path, kind: str, folder: Path) -> None:
    """Write the images of `kind` (detected, labeled) as PNG files into the new `folder`.

    Named as in every toolbox, `1_001_1_01.png`: camera pair, person of the pair, view, column. The folder appears when
    all are written; until then they lie in `.<folder>.part` beside it, where a run that was interrupted goes on. An
    existing folder is left as it is. Raises UserError when the file is damaged or the folder cannot be written.
    """
    if folder.is_dir():
        return
    unfinished = folder.with_name(f".{folder.name}.part")
    try:
        unfinished.mkdir(exist_ok=True)
    except OSError as error:
        problem = f"the images inside {mat.name} are written once to {folder}, which failed: {error.strerror}"
        raise UserError(f"{problem}; allow writing there, or put {mat.name} elsewhere") from error
    with alone(unfinished), _opened(mat) as file:
        cells = list(_images(file, kind))
        for name, cell in followed(cells, len(cells), f"{kind} images of {mat.name}"):
            if (unfinished / name).exists():
                continue
            pixels = file[cell][()]  # (3, width, height) RGB; an empty cell is a list of two zeros
            if pixels.ndim == 3:
                _write(unfinished / name, pixels.transpose(2, 1, 0)[..., ::-1])
        (unfinished / "lock").unlink()
        unfinished.rename(folder)


def testsets(mat: Path) -> list[list[tuple[int, int]]]:
    """The test sets of the classic protocol: camera pair and person of the pair, both from 1.

    Raises UserError when the file is damaged.
    """
    with _opened(mat) as file:
        tables = [file[cell][()].T.astype(int) for cell in file["testsets"][()].ravel()]  # (persons, 2) each
    return [[(pair, person) for pair, person in table.tolist()] for table in tables]


def _images(file: h5py.File, kind: str) -> Iterator[tuple[str, h5py.Reference]]:
    """File name and cell of every image that `kind` could hold, empty cells included."""
    for pair, cell in enumerate(file[kind][()].ravel(), start=1):
        for person, row in enumerate(file[cell][()].T, start=1):  # (persons, 10) cells
            for column, image in enumerate(row, start=1):
                yield f"{pair}_{person:03d}_{1 if column <= 5 else 2}_{column:02d}.png", image


def _write(path: Path, pixels: np.ndarray) -> None:
    """A PNG file of uint8 (height, width, 3) BGR pixels, whole or not at all."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    with whole(path) as temporary:
        temporary.write_bytes(data.tobytes())


@contextmanager
def _opened(mat: Path) -> Iterator[h5py.File]:
    """The file, open. UserError when it, or what is read from it inside the block, is damaged."""
    try:
        file = h5py.File(mat, "r")
    except OSError as error:
        raise _damaged(mat, error) from error
    with file:
        try:
            yield file
        except OSError as error:
            if error.errno is not None:  # the system's, a full disk for instance; HDF5's own errors have no number
                raise
            raise _damaged(mat, error) from error
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, cv2.error) as error:
            raise _damaged(mat, error) from error


def _damaged(mat: Path, error: Exception) -> UserError:
    return UserError(
        f"{mat} is damaged or another file ({error}); unpack it again from cuhk03_release.zip, "
        "md5 728939e58ad9f0ff53e521857dd8fb43"
    )
