"""Probabilities as logits, the way that the logistic regressions of partreid.tools.consensus want them."""

import numpy as np

LEAST = 1e-3  # probabilities are kept this far from 0 and 1 before their logit is taken


def logit(p: np.ndarray | np.floating) -> np.ndarray:
    """Of probabilities, LEAST away from 0 and 1."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.log(p / (1 - p))
