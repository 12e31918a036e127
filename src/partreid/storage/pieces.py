"""Long work on images in small pieces that survive a kill: what is finished is never done again.

Each piece is a small npz in `tmp/pieces/<fingerprint>/` that appears whole or not at all. When all are there they are
streamed into the final file and the folder is removed. The final bytes depend only on the content, so a run that was
killed and resumed gives the same file as an undisturbed one. The fingerprint covers the header (tool, version, weights,
parameters, image table) and the files that the work is made of, so pieces of others are never mixed in.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from partreid.errors import UserError
from partreid.progress import Bar, progress
from partreid.storage import chunks, columns, elsewhere
from partreid.storage.cache import counted
from partreid.storage.files import alone, fingerprint, scratch_root, sha256, sweep, whole, writable
from partreid.storage.task import Piece, Task
from partreid.storage.workers import spread

PIECE = 64  # images per piece of a tool or label; divides chunks.CHUNK
LINES = 15  # of what a program said last, shown when it fails

Work = Callable[[int, int], Mapping[str, np.ndarray]]
"""(start, stop) -> arrays (stop - start, ...) of those images, with a `status` uint8 (n,) among them. Must pickle."""


@dataclass(frozen=True)
class Program:
    """Work that an isolated program does: it is started with `--pieces FOLDER --size IMAGES` after its command.

    It makes every piece that the folder lacks, named like those made here, and exits with 0 when all are there.
    """

    command: tuple[str, ...]


def write(
    path: Path,
    header: Mapping[str, Any],
    work: Work | Program,
    images: int,
    processes: int | None = None,
    title: str = "",
    on: str | None = None,
    sources: Sequence[Path] = (),
) -> dict[str, Any]:
    """Do the work on `images` images in `processes` processes (default: all cores) and write `path`.

    on: where instead, as partreid.storage.elsewhere says (default: PARTREID_ON of the environment). sources: files that
    the work reads and whose content the header does not tell: pieces made of others are not taken up.

    The file is chunked npz (partreid.storage.chunks) or, where its name ends in .parquet, Parquet
    (partreid.storage.columns).

    Returns the header with its counts of ok, missing and failed. Memory holds one chunk, whatever the number of images.
    Raises UserError as `made` does.
    """
    settings = {**header, "sources": [sha256(file) for file in sources]} if sources else header
    with made(path, settings, work, images, PIECE, processes, title, on) as done:
        finished = counted(header, np.concatenate([_read(piece)["status"] for piece in done]))
        kind = columns if path.suffix == ".parquet" else chunks
        kind.write(path, finished, joined(done, PIECE))
    return finished


@contextmanager
def made(
    path: Path,
    settings: Mapping[str, Any],
    work: Work | Program,
    images: int,
    size: int,
    processes: int | None = None,
    title: str = "",
    on: str | None = None,
) -> Iterator[list[Path]]:
    """The finished pieces of `size` images each, in order, from which the caller writes `path`; then they are removed.

    settings: all that the pieces' content depends on. size divides chunks.CHUNK. For the rest see `write`.
    Raises UserError when `path` cannot be written, another run is making the same file, or a process was killed (for
    example for lack of memory).
    """
    if not images:
        raise UserError(f"nothing to do for {path}: the image table has no rows")
    somebody = elsewhere.place(on)
    if somebody is not None and isinstance(work, Program):
        raise UserError(
            f"{work.command[0]} is a program of its own, which makes all pieces where it is started: start the stage "
            "on the machine that is to do it, without --on and PARTREID_ON"
        )
    writable(path)
    folder = scratch_root() / "pieces" / fingerprint(dict(settings), images, size)
    with alone(folder):
        sweep(path)
        todo = _open(folder, images, size)
        with progress(images, title, done=images - sum(count for _, _, count in todo)) as bar:
            if isinstance(work, Program):
                _start_program(work, folder, images, size, bar)
            elif somebody is None:
                _do(work, todo, processes or os.cpu_count() or 1, bar.update)
            elif todo:
                somebody(Task(folder, work, todo, _do, bar.update))
        yield _paths(folder, images, size)
        shutil.rmtree(folder)


def rows(work: Work, wanted: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The work done on images `wanted`, int (n,), ascending, n > 0, here and in memory: (n, ...) per name."""
    done = []
    for run in np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1):
        for first in range(0, len(run), PIECE):
            part = run[first : first + PIECE]
            made_here = work(int(part[0]), int(part[-1]) + 1)
            done.append({name: made_here[name] for name in names})
    return {name: np.concatenate([piece[name] for piece in done]) for name in names}


def joined(pieces: Sequence[Path], size: int) -> Iterator[dict[str, np.ndarray]]:
    """Pieces of `size` images joined to chunks."""
    step = chunks.CHUNK // size
    for first in range(0, len(pieces), step):
        some = [_read(path) for path in pieces[first : first + step]]
        yield {name: np.concatenate([piece[name] for piece in some]) for name in some[0]}


def _paths(folder: Path, images: int, size: int) -> list[Path]:
    return [folder / f"{start:09d}.npz" for start in range(0, images, size)]


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in sorted(file.files)}
    except chunks.DAMAGE as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run the same command again") from error


def _finished(path: Path) -> bool:
    # a kill cannot leave half a piece, but a power cut can; the zip directory is at the end, so opening tells
    try:
        with np.load(path, allow_pickle=False) as file:
            return "status" in file.files
    except chunks.DAMAGE:
        return False


def _open(folder: Path, images: int, size: int) -> list[Piece]:
    """The pieces still to be made."""
    paths = enumerate(_paths(folder, images, size))
    return [(path, i * size, min(size, images - i * size)) for i, path in paths if not _finished(path)]


def _do(work: Work, todo: list[Piece], processes: int, tell: Callable[[int], object] = lambda _: None) -> None:
    """Make pieces by processes of this machine; tell: is called with the images of each that is finished."""
    if processes == 1 or len(todo) < 2:
        for path, start, size in todo:
            _make(work, path, start, start + size)
            tell(size)
        return
    spread(
        _make_here,
        [(path, start, start + size) for path, start, size in todo],
        processes,
        lambda number, _: tell(todo[number][2]),
        "a worker process was killed; run the same command again to go on",
        _start,
        (work,),
    )


def _start_program(work: Program, folder: Path, images: int, size: int, bar: Bar) -> None:
    name = Path(work.command[0]).name
    for path, _, _ in _open(folder, images, size):
        path.unlink(missing_ok=True)  # a damaged piece: the program only asks whether the file is there
    command = [*work.command, "--pieces", str(folder), "--size", str(size)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        try:
            running = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        except OSError as error:
            raise UserError(f"cannot start {name} ({error.strerror}); is it installed and on the PATH?") from error
        try:
            while running.poll() is None:
                _show(folder, images, size, bar)
                time.sleep(0.5)
        finally:
            if running.poll() is None:  # Ctrl-C, or we are asked to end: the program must not go on alone
                running.terminate()
                running.wait()
        _show(folder, images, size, bar)
        said.seek(0)
        last = "\n".join(said.read().strip().splitlines()[-LINES:])
    if running.returncode:
        raise UserError(f"{' '.join(command)} ended with status {running.returncode}; its last words:\n{last}")
    if missing := _open(folder, images, size):
        raise UserError(f"{' '.join(command)} ended without the pieces {missing[0][0]} ...; its last words:\n{last}")


def _show(folder: Path, images: int, size: int, bar: Bar) -> None:
    done = sum(path.is_file() for path in _paths(folder, images, size))
    if (now := min(done * size, images)) > bar.n:
        bar.update(now - bar.n)


def _make(work: Work, path: Path, start: int, stop: int) -> None:
    arrays = work(start, stop)
    with whole(path, sweeping=False) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes any key for allow_pickle


_work: Work  # of this worker process; sent once, not with every piece


def _start(work: Work) -> None:
    global _work
    _work = work
    threadpool_limits(1)  # NumPy's own threads, in every process as many as cores, would wait for each other


def _make_here(path: Path, start: int, stop: int) -> None:
    _make(_work, path, start, stop)
