"""The training loop every method shares.

On the CPU a run that was killed and resumed gives the same weights, bit for bit, as an undisturbed one; on CUDA the
same up to the order of atomic additions in cuDNN's backward passes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from partreid.errors import UserError
from partreid.layers import shares
from partreid.methods.base import Learner
from partreid.params import Recipe
from partreid.progress import progress
from partreid.storage import torchfile
from partreid.training import gradients, parallel, schedule
from partreid.training import precision as arithmetic
from partreid.training.data import Augmentation, Source, TrainingSet, opened, order, parcels, persons
from partreid.training.feed import feed
from partreid.training.step import Step, optimizer_of, own_stream, ways


def train(
    learner: Learner,
    data: TrainingSet,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    precision: str,
    compiling: str,
    scratch: Path,
    log: Callable[[int, dict[str, float]], None],
    keep: Callable[[int], None],
    seconds: float,
) -> None:
    """Train `learner`, a method or a pre-training, in place. precision: not auto. compiling: a key of step.COMPILE.

    `log(epoch, means)` is called after every epoch. Every `seconds`, after an epoch, `keep(epoch)` is called, then the
    whole state goes to `scratch`. If a state is found there on entry, training goes on from it, after `log` has been
    called for the epochs before. The means are of every loss term, their sum `loss`, the `learning_rate` at the epoch's
    end, its `steps` and `images`, and `images_per_second`; in some epochs (see training.gradients)
    `gradient_norm_<term>`, of the epoch's first batch. Of several processes (see training.parallel) all call `log`, and
    the first alone `keep`, and writes.
    """
    arithmetic.apply(precision, device)
    learner.mixed = precision == "bfloat16"
    # convolutions on the CPU and in mixed precision run about 1.6 times faster on this layout; values are the same
    learner.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_of(learner, recipe)
    path = scratch / "checkpoint.pt"
    state = torchfile.load(path, "delete it to train from the start") if path.is_file() else None
    if state is not None:
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
    history: list[dict[str, float]] = [] if state is None else state["history"]
    first = shares.number() == 0
    for epoch, means in enumerate(history):
        log(epoch, means)
    if history:
        print(f"goes on after epoch {len(history)} of {recipe.epochs}: it was stopped there", flush=True)
    if len(history) >= recipe.epochs:
        return
    source = opened(data, recipe.height, recipe.width)
    a = recipe
    augmentation = Augmentation(a.height, a.width, a.flip, a.pad, a.erase, a.erase_fill, a.jitter)
    compiled, graphed = ways(compiling, device)
    alone = shares.count() == 1  # what processes tell each other in a step cannot be recorded or compiled
    losses = parallel.losses_of(learner)
    step = Step(learner, optimizer, compiled=compiled and alone, graphed=graphed and alone, losses=losses)
    told, saved, begin = step.how, time.monotonic(), len(history)
    with own_stream(device), progress(0, "training", "step", brief=True, quiet=not first) as bar:
        for epoch in range(begin, recipe.epochs):
            learner.train()
            torch.manual_seed(1_000_003 * seed + epoch)  # dropout after an interruption draws what it would have
            learner.begin_epoch(epoch, looked_at(source, f"before epoch {epoch + 1}"))
            if epoch == begin:
                bar.reset()
            batches = order(
                data,
                ids_per_batch=recipe.ids_per_batch,
                images_per_id=recipe.images_per_id,
                sampler=recipe.sampler,
                repeats=recipe.repeats,
                batches_per_epoch=recipe.batches_per_epoch,
                seed=seed,
                epoch=epoch,
            )
            if not batches:
                raise UserError("training needs at least one batch, but the training split has no identities")
            began = time.perf_counter()
            count, sums = len(batches), torch.zeros((), device=device)
            bar.set_description(f"epoch {epoch + 1} of {recipe.epochs}")
            bar.total = bar.n + count * (recipe.epochs - epoch)  # later epochs have as many batches, or nearly so
            hosted = parcels(source, augmentation, batches, seed, epoch, pinned=device.type == "cuda")
            with closing(feed(hosted, device, learner.reads_clean, a.erase_fill)) as ready:
                for number, batch in enumerate(ready):
                    rate = learning_rate(recipe, epoch + number / count)
                    for group in optimizer.param_groups:
                        group["lr"] = rate * group.get("rate", 1)
                    sums = sums + step(batch, pulls=number == 0 and gradients.due(epoch))
                    bar.update()
            bar.clear()  # others print now
            means = dict(zip(step.names, (sums / count).tolist(), strict=True))
            if means["loss"] != means["loss"]:
                raise UserError(f"the loss is not a number in epoch {epoch + 1}; lower the learning rate")
            means["learning_rate"] = rate
            means["steps"], means["images"] = count, sum(map(len, batches))
            means["images_per_second"] = means["images"] / (time.perf_counter() - began)
            if gradients.due(epoch):
                means |= {f"gradient_norm_{name}": float(norm) for name, norm in step.pulls.items()}
            history.append(means)
            log(epoch, means)
            if step.how != told:
                print(f"steps: {step.how}", flush=True)
                told = step.how
            if first and (epoch + 1 == recipe.epochs or time.monotonic() - saved >= seconds):
                keep(epoch)
                content = {"history": history, "learner": learner.state_dict(), "optimizer": optimizer.state_dict()}
                torchfile.save(path, content)
                saved = time.monotonic()


def looked_at(source: Source, when: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The `persons`, for a learner that looks at all of them, which takes minutes with many images: with progress."""
    with progress(len(source.data.paths), f"all images, {when}", brief=True) as bar:
        for rows, images in persons(source):
            yield rows, images
            bar.update(len(rows))


def learning_rate(recipe: Recipe, epoch: float) -> float:
    """The recipe's learning rate at `epoch` (0 = before the first batch, 1.5 = halfway the second)."""
    return recipe.learning_rate * schedule.factor(
        epoch,
        schedule=recipe.schedule,
        epochs=recipe.epochs,
        warmup_epochs=recipe.warmup_epochs,
        warmup_start=recipe.warmup_start,
        decay_at=recipe.decay_at,
        decay=recipe.decay,
        final_rate=recipe.final_rate,
    )
