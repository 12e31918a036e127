"""Curves of a training: one small table a value, as DVC's plots and the report read them.

curves/plots/metrics/train/<value>.tsv    step, <value>: one row an epoch
curves/metrics.json                       the values of the last epoch
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from partreid.storage.files import write_json


def curves(folder: Path) -> Callable[[int, dict[str, float]], None]:
    """A function (epoch, values) that prints the values and adds them to the curves in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)  # a training that is taken up again logs its first epochs anew
    (folder / "plots/metrics/train").mkdir(parents=True)

    def log(epoch: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            file = folder / f"plots/metrics/train/{key}.tsv"
            head = "" if file.is_file() else f"step\t{key}\n"
            with file.open("a", encoding="utf-8") as table:
                table.write(f"{head}{epoch}\t{value}\n")
        write_json(folder / "metrics.json", {"train": values, "step": epoch})
        shown = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
        print(f"epoch {epoch + 1:3d}: {shown}", flush=True)

    return log
