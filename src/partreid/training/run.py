"""One training from its data to its weights file, taken up where it was killed."""

import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from partreid import methods, params
from partreid.errors import UserError
from partreid.labels import made
from partreid.layers import shares
from partreid.methods.base import Learner
from partreid.storage import files, source
from partreid.storage.revision import revision
from partreid.training import parallel
from partreid.training.budget import SPENT, spent
from partreid.training.curves import curves
from partreid.training.data import TrainingSet, opened
from partreid.training.loop import train
from partreid.training.precision import device_of, precision_of
from partreid.words import counted

# what decides a training beside the learner, which brings its layers, losses and backbones
CODE = ("partreid.training.from_disk", "partreid.training.run")
SECONDS = 60.0  # between checkpoints, at least; the last epoch has one in any case


def run(
    learner: Learner,
    data: TrainingSet,
    recipe: params.Recipe,
    settings: params.Train,
    header: Mapping[str, Any],
    folder: Path,
    table: Path,
) -> None:
    """Train and write to `folder` weights.safetensors with `header`, curves, and training.json (training.budget).

    Where several processes are to train (settings.processes), start them and wait: they run this program's command.
    header: says all that the result depends on; a killed run is taken up by one with the same header and code.
    Labels that the learner makes itself are written to `folder`/labels; table: the image table.
    """
    device = device_of(settings.device)
    processes = parallel.wanted(settings.processes, device)
    if processes > 1 and not parallel.inside():
        if processes > recipe.ids_per_batch * recipe.images_per_id:
            raise UserError(f"train.processes {processes} is more than the images in a batch; use fewer")
        opened(data, recipe.height, recipe.width)  # once, before all want it
        parallel.launched(processes)
        return
    with parallel.joined(device) as own:
        _run(learner, data, recipe, settings, header, folder, table, own)


def _run(
    learner: Learner,
    data: TrainingSet,
    recipe: params.Recipe,
    settings: params.Train,
    header: Mapping[str, Any],
    folder: Path,
    table: Path,
    device: torch.device,
) -> None:
    """`run` in one of the processes, on its device."""
    first = shares.number() == 0
    precision = precision_of(settings.precision, device, recipe.backbone)
    header = {
        **header,
        "training": vars(recipe),
        "seed": settings.seed,
        "precision": precision.name,
        "precision_because": precision.why,
        "device": device.type,
    }
    scratch = (
        files.scratch_root() / "training" / files.fingerprint(header, source.code(type(learner).__module__, *CODE))
    )
    what = f"{header['model']} on {header['dataset']}"
    where = f"{shares.count()} x {device.type}" if shares.count() > 1 else str(device)
    print(f"{what}: {len(data.paths)} images, {counted(recipe.epochs, 'epoch')} on {where}")
    print(f"trains in {precision.name}: {precision.why}", flush=True)

    def keep(epoch: int) -> None:
        for label, maps in learner.made.items():
            path = scratch / f"{label}.npz"
            made.write(path, label, table, data.paths, maps.cpu().numpy(), {"epoch": epoch + 1})
        show()

    def show() -> None:
        for file in scratch.glob("*.npz"):
            files.copy(file, folder / "labels" / file.name)

    (folder / "labels").mkdir(parents=True, exist_ok=True)
    with files.alone(scratch) if first else nullcontext():
        draw, history = curves(scratch / "curves"), list[dict[str, float]]()

        def log(epoch: int, means: dict[str, float]) -> None:
            history.append(means)
            if first:
                draw(epoch, {name: value for name, value in means.items() if name not in SPENT})

        train(
            learner,
            data,
            recipe,
            seed=settings.seed,
            device=device,
            precision=precision.name,
            compiling=settings.compile,
            scratch=scratch,
            log=log,
            keep=keep,
            seconds=SECONDS,
        )
        if not first:
            return
        show()  # what a killed run had kept, and this one had nothing to add to
        if not any((folder / "labels").iterdir()):  # an output of the stage all the same: DVC warns of an empty folder
            files.write_text(folder / "labels/none.txt", f"{header['model']} made no labels in this training\n")
        shutil.rmtree(folder / "curves", ignore_errors=True)
        files.copy_folder(scratch / "curves", folder / "curves")
        files.write_json(folder / "training.json", spent(history, learner.classifiers, data.identities))
        methods.save(folder / "weights.safetensors", learner, {**header, "revision": revision()})
        shutil.rmtree(scratch)
