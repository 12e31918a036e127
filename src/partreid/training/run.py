"""One training from its data to its weights file, taken up where it was killed."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvclive import Live

from partreid import files, methods, params
from partreid.methods.base import Learner
from partreid.revision import revision
from partreid.training.data import TrainingSet
from partreid.training.loop import device_of, mixed, train

CODE = ("methods", "pretraining", "losses", "backbones", "bilinear.py", "training", "labels/grouping.py")


def run(
    learner: Learner,
    data: TrainingSet,
    recipe: params.Recipe,
    settings: params.Train,
    header: Mapping[str, Any],
    folder: Path,
) -> None:
    """Train and write `folder`/weights.pt with `header`, and DVCLive's curves to `folder`/curves.

    header: says all that the result depends on; a killed run is taken up by one with the same header and code.
    """
    device = device_of(settings.device)
    header = {
        **header,
        "training": vars(recipe),
        "seed": settings.seed,
        "precision": "bfloat16" if mixed(settings.precision, device) else "float32",
        "device": device.type,
    }
    scratch = files.scratch_root() / "training" / files.fingerprint(header, files.code(*CODE))
    print(f"{header['model']} on {header['dataset']}: {len(data.paths)} images, {recipe.epochs} epochs on {device}")
    with files.alone(scratch):
        with curves(scratch / "curves") as log:
            train(
                learner,
                data,
                recipe,
                seed=settings.seed,
                device=device,
                bfloat16=mixed(settings.precision, device),
                workers=settings.workers,
                scratch=scratch,
                log=log,
            )
        shutil.rmtree(folder / "curves", ignore_errors=True)
        shutil.copytree(scratch / "curves", folder / "curves")
        methods.save(folder / "weights.pt", learner, {**header, "revision": revision()})
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
