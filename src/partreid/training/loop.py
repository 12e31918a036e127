"""The training loop every method shares.

On the CPU a run that was killed and resumed gives the same weights, bit for bit, as an undisturbed one; on CUDA the
same up to the order of atomic additions in cuDNN's backward passes.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from partreid.errors import UserError, choose
from partreid.methods.base import Learner
from partreid.params import Recipe
from partreid.storage import torchfile
from partreid.training import gradients, schedule
from partreid.training.data import Augmentation, TrainingSet, epoch_batches, persons

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, **options),
}


DEVICES = dict.fromkeys(("auto", "cpu", "cuda"))
PRECISIONS = dict.fromkeys(("auto", "float32", "bfloat16"))


def device_of(name: str) -> torch.device:
    """auto is CUDA when there is a CUDA device, else the CPU."""
    choose(DEVICES, name, "device (train.device)")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("train.device is cuda, but torch sees no CUDA device; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def mixed(precision: str, device: torch.device) -> bool:
    """Whether the backbone runs in bfloat16; auto is yes on a CUDA device that computes in it."""
    choose(PRECISIONS, precision, "precision (train.precision)")
    return precision == "bfloat16" or (
        precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def train(
    learner: Learner,
    data: TrainingSet,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    bfloat16: bool,
    workers: int,
    scratch: Path,
    log: Callable[[int, dict[str, float]], None],
) -> None:
    """Train `learner`, a method or a pre-training, in place.

    After every epoch the whole state goes to `scratch`, and `log(epoch, means)` is called. If a state is found there
    on entry, training goes on from it, after `log` has been called for the epochs before. The means are of every loss
    term, their sum `loss`, the `learning_rate` at the epoch's end, and `images_per_second`; in some epochs (see
    training.gradients) `gradient_norm_<term>`, of the epoch's first batch.
    """
    learner.mixed = bfloat16
    # convolutions on the CPU and in mixed precision run about 1.6 times faster on this layout; values are the same
    learner.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = choose(OPTIMIZERS, recipe.optimizer, "optimizer")(
        learner.parameter_groups(recipe.weight_decay), lr=recipe.learning_rate
    )
    a = recipe
    augmentation = Augmentation(a.height, a.width, a.flip, a.pad, a.erase, a.erase_fill, a.jitter)
    path = scratch / "checkpoint.pt"
    state = torchfile.load(path, "delete it to train from the start") if path.is_file() else None
    if state is not None:
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
    history: list[dict[str, float]] = [] if state is None else state["history"]
    for epoch, means in enumerate(history):
        log(epoch, means)
    for epoch in range(len(history), recipe.epochs):
        learner.train()
        torch.manual_seed(1_000_003 * seed + epoch)  # so that dropout after an interruption draws what it would have
        learner.begin_epoch(epoch, persons(data, recipe.height, recipe.width, workers))
        count, batches = epoch_batches(
            data,
            augmentation,
            ids_per_batch=recipe.ids_per_batch,
            images_per_id=recipe.images_per_id,
            sampler=recipe.sampler,
            repeats=recipe.repeats,
            batches_per_epoch=recipe.batches_per_epoch,
            seed=seed,
            epoch=epoch,
            workers=workers,
        )
        if not count:
            raise UserError("training needs at least one batch, but the training split has no identities")
        sums: dict[str, Tensor] = {}
        pulls: dict[str, Tensor] = {}
        began, images = time.perf_counter(), 0
        for number, batch in enumerate(tqdm(batches, f"epoch {epoch + 1}/{recipe.epochs}", count, leave=False)):
            rate = recipe.learning_rate * schedule.factor(
                epoch + number / count,
                schedule=recipe.schedule,
                epochs=recipe.epochs,
                warmup_epochs=recipe.warmup_epochs,
                warmup_start=recipe.warmup_start,
                decay_at=recipe.decay_at,
                decay=recipe.decay,
                final_rate=recipe.final_rate,
            )
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("rate", 1)
            terms = learner.losses(batch.to(device))
            if number == 0 and gradients.due(epoch):
                pulls = gradients.norms(terms, learner)
            terms = {"loss": torch.stack(list(terms.values())).sum(), **terms}
            optimizer.zero_grad(set_to_none=True)
            terms["loss"].backward()
            optimizer.step()
            images += len(batch.pid)
            for name, term in terms.items():
                sums[name] = sums.get(name, 0) + term.detach()
        means = {name: float(total) / count for name, total in sums.items()}
        if means["loss"] != means["loss"]:
            raise UserError(f"the loss is not a number in epoch {epoch + 1}; lower the learning rate")
        means["learning_rate"] = rate
        means["images_per_second"] = images / (time.perf_counter() - began)
        means |= {f"gradient_norm_{name}": float(norm) for name, norm in pulls.items()}
        history.append(means)
        log(epoch, means)
        torchfile.save(path, {"history": history, "learner": learner.state_dict(), "optimizer": optimizer.state_dict()})
