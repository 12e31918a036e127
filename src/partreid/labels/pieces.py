"""Long work on images in small pieces that survive a kill: what is finished is never done again.

Each piece is a small npz in `tmp/pieces/<fingerprint>/` that appears whole or not at all. When all are there they are
streamed into the final file and the folder is removed. The final bytes depend only on the content, so a run that was
killed and resumed gives the same file as an undisturbed one. The fingerprint covers the header (tool, version, weights,
parameters, image table), so pieces of other settings are never mixed in.
"""

import multiprocessing
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from partreid import chunks
from partreid.errors import UserError
from partreid.files import alone, fingerprint, scratch_root, whole
from partreid.labels.cache import counted

PIECE = 64  # images per piece; divides chunks.CHUNK

Work = Callable[[int, int], Mapping[str, np.ndarray]]
"""(start, stop) -> arrays (stop - start, ...) of those images, with a `status` uint8 (n,) among them. Must pickle."""


def write(
    path: Path, header: Mapping[str, Any], work: Work, images: int, processes: int | None = None, title: str = ""
) -> dict[str, Any]:
    """Do the work on `images` images in `processes` processes (default: all cores) and write the chunked npz `path`.

    Returns the header with its counts of ok, missing and failed. Memory holds one chunk, whatever the number of images.
    Raises UserError when another run is making the same file or a process was killed (for example for lack of memory).
    """
    if not images:
        raise UserError(f"nothing to do for {path}: the image table has no rows")
    folder = scratch_root() / "pieces" / fingerprint(dict(header), images, PIECE)
    with alone(folder):
        _do(folder, work, images, processes or os.cpu_count() or 1, title)
        finished = counted(header, np.concatenate([_read(piece)["status"] for piece in _paths(folder, images)]))
        chunks.write(path, finished, _joined(folder, images))
        shutil.rmtree(folder)
    return finished


def _paths(folder: Path, images: int) -> list[Path]:
    return [folder / f"{start:09d}.npz" for start in range(0, images, PIECE)]


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in sorted(file.files)}


def _finished(path: Path) -> bool:
    # a kill cannot leave half a piece, but a power cut can; the zip directory is at the end, so opening tells
    try:
        with np.load(path, allow_pickle=False) as file:
            return "status" in file.files
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False


def _joined(folder: Path, images: int) -> Iterator[dict[str, np.ndarray]]:
    """Pieces joined to chunks."""
    paths = _paths(folder, images)
    step = chunks.CHUNK // PIECE
    for first in range(0, len(paths), step):
        pieces = [_read(path) for path in paths[first : first + step]]
        yield {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _do(folder: Path, work: Work, images: int, processes: int, title: str) -> None:
    open_pieces = [(path, i * PIECE) for i, path in enumerate(_paths(folder, images)) if not _finished(path)]
    sizes = {path: min(PIECE, images - start) for path, start in open_pieces}
    with tqdm(total=images, initial=images - sum(sizes.values()), desc=title, unit="image") as bar:
        if processes == 1 or len(open_pieces) < 2:
            for path, start in open_pieces:
                _make(work, path, start, start + sizes[path])
                bar.update(sizes[path])
            return
        # spawned, not forked: a fork would copy the locks of the parent's threads (OpenCV, progress bar)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(processes, len(open_pieces)), context, _start, (work,)) as pool:
            waiting = {pool.submit(_make_here, path, start, start + sizes[path]): path for path, start in open_pieces}
            try:
                for done in as_completed(waiting):
                    done.result()
                    bar.update(sizes[waiting[done]])
            except BrokenProcessPool as error:
                raise UserError("a worker process was killed; run the same command again to go on") from error
            finally:
                pool.shutdown(cancel_futures=True)  # on an error, do not first do all the rest


def _make(work: Work, path: Path, start: int, stop: int) -> None:
    arrays = work(start, stop)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes any key for allow_pickle


_work: Work  # of this worker process; sent once, not with every piece


def _start(work: Work) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # a parent killed with SIGKILL cannot tell its workers, which would wait for ever
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make_here(path: Path, start: int, stop: int) -> None:
    _make(_work, path, start, stop)
