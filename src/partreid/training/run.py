"""One training from its data to its weights file, taken up where it was killed."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvclive import Live

from partreid import methods, params
from partreid.labels import made
from partreid.methods.base import Learner
from partreid.storage import files, source
from partreid.storage.revision import revision
from partreid.training.data import TrainingSet
from partreid.training.loop import device_of, mixed, train

# what decides a training beside the learner, which brings its layers, losses and backbones
CODE = ("partreid.training.inputs", "partreid.training.run")


def run(
    learner: Learner,
    data: TrainingSet,
    recipe: params.Recipe,
    settings: params.Train,
    header: Mapping[str, Any],
    folder: Path,
    table: Path,
) -> None:
    """Train and write `folder`/weights.safetensors with `header`, and DVCLive's curves to `folder`/curves.

    header: says all that the result depends on; a killed run is taken up by one with the same header and code.
    Labels that the learner makes itself are written to `folder`/labels after every epoch; table: the image table.
    """
    device = device_of(settings.device)
    header = {
        **header,
        "training": vars(recipe),
        "seed": settings.seed,
        "precision": "bfloat16" if mixed(settings.precision, device) else "float32",
        "device": device.type,
    }
    scratch = (
        files.scratch_root() / "training" / files.fingerprint(header, source.code(type(learner).__module__, *CODE))
    )
    print(f"{header['model']} on {header['dataset']}: {len(data.paths)} images, {recipe.epochs} epochs on {device}")

    def keep(epoch: int) -> None:
        for label, maps in learner.made.items():
            made.write(scratch / f"{label}.npz", label, table, data.paths, maps.numpy(), {"epoch": epoch + 1})
        for file in scratch.glob("*.npz"):  # also from before a kill
            with files.whole(folder / "labels" / file.name) as temporary:
                shutil.copyfile(file, temporary)

    (folder / "labels").mkdir(parents=True, exist_ok=True)  # of most it stays empty
    with files.alone(scratch):
        with curves(scratch / "curves", keep) as log:
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
        methods.save(folder / "weights.safetensors", learner, {**header, "revision": revision()})
        shutil.rmtree(scratch)


@contextmanager
def curves(folder: Path, then: Callable[[int], None]) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function (epoch, values) that prints the values and adds them to DVCLive's curves in a new folder.

    Then it calls `then` with the epoch.
    """
    shutil.rmtree(folder, ignore_errors=True)  # a training that is taken up again logs its first epochs anew
    with Live(str(folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:

        def log(epoch: int, values: dict[str, float]) -> None:
            for key, value in values.items():
                live.log_metric(f"train/{key}", value)
            live.next_step()
            shown = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
            print(f"epoch {epoch + 1:3d}: {shown}", flush=True)
            then(epoch)

        yield log
