"""What a caller gives for an array."""

from typing import Any

import numpy as np

from partreid.errors import UserError, reason


def array(name: str, values: Any) -> np.ndarray:
    """It as NumPy has it. UserError, which calls it by `name`, where it is none."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of unlike lengths; a tensor of a GPU
        raise UserError(f"{name}: a {type(values).__name__} that is no array ({reason(error)})") from error
