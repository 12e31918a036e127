"""Train a method on a data set. Usage: python stages/train.py METHOD DATASET"""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from dvclive import Live

from partreid import backbones, files, methods, params
from partreid.errors import choose, run
from partreid.revision import revision
from partreid.training.inputs import training_set
from partreid.training.loop import device_of, mixed, train


def main() -> None:
    name, dataset = sys.argv[1:]
    p = params.load()
    recipe, options = p.recipe_of(name)
    table = Path(f"data/index/{dataset}.parquet")
    label_paths = {
        kind: Path(f"data/labels/{kind}/{dataset}.npz") for kind in choose(methods.METHODS, name, "model").labels
    }
    data = training_set(table, p.root(dataset), label_paths)
    identities = len(np.unique(data.pid))
    device = device_of(p.train.device)
    header = {
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
    scratch = files.scratch_root() / "training" / files.fingerprint(header)

    torch.manual_seed(p.train.seed)  # for new layers; data order and augmentation have their own generators
    method = methods.build(name, backbone=recipe.backbone, identities=identities, **options)
    backbones.load_imagenet(method.backbone, recipe.backbone)
    print(f"{name} on {dataset}: {len(data.paths)} images of {identities} persons, {recipe.epochs} epochs on {device}")

    shutil.rmtree(scratch / "curves", ignore_errors=True)  # rewritten from the checkpoint when training is resumed
    with Live(str(scratch / "curves"), save_dvc_exp=False, dvcyaml=None, report=None) as live:

        def log(epoch: int, means: dict[str, float]) -> None:
            for key, value in means.items():
                live.log_metric(f"train/{key}", value)
            live.next_step()
            print(
                f"epoch {epoch + 1:3d}: " + "  ".join(f"{key} {value:.4g}" for key, value in means.items()), flush=True
            )

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

    run_folder = Path(f"runs/{name}-{dataset}")
    shutil.rmtree(run_folder / "curves", ignore_errors=True)
    shutil.copytree(scratch / "curves", run_folder / "curves")
    methods.save(run_folder / "weights.pt", method, {**header, "revision": revision()})
    shutil.rmtree(scratch)


if __name__ == "__main__":
    run(main)
