"""Time per image of MPN against PCB, in training and in the test, measured in one run.

Usage: python benchmarks/inference.py [--device cpu] [--batch 48] [--test-batch 64] [--rounds 7]

MPN without channel attention and PCB at the paper's size: ResNet-50, 384 x 128, K = 6, the 751 identities of
Market-1501; random weights and images, which are made before the clock starts. The paper's table 9 (Titan V) has 10.9
against 8.3 ms in training and 5.1 against 4.9 ms in the test: ratios 1.31 and 1.04, and the goal is at most that. A
round times both methods, one after the other; the ratio is the median over rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from partreid import methods, params
from partreid.errors import run
from partreid.methods.base import Batch, Method
from partreid.params import Recipe
from partreid.training.loop import OPTIMIZERS, device_of, mixed

GOALS = {"training": 10.9 / 8.3, "test": 5.1 / 4.9}


def build(name: str, **changes: object) -> tuple[Method, Recipe]:
    """The paper's method, whatever recipe params.yaml names."""
    p = params.load()
    block = p.methods[name]
    given = {key: value for key, value in block.items() if key not in Recipe.__dataclass_fields__}
    torch.manual_seed(0)
    method = methods.build(name, backbone="resnet50", identities=751, **{**given, **changes})
    return method, Recipe(**{key: value for key, value in block.items() if key in Recipe.__dataclass_fields__})


def batch_of(size: int, device: torch.device) -> Batch:
    """Random images of 8 per person, each with a body in the middle."""
    schp = torch.zeros(size, 8, 128, 64)
    schp[:, 0] = 1
    for part, top, bottom in ((1, 16, 30), (2, 30, 60), (5, 60, 90), (6, 90, 118)):
        schp[:, 0, top:bottom, 16:48] = 0
        schp[:, part, top:bottom, 16:48] = 1
    images = torch.randn(size, 3, 384, 128)
    rows = torch.arange(size)
    batch = Batch(
        images=images,
        labels={"schp": schp},
        labelled={"schp": torch.ones(size, dtype=torch.bool)},
        pid=rows // 8,
        clean=images,
        rows=rows,
        changes=torch.zeros(size, 7),
    )
    return batch.to(device)


def training(method: Method, recipe: Recipe, batch: Batch) -> Callable[[], None]:
    """One step of the training loop."""
    groups = method.parameter_groups(recipe.weight_decay)
    optimizer = OPTIMIZERS[recipe.optimizer](groups, lr=recipe.learning_rate)

    def step() -> None:
        loss = torch.stack(list(method.losses(batch).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def test(method: Method, recipe: Recipe, batch: Batch) -> Callable[[], None]:  # noqa: ARG001
    """One batch of embeddings."""

    def step() -> None:
        with torch.inference_mode():
            method.embed(batch)

    return step


def seconds(step: Callable[[], None], device: torch.device) -> float:
    """Of one call, the device's queue empty before and after."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=48, help="of a training step")
    parser.add_argument("--test-batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    device = device_of(given.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    precision = "bfloat16" if mixed(given.precision, device) else "float32"
    print(f"{name}, {precision} in training, float32 in the test; milliseconds per image")
    both = {"mpn": build("mpn", channel_attention=False), "pcb": build("pcb")}
    for method, _ in both.values():
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for phase, make, size in (("training", training, given.batch), ("test", test, given.test_batch)):
        batch = batch_of(size, device)
        steps = {}
        for key, (method, recipe) in both.items():
            method.train(phase == "training")
            method.mixed = phase == "training" and mixed(given.precision, device)  # as the stages do
            steps[key] = make(method, recipe, batch)
            seconds(steps[key], device)  # the first call allocates
        times: dict[str, list[float]] = {key: [] for key in steps}
        for _ in range(given.rounds):
            for key, step in steps.items():
                times[key].append(1000 * seconds(step, device) / size)
        ratio = statistics.median(a / b for a, b in zip(times["mpn"], times["pcb"], strict=True))
        mpn, pcb = (statistics.median(times[key]) for key in ("mpn", "pcb"))
        print(f"{phase:>8} (batch {size}): MPN {mpn:8.2f}  PCB {pcb:8.2f}  ratio {ratio:.2f} (goal {GOALS[phase]:.2f})")


if __name__ == "__main__":
    run(main)
