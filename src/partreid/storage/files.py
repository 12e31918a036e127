"""Files that appear whole or not at all, and their hashes."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from partreid.errors import UserError


class Unwritable(UserError, OSError):
    """A file that cannot be written. Made as an OSError, of number, reason and file, and caught as one too."""

    def __str__(self) -> str:
        return f"{self.filename} cannot be written ({self.strerror})"


@contextmanager
def whole(path: Path, sweeping: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, else remove it.

    What killed processes left of it is removed first; sweeping=False leaves that to whoever removes the whole folder,
    because it has to look at every file in it.

    Unwritable, which names `path`, for an OSError that names the temporary file, a folder to be made or, as that of a
    full disk, none. Folders that were made for `path` go again where the block fails.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    new: list[Path] = []
    try:
        new += [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        if sweeping:
            sweep(path)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        ours = {str(each) for each in (temporary, path, path.parent, *path.parent.parents)}
        named = {error.filename, error.filename2} - {None}  # of a copy both, the one that it was read from first
        if error.errno is None or (named and not named & ours) or isinstance(error, ConnectionError | TimeoutError):
            raise  # of another file, or of what the block reads
        raise Unwritable(error.errno, _reason(error), str(path)) from error
    finally:
        with suppress(OSError):  # of a disk that is away or read-only
            temporary.unlink(missing_ok=True)
        with suppress(OSError):  # the first that is not empty
            for folder in new:
                folder.rmdir()


def sweep(path: Path) -> None:
    """Remove the temporary files that killed processes left when they were writing `path` (see `whole`)."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        try:
            os.kill(int(left.name.split(".")[-2]), 0)  # does nothing to a process that is there
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except PermissionError:
            continue  # somebody else's, at work


def writable(path: Path) -> None:
    """UserError where `path` could not be written; for before long work, whose end would be too late."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent):
            pass
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({_reason(error)}), so nothing was begun; make its folder one that you may "
            "write to, with room on its disk"
        ) from error


def _reason(error: OSError) -> str:
    """In words; mkdir says that a file exists where a folder should be."""
    return os.strerror(errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno or 0)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline, whole or not at all. UserError for a number that JSON lacks."""
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError as error:
        raise UserError(
            f"{path} is not written: a number for it is infinite or NaN. What computed it has diverged: train with a "
            "lower learning rate"
        ) from error
    write_text(path, f"{text}\n")


def copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with whole(target) as temporary:
        shutil.copyfile(source, temporary)


def copy_folder(source: Path, target: Path) -> None:
    """Copy the files of a folder, at any depth, each whole or not at all. Unwritable at the first that cannot be."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        copy(file, target / file.relative_to(source))


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks of 1 MiB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def image_bytes(path: Path) -> bytes:
    """The bytes of an image that the index has seen. UserError when it cannot be read now.

    That is no finding about the image (a disk is away, a right is missing, the network is down), so whoever reads
    images stops: nobody may keep it as a result.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the image {path} now: {error.strerror or error}; when the data set was indexed it could be "
            "read. Bring it back (is its disk mounted, the folder under `raw` in params.yaml still there?) and run the "
            "same command again, which goes on from here; if it is gone for good, make the index anew: "
            "dvc repro -f data/dvc.yaml:index@<data set>"
        ) from error


def fingerprint(*parts: Any) -> str:
    """16 hex digits that change when any JSON-able part changes; names the scratch folder of resumable work."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make and lock a folder of unfinished work; the system frees it when the process ends, however it ends.

    UserError when another process is at work in it: perhaps one that outlived the `dvc` that started it. An OSError
    that names the folder where its disk, as some network disks, has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise UserError(
                f"another run is at work in {folder} (pid {pid}); wait for it to end, or end that process"
            ) from error
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def scratch_root() -> Path:
    """Where unfinished work waits to be resumed: `tmp/` of the project.

    DVC runs queued experiments in a temporary copy of the project and names the real one in DVC_ROOT;
    using it lets a killed experiment resume too.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / "tmp"
