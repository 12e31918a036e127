"""Time per image of MPN against PCB, in training and in the test, measured in one run.

Usage: python benchmarks/inference.py [--device cpu] [--batch 48] [--test-batch 64] [--rounds 7]

MPN without channel attention and PCB at the paper's size: ResNet-50, 384 x 128, K = 6, the 751 identities of
Market-1501; random weights and images, which are made before the clock starts. The paper's table 9 (Titan V) has 10.9
against 8.3 ms in training and 5.1 against 4.9 ms in the test: ratios 1.31 and 1.04, and on an accelerator the goal is
at most that. A CPU has no idle units in which MPN's larger first convolution could hide: there the goal of the test is
the ratio of the multiplications that an image takes, which are counted. A round times both methods, one after the
other; the ratio is the median over rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from partreid import methods, params
from partreid.experiments import costs
from partreid.methods.base import Method
from partreid.params import Recipe
from partreid.program import at_least, run
from partreid.training.precision import device_of, precision_of

GOALS = {"training": 10.9 / 8.3, "test": 5.1 / 4.9}


def build(name: str, **changes: object) -> tuple[Method, Recipe]:
    """The paper's method, whatever recipe params.yaml names."""
    recipe, options = replace(params.load(), recipe="paper").recipe_of(name)
    torch.manual_seed(0)
    return methods.build(name, backbone=recipe.backbone, identities=751, **{**options, **changes}), recipe


def seconds(step: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def multiplications(step: Callable[[], object]) -> float:
    """Of one call, in convolutions and matrix products; the counter's unit is a multiplication or an addition."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--batch", type=at_least(1), default=48, help="of a training step")
    parser.add_argument("--test-batch", type=at_least(1), default=64)
    parser.add_argument("--rounds", type=at_least(1), default=7)
    given = parser.parse_args()
    device = device_of(given.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    precision = precision_of(given.precision, device, "resnet50")
    print(f"{name}, {precision.name} in training, float32 in the test; milliseconds per image")
    both = {"mpn": build("mpn", channel_attention=False), "pcb": build("pcb")}
    for method, _ in both.values():
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for phase, size in (("training", given.batch), ("test", given.test_batch)):
        batch = costs.made_up(both["mpn"][0], size, 384, 128, images_per_id=8).to(device)
        steps = {}
        for key, (method, recipe) in both.items():
            if phase == "training":
                steps[key] = costs.training_step(method, recipe, batch, precision.mixed)
            else:
                steps[key] = costs.embedding_step(method, batch)
            seconds(steps[key])  # the first call allocates
        goal = GOALS[phase]
        if phase == "test":
            mpn, pcb = (multiplications(steps[key]) / size / 1e9 for key in ("mpn", "pcb"))
            print(f"multiplications per test image, 1e9: MPN {mpn:.2f}  PCB {pcb:.2f}  ratio {mpn / pcb:.2f}")
            goal = goal if device.type == "cuda" else mpn / pcb
        times: dict[str, list[float]] = {key: [] for key in steps}
        for _ in range(given.rounds):
            for key, step in steps.items():
                times[key].append(1000 * seconds(step) / size)
        ratio = statistics.median(a / b for a, b in zip(times["mpn"], times["pcb"], strict=True))
        mpn, pcb = (statistics.median(times[key]) for key in ("mpn", "pcb"))
        print(f"{phase:>8} (batch {size}): MPN {mpn:8.2f}  PCB {pcb:8.2f}  ratio {ratio:.2f} (goal {goal:.2f})")


if __name__ == "__main__":
    run(main)
