"""What the regressions of partreid.tools.consensus share: logits of probabilities, and weights with a constant."""

from collections.abc import Sequence

import numpy as np

LEAST = 1e-3  # probabilities are kept this far from 0 and 1 before their logit is taken


def logit(p: np.ndarray | np.floating) -> np.ndarray:
    """Of probabilities, LEAST away from 0 and 1."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.log(p / (1 - p))


def weighed(traits: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Traits (..., n) by weights and, the last of them, a constant (n + 1,) -> (...)."""
    *slopes, constant = weights
    return traits @ np.array(slopes) + constant
