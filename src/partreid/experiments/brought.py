"""Bringing a run's values and files back: `dvc exp apply`, without what it says of stages that nobody ever ran.

It then checks out every stage of every data set, does all it can, and ends with an error over the outputs that no run
has ever made: in this project some five hundred, so that nobody sees whether anything else is amiss.
"""

import re
import subprocess
import sys
from pathlib import Path

from partreid.errors import UserError
from partreid.experiments.kept import KEPT, Line

NEVER_MADE = re.compile(r"No file hash info found for '(.+)'\. It won't be created\.")
MISSING = re.compile(r"Checkout failed for following targets:\n(.*?)\nIs your cache up to date\?", re.DOTALL)


def bring(line: Line) -> None:
    """Have params.yaml, results, weights and what else an experiment made take the place of what is here.

    UserError when it has no results, DVC refuses, or a file that it made is in the cache no more.
    """
    if line.name.startswith(f"{KEPT}/"):
        raise UserError(f"{line.name} is a folder with all that was kept, and no experiment of DVC's; open it there")
    if line.state != "success":
        raise UserError(f"{line.name} has nothing to bring: it is {line.state}; `dvc queue logs {line.name}` says more")
    command = [sys.executable, "-m", "dvc", "exp", "apply", line.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if not done.returncode:
        return
    found = MISSING.search(said)
    if found is None:
        raise UserError(f"`dvc exp apply {line.name}` failed: {said.strip()[-1000:]}")
    never = {Path(path) for path in NEVER_MADE.findall(said)}
    if lost := [path for path in found[1].split("\n") if Path(path).resolve() not in never]:
        others = f" and {len(lost) - 5} others" if len(lost) > 5 else ""
        raise UserError(
            f"{line.name} is here but for what the cache has no more: {', '.join(lost[:5])}{others}; "
            "`dvc pull dvc.yaml -d` brings it where a remote has it, `dvc repro dvc.yaml` makes it anew"
        )
