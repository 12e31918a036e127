"""Embeddings laid out flat on disk, so that the few images of a short list are read without unpacking their chunks."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from partreid.errors import UserError
from partreid.evaluation.distances import Vectors, tensors, vectors
from partreid.storage.embeddings import Stored
from partreid.storage.files import fingerprint, scratch_root, whole

BLOCK = 1024  # images at a time: a chunk of the file


@dataclass(frozen=True)
class Unpacked:
    """features: float32 (N, P, D), visibility: float32 (N, P), both memory maps."""

    features: np.ndarray
    visibility: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, start: int, count: int) -> Vectors:
        """See ranking.Source."""
        here = slice(start, start + count)
        return _vectors(self.features[here], self.visibility[here]).rows(0, count)

    def take(self, rows: np.ndarray) -> Vectors:
        """Images by row, int64 (n,)."""
        return _vectors(self.features[rows], self.visibility[rows])


def _vectors(features: np.ndarray, visibility: np.ndarray) -> Vectors:
    return vectors(torch.from_numpy(np.array(features)), torch.from_numpy(np.array(visibility)))


def folder(path: Path, image_ids: np.ndarray) -> Path:
    """Where what is made of these images of this embeddings file is kept: another place when the file changes."""
    state = path.stat()
    name = fingerprint(str(path.resolve()), state.st_size, state.st_mtime_ns, fingerprint(image_ids.tolist()))
    return scratch_root() / "search" / name


def unpacked(stored: Stored, image_ids: np.ndarray, into: Path) -> Unpacked:
    """The images of an embeddings file, written to the folder `into` the first time.

    UserError where an embedding is not finite, and where what was written is damaged.
    """
    paths = into / "features.npy", into / "visibility.npy"
    if not all(path.is_file() for path in paths):
        shape = stored.of(image_ids[:1]).features.shape[1:]  # (P, D)
        with whole(paths[0]) as first, whole(paths[1]) as second:
            features = _mapped(first, (len(image_ids), *shape))
            visibility = _mapped(second, (len(image_ids), shape[0]))
            for start in range(0, len(image_ids), BLOCK):
                block = tensors(stored.of(image_ids[start : start + BLOCK]))
                if len(bad := (~block.norms.isfinite().all(1)).nonzero()):
                    raise UserError(
                        f"{len(bad)} embeddings of the gallery hold NaN or infinity (the first: image "
                        f"{start + int(bad[0])}); embed it again with weights whose training has not diverged"
                    )
                features[start : start + BLOCK] = block.features
                visibility[start : start + BLOCK] = block.visibility
            features.flush()
            visibility.flush()
    try:
        # copy on write, which nobody does: torch takes no array that is read-only
        return Unpacked(*(np.load(path, mmap_mode="c") for path in paths))
    except (ValueError, EOFError) as error:  # cut, as by a power failure
        raise UserError(f"a file in {into} is damaged ({error}); delete that folder and run it again") from error


def _mapped(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new file of float32 numbers, with room on its disk: one that fills up meanwhile kills who writes to the map."""
    made = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return made
