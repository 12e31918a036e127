"""Published networks' state dicts, filled by the rule of tests/reference/checkpoints, and what the networks answer."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from partreid.layers.bilinear import SEEDS, hashes

REFERENCE = Path(__file__).parents[1] / "reference/checkpoints"
Shapes = dict[str, tuple[int, ...]]


def shapes(name: str) -> Shapes:
    """The tensors of a published network."""
    found = {}
    for line in (REFERENCE / f"{name}.keys.tsv").read_text().splitlines():
        key, _, sizes = line.partition("\t")
        found[key] = tuple(int(size) for size in sizes.split(",")) if sizes else ()
    return found


def filled(shapes: Shapes) -> dict[str, Tensor]:
    """By the rule; PABR's sketches, as published, from seeds."""
    return {name: torch.from_numpy(np.asarray(_values(name, shape))) for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if "sparse_sketch_matrix" in name:
        return _sketch(shape, *SEEDS[int(name[-1]) - 1])
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        values = 0.1 * random.standard_normal(shape)
    elif len(shape) == 1 and name.endswith("weight"):
        values = 0.5 + 0.1 * random.standard_normal(shape)
    elif len(shape) <= 1:
        values = 0.05 * random.standard_normal(shape)
    else:
        values = random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
    return np.asarray(values, np.float32)


def _sketch(shape: tuple[int, ...], place_seed: int, sign_seed: int) -> np.ndarray:
    places, signs = hashes(*shape, place_seed, sign_seed)
    matrix = np.zeros(shape, np.float32)
    matrix[np.arange(shape[0]), places] = signs
    return matrix


def answers(name: str) -> dict[str, np.ndarray]:
    """What the network gave."""
    content = json.loads((REFERENCE / f"{name}.json").read_text())
    return {key: np.array(of["values"]).reshape(of["shape"]) for key, of in content.items() if key != "about"}


def images(height: int, width: int) -> Tensor:
    """What it was given, taken as normalised."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, height, width)).astype(np.float32))
