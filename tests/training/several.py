"""Trains every method for some steps and saves the weights: run by itself, or as one of several under torchrun.

Usage: python several.py PARAMS OUT METHOD...
What is shared out, the backbones, computes in float64: with random weights they amplify float32's rounding so much that
the first gradients already differ by a per cent when only the order of additions does. One is MobileNetV2, the others
are of five convolutions (small_networks): how a method shares out its losses does not depend on it.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import small_networks
from partreid import methods, params
from partreid.inputs.kinds import Label
from partreid.layers import shares
from partreid.params import Recipe
from partreid.training import parallel
from partreid.training.data import TrainingSet
from partreid.training.loop import train

RECIPE = Recipe(
    backbone="mobilenet_v2", height=48, width=24, epochs=1, ids_per_batch=3, images_per_id=3, optimizer="sgd",
    learning_rate=2e-3, weight_decay=5e-4, warmup_epochs=0, warmup_start=0.1, decay_at=[], decay=0.1, flip=0.5, pad=2,
    erase=0.5, batches_per_epoch=2, sampler="whole",
)  # fmt: skip

SHARED = ("backbone", "part_network", "F_m")


def build(name: str, values: str) -> methods.Method:
    """A method with the laptop recipe's options and random weights, the same in every process."""
    _, own = params.load(Path(values)).recipe_of(name)
    torch.manual_seed(1)
    small = {} if name == "bot" else small_networks.small(name)
    method = methods.build(name, **{"backbone": "mobilenet_v2", "identities": 5, **own, **small})
    for part in SHARED:
        if hasattr(method, part):
            getattr(method, part).double()
    method.begin_training()
    return method


def data(root: Path, method: methods.Method) -> TrainingSet:
    """Five persons with four images each, 0.png .. 19.png below root, and made-up labels of the method's kinds."""
    random, count = np.random.default_rng(0), 20
    corner = random.integers(4, 10, (2, count))
    every = {
        "pifpaf": {"fields": random.integers(0, 256, (count, 36, 9, 5), dtype=np.uint8)},
        "schp": {
            "parsing": random.integers(0, 7, (count, 32, 16), dtype=np.uint8),
            "person": random.integers(0, 256, (count, 32, 16), dtype=np.uint8),
        },
        "poses": {"clusters": np.eye(3, dtype=np.uint8)[random.integers(0, 3, count)]},
        "partmaps": {"maps": random.random((count, 57, 20, 10)).astype(np.float16)},
        "heads": {"x0": corner[0], "y0": corner[1], "x1": corner[0] + 8, "y1": corner[1] + 9},
    }
    labels = {kind: Label(every[kind], random.random(count) < 0.9) for kind in method.labels}
    paths = [f"{number}.png" for number in range(count)]
    return TrainingSet(root, paths, np.arange(count) // 4, labels, paths, np.full((count, 2), (40, 20)))


def main() -> None:
    everywhere = shares.everywhere
    torch.set_num_threads(1)  # FSAM's shape stream, in float32, amplifies another order of additions
    values, out, *names = sys.argv[1:]
    root = Path(values).parent
    with pytest.MonkeyPatch.context() as patch, parallel.joined(torch.device("cpu")) as device:
        small_networks.register(patch)
        # in float64; methods take the result back to float32
        patch.setattr(shares, "everywhere", lambda network, x: everywhere(network, x.double()))
        for name in names:
            method = build(name, values)
            start = {key: value.clone() for key, value in method.state_dict().items()}
            logged: list[dict[str, float]] = []
            train(
                method, data(root, method), RECIPE, seed=1, device=device, precision="float32", compiling="off",
                scratch=Path(out) / "scratch" / name, log=lambda _, means, logged=logged: logged.append(means),
                keep=lambda _: None, seconds=1e9,
            )  # fmt: skip
            if shares.number() == 0:
                torch.save({"start": start, "weights": method.state_dict(), "logged": logged}, Path(out) / f"{name}.pt")
                print(f"{name} {shares.count()}", flush=True)


if __name__ == "__main__":
    main()
