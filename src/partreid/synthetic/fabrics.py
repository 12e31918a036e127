"""From a cloth (people.py) to a material (materials.py)."""

import numpy as np

from partreid.synthetic import materials as mat
from partreid.synthetic.people import Cloth

_KINDS = {  # pattern -> (kind, amount)
    "plain": (mat.PLAIN, 0.5), "hoops": (mat.HOOPS, 0.45), "pinstripes": (mat.PINSTRIPES, 0.22),
    "checks": (mat.CHECKS, 0.5), "plaid": (mat.PLAID, 0.35), "dots": (mat.DOTS, 0.55), "print": (mat.PRINT, 1.0),
    "blocks": (mat.BLOCKS, 0.5), "camouflage": (mat.CAMOUFLAGE, 0.5), "denim": (mat.DENIM, 0.8),
}  # fmt: skip


def fabric(cloth: Cloth, origin: tuple[float, float], folds: float, gloss: float = 0.0) -> np.ndarray:
    """Material row of a cloth whose pattern starts at `origin` (u, v in metres, see figure.Figure.uv)."""
    kind, amount = _KINDS[cloth.pattern]
    return mat.material(
        kind, cloth.colour, cloth.second,
        scale=cloth.scale, origin=origin, amount=amount, folds=folds, gloss=gloss, seed=cloth.seed,
    )  # fmt: skip
