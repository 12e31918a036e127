"""Which part of the person's body each cell shows, and where its joints can be seen: a small network of our own.

It looks at the image, at what MoveNet and BlazePose say of it (partreid.tools.evidence) and at MoveNet's own features,
which know people from photographs; so what it learns from rendered people holds for real ones. A U-Net (Ronneberger et
al., "U-Net", MICCAI 2015) of residual steps on grids of 64 x 32 to 4 x 2 cells, wide where cells are few, so that all
the body is known everywhere; MoveNet's features of strides 4, 8 and 16 enter where they fit. At the end each cell says
of its 2 x 2 quarters how much each of the seven classes of partreid.body.parsing speaks for itself, and of itself how
probable it is that each joint is seen there; and, only for training, that the person is seen from the front.

`graph` is the network in the form of partreid.tools.tfjs, which LiteRT runs (`run`) and partreid.tools.body_parts_fit
trains. Its weights, float16, lie beside this file; stages/body_parts.py makes them.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from partreid.body.parsing import PARSING
from partreid.tools import litert
from partreid.tools.blazepose import sigmoid
from partreid.tools.evidence import GRID, Evidence
from partreid.tools.tfjs import Step

WEIGHTS = Path(__file__).with_name("body_parts.safetensors")
CLASSES, JOINTS = len(PARSING), 17
# which channels of the finest input are what: the image's quarters, the joints' maps, the mask's quarters, features
IMAGE, SAID, PERSON, FEATURES = slice(0, 12), slice(12, 63), slice(63, 67), slice(67, 131)
MOVENET, BLAZEPOSE = slice(12, 46), slice(46, 63)  # whose the joints' maps are
INPUTS = {"fine": (1, *GRID, 131), "middle": (1, 32, 16, 24), "coarse": (1, 16, 8, 32)}
OUT = 4 * CLASSES + JOINTS + 1  # of the last convolution
WIDTHS = (32, 64, 96, 128, 128)  # channels of the grids
DEPTHS = (1, 2, 2, 2, 2)  # residual steps of the grids on the way down
CONTRAST = 0.05  # of the image's range: what is added to its standard deviation before it is divided by it


@dataclass(frozen=True)
class Parts:
    """What the network says of one image, over its extent."""

    classes: np.ndarray  # float32 (128, 64, CLASSES), probabilities, sum 1
    seen: np.ndarray  # float32 (*GRID, JOINTS), probability that the joint is there and can be seen


def run(said: Evidence) -> Parts:
    """The network on what was said of one look at an image."""
    logits = _network(WEIGHTS).run(*(values[None] for values in inputs(said)))[0][0]
    classes, seen = logits[..., : 4 * CLASSES], logits[..., 4 * CLASSES : 4 * CLASSES + JOINTS]
    return Parts(softmax(fine(classes)), sigmoid(seen))


def inputs(said: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network's inputs, float32, of the shapes in INPUTS without their first axis."""
    image = said.image / np.float32(255)
    image = (image - image.mean()) / (image.std() + CONTRAST)
    joints = 4 * np.concatenate([said.own, said.joints, said.discs], -1)
    first, second, third = said.features
    return (
        np.concatenate([quarters(image), joints, quarters(2 * said.person[..., None] - 1), first / 2], -1).astype("f4"),
        (second / 2).astype("f4"),
        (third / 2).astype("f4"),
    )


def quarters(maps: np.ndarray) -> np.ndarray:
    """Maps (2 h, 2 w, C) -> (h, w, 4 C): of each channel a cell's four quarters, row by row."""
    rows, columns, channels = maps.shape
    cut = maps.reshape(rows // 2, 2, columns // 2, 2, channels)
    return cut.transpose(0, 2, 4, 1, 3).reshape(rows // 2, columns // 2, 4 * channels)


def fine(maps: np.ndarray) -> np.ndarray:
    """The inverse of `quarters`: (h, w, 4 C) -> (2 h, 2 w, C)."""
    rows, columns, channels = maps.shape
    cut = maps.reshape(rows, columns, channels // 4, 2, 2)
    return cut.transpose(0, 3, 1, 4, 2).reshape(2 * rows, 2 * columns, channels // 4)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


@dataclass(frozen=True)
class Kernel:
    """The shape of a convolution's weights, and whether a ReLU follows."""

    size: int
    inputs: int
    outputs: int
    stride: int = 1
    relu: bool = True


def graph() -> tuple[list[Step], dict[str, Kernel]]:
    """The steps, each after what it needs, the last one named "out"; and the convolutions by name.

    A convolution's constants are called <name>/kernel and <name>/bias, a resize's size is <name>/size.
    """
    made, kernels = [], {}

    def convolve(name: str, image: str, kernel: Kernel) -> str:
        kernels[name] = kernel
        fused = ("BiasAdd", "Relu") if kernel.relu else ("BiasAdd",)
        constants = (f"{name}/kernel", f"{name}/bias")
        made.append(Step(name, "_FusedConv2D", (image, *constants), kernel.stride, fused=fused))
        return name

    def add(name: str, first: str, second: str) -> str:
        made.append(Step(name, "AddV2", (first, second)))
        return name

    def residual(name: str, image: str, width: int) -> str:
        return add(name, image, convolve(f"{name}/step", image, Kernel(3, width, width)))

    def larger(name: str, image: str) -> str:
        made.append(Step(name, "ResizeBilinear", (image, f"{name}/size"), half_pixel=True))
        return name

    entries = {1: "fine", 2: "middle", 3: "coarse"}  # level: what enters there
    down: dict[int, str] = {}
    for level, width in enumerate(WIDTHS, 1):
        if level > 1:
            before = WIDTHS[level - 2]
            down[level] = convolve(f"to{level}", down[level - 1], Kernel(3, before, width, 2))
        if level in entries:
            name = entries[level]
            entry = convolve(f"in{level}", name, Kernel(1, INPUTS[name][-1], width))
            down[level] = add(f"at{level}", down[level], entry) if level in down else entry
        for step in range(DEPTHS[level - 1]):
            down[level] = residual(f"down{level}{'abc'[step]}", down[level], width)
    up = down[len(WIDTHS)]
    for level in range(len(WIDTHS) - 1, 0, -1):
        width, before = WIDTHS[level - 1], WIDTHS[level]
        narrow = convolve(f"from{level}", up, Kernel(1, before, width))
        up = residual(f"up{level}", add(f"both{level}", down[level], larger(f"larger{level}", narrow)), width)
    convolve("out", up, Kernel(1, WIDTHS[0], OUT, relu=False))
    return made, kernels


def sizes() -> dict[str, np.ndarray]:
    """The constants that are no weights: what each resize makes."""
    rows, columns = GRID
    return {f"larger{k}/size": np.array([rows, columns], np.int32) // 2 ** (k - 1) for k in range(1, len(WIDTHS))}


@lru_cache(maxsize=1)
def _network(weights: Path) -> litert.Network:
    from safetensors.numpy import load_file

    cv2.setNumThreads(1)
    constants = {name: values.astype(np.float32) for name, values in load_file(weights).items()}
    steps, _ = graph()
    return litert.Network(litert.write(steps, {**constants, **sizes()}, INPUTS, ["out"]))
