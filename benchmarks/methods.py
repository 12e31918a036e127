"""Methods trained, embedded and evaluated one after the other in one process, without DVC.

Usage: python benchmarks/methods.py --out FOLDER [--models bot mpn ...] [--dataset NAME] [-S PATH=VALUE ...]
    [--minutes N]

For machines where DVC is not, and where starting a process for every stage would cost more than some stages. It runs
the stages' own programs (stages/pretrain.py, train.py, embed.py, evaluate.py) with params.yaml as it is, changed by -S,
on a data set whose index and labels are there: `dvc repro data/dvc.yaml:<label>@<data set>` makes them. Below FOLDER
lie a params.yaml, runs/ and results/ of its own; data/ and weights/ are the project's.

FOLDER/results.jsonl grows by one line after every stage (method, stage, seconds) and after every method (its metrics by
protocol, 0..1, and its training's last row of values), so that whatever ends the
program loses the rest only; what was finished in the same FOLDER is not done again. --minutes: no method is begun after
that time.
"""

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from partreid import methods, params
from partreid.errors import at_least, run
from partreid.experiments import overrides

PROJECT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list(methods.METHODS))
    parser.add_argument("--minutes", type=at_least(1))
    overrides.arguments(parser)
    given = parser.parse_args()
    os.chdir(PROJECT)
    values, changes, _ = overrides.asked(given)
    folder = given.out.resolve()
    prepared(folder)
    os.chdir(folder)
    began = time.monotonic()
    for name in dict.fromkeys(given.models):
        if given.minutes and time.monotonic() - began > 60 * given.minutes:
            print(f"{given.minutes} minutes are over: {name} and what follows is left out")
            break
        changed = overrides.changed(values, {**changes, "model": name})
        Path("params.yaml").write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
        one(folder / "results.jsonl", params.load(), name)


def prepared(folder: Path) -> None:
    """Make the folder, with links to what it shares with the project."""
    folder.mkdir(parents=True, exist_ok=True)
    for shared in ("data", "weights"):
        link = folder / shared
        if not link.exists():
            link.symlink_to(PROJECT / shared)


def one(record: Path, p: params.Params, name: str) -> None:
    """Everything of a method whose parameters lie in params.yaml here."""
    recipe, options = p.recipe_of(name)
    starts = methods.outline(name, backbone=recipe.backbone, **options).starts_from
    stages: list[tuple[str, Sequence[str], Path]] = [
        ("pretrain", (by, p.dataset), Path(f"runs/pretrain-{by}-{p.dataset}/weights.safetensors"))
        for by in dict.fromkeys(starts.values())
    ]
    run_folder, results = Path(f"runs/{name}-{p.dataset}"), Path(f"results/{p.dataset}/{name}")
    stages += [
        ("train", (name, p.dataset), run_folder / "weights.safetensors"),
        ("embed", (name, p.dataset), run_folder / "embeddings.npz"),
        ("evaluate", (), results / "metrics.json"),
    ]
    for stage, arguments, product in stages:
        if product.is_file():
            continue
        start = time.monotonic()
        try:
            program(stage, arguments)
        except Exception as error:  # one method's fault must not cost the others
            add(record, {"method": name, "stage": stage, "error": f"{type(error).__name__}: {error}"})
            print(f"error: {name}, {stage}: {error}", file=sys.stderr)
            return
        add(record, {"method": name, "stage": stage, "seconds": round(time.monotonic() - start, 2)})
    metrics = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    curves = run_folder / "curves/metrics.json"
    last = json.loads(curves.read_text(encoding="utf-8")) if curves.is_file() else None
    add(record, {"method": name, "dataset": p.dataset, "recipe": p.recipe, "metrics": metrics, "last_epoch": last})


def program(stage: str, arguments: Sequence[str]) -> None:
    """Run a stage's program in this process, as if it had been started with the arguments."""
    path = PROJECT / "stages" / f"{stage}.py"
    spec = importlib.util.spec_from_file_location(f"stage_{stage}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = sys.argv
    sys.argv = [str(path), *arguments]
    try:
        module.main()
    finally:
        sys.argv = before


def add(record: Path, line: dict[str, Any]) -> None:
    """Append a line of JSON."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    run(main)
