"""The one way to look through folders that people bring: for the index, for imported files, for a search's gallery.

What belongs: visible files with a known ending (any case), in visible folders; links to files and to folders are
followed. What does not is never lost without a word: other files are counted by ending, hidden ones (a dot before the
name, and what systems and network disks leave behind) as hidden; a link that leads nowhere is named, and so is a folder
that may not be looked into.
"""

import errno
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# in any case: what OpenCV decodes everywhere (jfif and jpe are JPEG)
ENDINGS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff")
LEFT_BEHIND = (
    "__MACOSX",
    "@eaDir",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
)  # by systems, not by people

# what looking at a file or folder says again tomorrow; other errors (a disk or a network that fails) are no finding
LASTING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)

Skipped = list[list[str]]  # [[path, reason], ...]


@dataclass
class Walk:
    """A look through the folder `root`; all paths are relative to it, with /, in byte order.

    endings: of the files that belong; None: all do. ignored: visible files that do not, by ending ("none": without
    one), and "hidden" and "hidden folders". skipped: what is named, with the reason.
    """

    root: Path
    endings: tuple[str, ...] | None = ENDINGS
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: Skipped = field(default_factory=list)
    _seen: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)  # folder -> files, folders
    _spelled: dict[str, dict[str, str]] = field(default_factory=dict)  # folder -> composed name -> path

    def files(self, folder: str = "") -> list[str]:
        """Paths of the files right in a folder that belong."""
        return self._look(folder)[0]

    def folders(self, folder: str = "") -> list[str]:
        """Names of the visible folders right in a folder."""
        return self._look(folder)[1]

    def below(self, folder: str = "") -> list[str]:
        """Paths of the files at any depth that belong. A link back to a folder above itself is named, not followed."""
        found: list[str] = []
        todo: list[tuple[str, tuple[str, ...]]] = [(folder, (os.path.realpath(self.root / folder),))]
        while todo:
            here, way = todo.pop()
            found += self.files(here)
            for name in self.folders(here):
                path = f"{here}/{name}" if here else name
                real = os.path.realpath(self.root / path)
                if real in way:
                    self.skipped.append([printable(path), "a link back to a folder above it"])
                else:
                    todo.append((path, (*way, real)))
        return sorted(found, key=os.fsencode)

    def find(self, path: str) -> str | None:
        """The path, as the disk spells it, of a file that may be spelled in another Unicode form; None if none."""
        try:
            if (self.root / path).is_file():
                return path
        except OSError as error:
            if error.errno not in LASTING:
                raise
            return None  # a name too long for any file
        here = ""
        for step in path.split("/"):
            if not (self.root / here).is_dir():
                return None
            if here not in self._spelled:
                names = [*self.folders(here), *(file.rpartition("/")[2] for file in self.files(here))]
                self._spelled[here] = {composed(name): f"{here}/{name}" if here else name for name in names}
            if composed(step) not in self._spelled[here]:
                return None
            here = self._spelled[here][composed(step)]
        return here if (self.root / here).is_file() else None

    def _look(self, folder: str) -> tuple[list[str], list[str]]:
        if folder not in self._seen:
            files, folders = [], []
            for entry in self._entries(folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                kind = _kind(entry)
                if kind == "folder" and not hidden(entry.name):
                    folders.append(entry.name)
                elif kind == "file" and not hidden(entry.name) and self._belongs(entry.name):
                    files.append(path)
                elif hidden(entry.name):
                    self.ignored["hidden folders" if kind == "folder" else "hidden"] += 1
                elif kind == "file":
                    self.ignored[Path(entry.name).suffix.lower() or "none"] += 1
                else:
                    self.skipped.append([printable(path), kind])
            self._seen[folder] = files, folders
        return self._seen[folder]

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What lies in a folder; nothing, and the folder is named, where it is not for us to look into."""
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if not folder or error.errno not in LASTING:
                raise
            self.skipped.append([printable(f"{folder}/"), f"cannot be looked into: {error.strerror}"])
            return []

    def _belongs(self, name: str) -> bool:
        return self.endings is None or name.lower().endswith(self.endings)

    def left_out(self) -> str:
        """What was left out, as "3 .heic, 1 hidden, 2 skipped (the first: a.jpg, a link that leads nowhere)"; or ""."""
        told = [f"{number} {ending}" for ending, number in sorted(self.ignored.items())]
        if self.skipped:
            told.append(f"{len(self.skipped)} skipped (the first: {': '.join(self.skipped[0])})")
        return ", ".join(told)


def hidden(name: str) -> bool:
    """Whether people do not mean a file or folder of this name to be looked at."""
    return name.startswith(".") or name in LEFT_BEHIND


def composed(name: str) -> str:
    """A name as it is compared: in Unicode's form NFC. Archives from a Mac hold decomposed ones."""
    return unicodedata.normalize("NFC", name)


def printable(name: str) -> str:
    """A file name that can be stored, and printed in one line: bytes that are not UTF-8, and control characters, such
    as a line's end, are shown as escapes.
    """
    told = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) == "Cc" else each for each in told
    )


def storable(name: str) -> bool:
    """Whether a file name is UTF-8."""
    return not any(unicodedata.category(each) == "Cs" for each in name)  # what other bytes are read as


def _kind(entry: os.DirEntry[str]) -> str:
    """`file`, `folder` (links followed), or why it is neither."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        return "a link that leads nowhere" if entry.is_symlink() else "neither a file nor a folder"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
