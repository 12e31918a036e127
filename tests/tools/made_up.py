"""Made-up evidence of two pose networks."""

import numpy as np

from partreid.tools.evidence import GRID, Evidence

RNG = np.random.default_rng(0)


def said() -> Evidence:
    maps = (RNG.random((*GRID, 17), np.float32) for _ in range(3))
    features = (RNG.random(shape, np.float32) for shape in ((*GRID, 64), (32, 16, 24), (16, 8, 32)))
    image = RNG.integers(0, 256, (128, 64, 3), np.uint8)
    return Evidence(image, *maps, RNG.random((128, 64), np.float32), tuple(features))
