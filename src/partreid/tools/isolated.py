"""Starts the programs of partreid.tools.programs, each in an environment of its own that uv makes on first use."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from partreid.errors import UserError
from partreid.storage import published_weights
from partreid.storage.pieces import Program
from partreid.tools.base import Images

FOLDER = Path(__file__).parent / "programs"


def program(script: str, images: Images, options: Mapping[str, object]) -> Program:
    """The program FOLDER/script, installed, with its command line: options {"min_score": 0.5} is --min-score 0.5.

    Raises UserError when uv is missing or the installation fails.
    """
    batch = options.get("batch", 1)
    if not (isinstance(batch, int) and batch >= 1):
        raise UserError(f"{script}: batch is {batch}, expected at least 1")
    uv, file = find_uv(script), FOLDER / script
    install(uv, file)
    own = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    return Program(
        (
            *(uv, "run", "--quiet", "--offline", "--python", sys.executable, "--script", str(file)),
            *("--table", str(images.file.resolve()), "--root", str(images.root.resolve())),
            *("--parent", str(os.getpid()), *own),
        )
    )


def checkpoint_file(checkpoint: str, published: Mapping[str, str]) -> Path:
    """The file of a checkpoint: a key of `published`, whose values are published weights, or a path."""
    if checkpoint in published:
        return published_weights.path(published[checkpoint]).resolve()
    if not Path(checkpoint).is_file():
        raise UserError(f"checkpoint: no file {checkpoint}; known names: {', '.join(sorted(published))}")
    return Path(checkpoint).resolve()


def find_uv(script: str) -> str:
    """The path of uv: beside this Python, where pip puts it, else on the PATH."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("uv", path=places)
    if not found:
        raise UserError(f"no `uv` beside {sys.executable} or on the PATH; {script} needs it: `pip install uv`")
    return found


def install(uv: str, file: Path) -> None:
    """Make the program's environment, unless it is there. uv shows what it does on stderr."""
    command = [uv, "sync", "--python", sys.executable, "--script", str(file)]
    there = subprocess.run([*command, "--check", "--offline"], capture_output=True, check=False)
    if there.returncode == 0:
        return
    print(f"installing what {file.name} needs, once (about 3 GB to download, some minutes)", file=sys.stderr)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as running:
        assert running.stderr is not None  # it is a pipe
        last = "nothing"
        for line in running.stderr:
            print(line, end="", file=sys.stderr)
            last = line.strip() or last
    if running.returncode:
        raise UserError(
            f"the installation of {file.name} failed; it needs a network, git and a C++ compiler, and installs what "
            f"the header of {file} lists. uv said above, at last: {last}"
        )


def requirements(file: Path) -> list[str]:
    """What the program's header pins: "torch==2.13.0", ..."""
    header = re.search(r"^# dependencies = \[\n((?:#   .*\n)*)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return re.findall(r'"([^"]+)"', header.group(1)) if header else []
