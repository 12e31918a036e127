"""Train a method on a data set. Usage: python stages/train.py METHOD DATASET"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from dvclive import Live

from partreid import files, methods, params
from partreid.errors import arguments, choose, run
from partreid.labels import LABELS
from partreid.methods.start import load_start
from partreid.revision import revision
from partreid.training.inputs import training_set
from partreid.training.loop import device_of, mixed, train


def main() -> None:
    name, dataset = arguments(__doc__, "method", "dataset")
    p = params.load()
    recipe, options = p.recipe_of(name)
    table = Path(f"data/index/{dataset}.parquet")
    kinds = choose(methods.METHODS, name, "model").labels
    label_paths = {kind: LABELS[kind].file(kind, dataset) for kind in kinds}
    data = training_set(table, p.root(dataset), label_paths)
    identities = len(np.unique(data.pid))
    device = device_of(p.train.device)
    header: dict[str, Any] = {
        "model": name,
        "backbone": recipe.backbone,
        "identities": identities,
        "options": options,
        "height": recipe.height,
        "width": recipe.width,
        "dataset": dataset,
        "recipe": p.recipe,
        "training": vars(recipe),
        "seed": p.train.seed,
        "precision": "bfloat16" if mixed(p.train.precision, device) else "float32",
        "device": device.type,
        "table": files.sha256(table),
        "labels": {kind: files.sha256(path) for kind, path in label_paths.items()},
    }
    start = p.train.start_file()
    if start is not None:
        header["start"] = {"file": start.name, "sha256": files.sha256(start)}
    # the code is part of the name: a run that was killed is not taken up by other code
    code = files.code("methods", "losses", "backbones", "training", "labels/grouping.py")
    scratch = files.scratch_root() / "training" / files.fingerprint(header, code)

    method = methods.initial(name, p.train.seed, backbone=recipe.backbone, identities=identities, **options)
    print(f"{name} on {dataset}: {len(data.paths)} images of {identities} persons, {recipe.epochs} epochs on {device}")
    if start is not None:
        before = load_start(method, start, name, backbone=recipe.backbone, identities=identities, **options)
        header["start"] |= {key: before.get(key) for key in ("dataset", "recipe", "seed", "revision")}
        print(f"starts from {start}: {name} trained on {before.get('dataset')}; classifiers start at random")

    run_folder = Path(f"runs/{name}-{dataset}")
    with files.alone(scratch):
        with curves(scratch / "curves") as log:
            train(
                method,
                data,
                recipe,
                seed=p.train.seed,
                device=device,
                bfloat16=mixed(p.train.precision, device),
                workers=p.train.workers,
                scratch=scratch,
                log=log,
            )
        shutil.rmtree(run_folder / "curves", ignore_errors=True)
        shutil.copytree(scratch / "curves", run_folder / "curves")
        methods.save(run_folder / "weights.pt", method, {**header, "revision": revision()})
        shutil.rmtree(scratch)


@contextmanager
def curves(folder: Path) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function (epoch, values) that prints the values and adds them to DVCLive's curves in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)  # a training that is taken up again logs its first epochs anew
    with Live(str(folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:

        def log(epoch: int, values: dict[str, float]) -> None:
            for key, value in values.items():
                live.log_metric(f"train/{key}", value)
            live.next_step()
            shown = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
            print(f"epoch {epoch + 1:3d}: {shown}", flush=True)

        yield log


if __name__ == "__main__":
    run(main)
