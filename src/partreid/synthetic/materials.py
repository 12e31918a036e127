"""Materials: a row of 16 numbers each, which the shading kernel turns into a pattern."""

from collections.abc import Sequence

import numpy as np

PLAIN, HOOPS, PINSTRIPES, CHECKS, PLAID, DOTS, PRINT, BLOCKS, CAMOUFLAGE, DENIM, SIDESTRIPE = range(11)  # clothes
BRICKS, TILES, WINDOWS, FOLIAGE, SPECKLE, POSTER, GLOW = range(20, 27)  # scenes

COLUMNS = 16
# kind | colour a: 1..3 | colour b: 4..6 | scale: 7 | origin u, v: 8, 9 | amount: 10 | folds: 11 | gloss: 12 | seed: 13


def linear(colour: Sequence[float] | np.ndarray) -> np.ndarray:
    """sRGB in 0..1 to linear light."""
    c = np.asarray(colour, np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def material(
    kind: int,
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray = (0, 0, 0),
    *,
    scale: float = 0.1,
    origin: tuple[float, float] = (0.0, 0.0),
    amount: float = 0.5,
    folds: float = 0.0,
    gloss: float = 0.0,
    seed: float = 0.0,
) -> np.ndarray:
    """One row (16,) float32. Colours a, b are sRGB in 0..1; scale (metres) is the pattern's period;
    `amount` its share or strength; `folds` roughens the surface like cloth; `gloss` adds a highlight."""
    row = np.zeros(COLUMNS, np.float32)
    row[0] = kind
    row[1:4], row[4:7] = linear(a), linear(b)
    row[7:14] = scale, *origin, amount, folds, gloss, seed
    return row


class Palette:
    """Collects materials; `add` returns the row number faces refer to."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def add(self, row: np.ndarray) -> int:
        self.rows.append(row)
        return len(self.rows) - 1

    def table(self) -> np.ndarray:
        """(M, 16) float32."""
        return np.stack(self.rows).astype(np.float32)
