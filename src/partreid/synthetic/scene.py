"""Places: ground, walls and things around a camera, in perspective like everything else.

A scene's frame: the camera stands above the origin and looks along +y; x right, z up, metres.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partreid.errors import choose
from partreid.synthetic import materials as mat
from partreid.synthetic.mesh import Mesh, box, join, move, quad
from partreid.synthetic.props import bench, bush, car, crate, panel, pole, sign, tree


@dataclass(frozen=True)
class Scene:
    """The fixed part of a place, and whether it lies under the sky."""

    mesh: Mesh
    table: np.ndarray  # (M, 16) materials
    outdoors: bool


def _tone(rng: np.random.Generator, *colour: float) -> np.ndarray:
    return np.clip(np.array(colour) * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, 3), 0.02, 0.97)


def _ground(
    palette: mat.Palette, row: np.ndarray, z: float = 0.0, x: tuple = (-30, 30), y: tuple = (-2, 60), cell: float = 1.5
) -> Mesh:
    return quad((x[0], y[0], z), (x[1] - x[0], 0, 0), (0, y[1] - y[0], 0), palette.add(row), cell)


def _facade(rng: np.random.Generator, palette: mat.Palette, y: float, x0: float, x1: float, high: float) -> list[Mesh]:
    """A row of houses with a plinth, shop windows and doors."""
    parts = []
    x = x0
    while x < x1:
        wide = rng.uniform(4, 9)
        wall = [
            _tone(rng, 0.72, 0.64, 0.52),
            _tone(rng, 0.52, 0.30, 0.24),
            _tone(rng, 0.60, 0.60, 0.60),
            _tone(rng, 0.80, 0.78, 0.72),
        ]
        colour = wall[int(rng.integers(4))]
        bricks = palette.add(
            mat.material(
                mat.BRICKS if rng.random() < 0.5 else mat.SPECKLE,
                colour,
                colour * 0.75,
                scale=0.12,
                amount=0.4,
                seed=int(rng.integers(999)),
            )
        )
        upper = palette.add(
            mat.material(
                mat.WINDOWS,
                colour,
                (0.16, 0.20, 0.25),
                scale=rng.uniform(1.5, 2.4),
                amount=0.5,
                seed=int(rng.integers(999)),
            )
        )
        shop = palette.add(
            mat.material(
                mat.POSTER, (0.10, 0.11, 0.13), _tone(rng, 0.45, 0.42, 0.35), scale=0.5, seed=int(rng.integers(999))
            )
        )
        awning = palette.add(
            mat.material(mat.PINSTRIPES, _tone(rng, *rng.uniform(0.1, 0.8, 3)), (0.85, 0.84, 0.8), scale=0.6)
        )
        parts.append(quad((x, y, 0), (wide, 0, 0), (0, 0, 3.2), bricks, 3))
        parts.append(quad((x, y, 3.2), (wide, 0, 0), (0, 0, high), upper, 3))
        at = x + 0.6
        while at + 1.5 < x + wide:
            w = rng.uniform(1.0, 2.2)
            base = 0.0 if rng.random() < 0.35 else 0.7
            parts.append(quad((at, y - 0.05, base), (w, 0, 0), (0, 0, 2.5 - base), shop, 3))
            if rng.random() < 0.4:
                parts.append(quad((at - 0.1, y - 1.0, 2.45), (w + 0.2, 0, 0), (0, 0.95, 0.4), awning, 3))
            at += w + rng.uniform(0.4, 1.0)
        x += wide
    return parts


def street(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """Pavement, kerb, a road with parked cars, houses on the far side."""
    far = rng.uniform(15, 19)
    slab = mat.material(
        mat.TILES, _tone(rng, 0.55, 0.53, 0.50), _tone(rng, 0.40, 0.39, 0.37), scale=0.6, amount=0.04, seed=1
    )
    parts = [
        _ground(palette, slab, y=(-2, 9)),
        _ground(
            palette,
            mat.material(mat.SPECKLE, _tone(rng, 0.24, 0.24, 0.25), (0.42, 0.42, 0.42), scale=0.03, amount=0.6, seed=2),
            -0.12,
            y=(9, far - 2),
        ),
    ]
    kerb = palette.add(mat.material(mat.PINSTRIPES, (0.62, 0.61, 0.58), (0.4, 0.4, 0.38), scale=1.0, amount=0.03))
    parts += [box((60, 0.18, 0.16), kerb, (0, 9, -0.05)), _ground(palette, slab, y=(far - 2, far + 0.1))]
    white = palette.add(mat.material(mat.PLAIN, (0.85, 0.85, 0.82)))
    parts += [quad((x, 10.9, -0.11), (1.5, 0, 0), (0, 0.15, 0), white) for x in np.arange(-20, 20, 3.0)]
    parts += _facade(rng, palette, far, -26, 26, 7)
    for x in np.arange(-18, 18, 5.5):
        if rng.random() < 0.65:
            parts.append(move(car(rng, palette), (x + rng.uniform(-0.4, 0.4), far - 3.2, -0.12)))
    for x in (-9, -1.5, 7):
        parts.append(move((tree if rng.random() < 0.6 else pole)(rng, palette), (x + rng.uniform(-1, 1), 8.2, 0)))
    return parts


def park(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """Grass, a gravel path, benches, trees and hedges."""
    grass = mat.material(mat.FOLIAGE, _tone(rng, 0.17, 0.24, 0.10), _tone(rng, 0.37, 0.43, 0.22), scale=0.25, seed=3)
    parts = [_ground(palette, grass)]
    path = mat.material(mat.SPECKLE, _tone(rng, 0.60, 0.53, 0.42), (0.36, 0.32, 0.26), scale=0.04, amount=0.6, seed=4)
    parts += [_ground(palette, path, 0.01, y=(3.5, 7.5)), _ground(palette, path, 0.012, x=(-1.5, 1.8))]
    hedge = palette.add(
        mat.material(mat.FOLIAGE, (0.05, 0.11, 0.04), (0.22, 0.36, 0.12), scale=0.12, folds=1.5, seed=5)
    )
    for x in np.arange(-30, 30, 4.0):
        parts.append(box((4.0, 1.5, rng.uniform(1.4, 3.6)), hedge, (x, 24 + rng.uniform(-2, 2), 1.0)))
    for _ in range(12):
        x, y = rng.uniform(-14, 14), rng.uniform(9.5, 22)
        parts.append(move((tree if rng.random() < 0.75 else bush)(rng, palette), (x, y, 0)))
    for x in (-5.5, 4.5):
        parts.append(move(bench(rng, palette), (x, 8.1, 0), 0))
    return parts


def mall(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """A shopping arcade: shiny tiles, lit shop windows, columns, a ceiling with lamps."""
    floor = mat.material(
        mat.TILES,
        _tone(rng, 0.74, 0.70, 0.63),
        _tone(rng, 0.50, 0.46, 0.42),
        scale=0.8,
        amount=0.02,
        gloss=0.25,
        seed=6,
    )
    far = rng.uniform(12, 15)
    parts = [_ground(palette, floor, x=(-14, 14), y=(-2, far))]
    ceiling = palette.add(mat.material(mat.TILES, (0.80, 0.80, 0.78), (0.6, 0.6, 0.6), scale=1.2, amount=0.03))
    parts.append(quad((-14, -2, 4.2), (28, 0, 0), (0, far + 2, 0), ceiling, 2))
    x = -14.0
    while x < 14:
        wide = rng.uniform(2.5, 5)
        colour = rng.uniform(0.15, 0.9, 3)
        shelf = palette.add(
            mat.material(
                mat.POSTER,
                colour * 0.5,
                _tone(rng, *rng.uniform(0.3, 0.95, 3)),
                scale=rng.uniform(0.2, 0.6),
                seed=int(rng.integers(999)),
            )
        )
        frame = palette.add(mat.material(mat.PLAIN, _tone(rng, 0.3, 0.28, 0.26)))
        lit = palette.add(mat.material(mat.GLOW, np.minimum(_tone(rng, *colour) + 0.15, 1)))
        parts += [
            quad((x, far, 0.25), (wide, 0, 0), (0, 0, 2.6), shelf, 2),
            quad((x, far - 0.1, 2.85), (wide, 0, 0), (0, 0, 0.6), lit, 2),
            box((0.3, 0.3, 4.2), frame, (x, far - 0.1, 2.1)),
            quad((x, far - 0.02, 0), (wide, 0, 0), (0, 0, 0.25), frame, 2),
            quad((x, far - 0.02, 3.45), (wide, 0, 0), (0, 0, 0.8), frame, 2),
        ]
        x += wide
    side = palette.add(mat.material(mat.TILES, _tone(rng, 0.78, 0.74, 0.68), (0.6, 0.58, 0.55), scale=1.1, amount=0.02))
    parts += [
        quad((-14, -2, 0), (0, far + 2, 0), (0, 0, 4.2), side, 2),
        quad((14, -2, 0), (0, far + 2, 0), (0, 0, 4.2), side, 2),
    ]
    column = palette.add(mat.material(mat.PLAIN, _tone(rng, 0.86, 0.84, 0.8), gloss=0.1))
    parts += [box((0.5, 0.5, 4.2), column, (x, y, 2.1)) for x in (-5.5, 5.5) for y in (9.0,)]
    parts += [move(crate(rng, palette), (rng.uniform(-7, 7), rng.uniform(9.8, 11), 0)) for _ in range(3)]
    return parts


def parking(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """Asphalt with bays, rows of cars and a wall."""
    parts = [
        _ground(
            palette,
            mat.material(mat.SPECKLE, _tone(rng, 0.30, 0.30, 0.31), (0.50, 0.49, 0.48), scale=0.04, amount=0.7, seed=7),
        )
    ]
    white = palette.add(mat.material(mat.PLAIN, (0.80, 0.79, 0.70)))
    for x in np.arange(-20, 20, 2.6):
        parts.append(quad((x, 9.6, 0.01), (0.12, 0, 0), (0, 4.8, 0), white))
        parts.append(quad((x, 1.0, 0.01), (0.12, 0, 0), (0, 2.2, 0), white))
        if rng.random() < 0.75:
            parts.append(
                move(car(rng, palette), (x + 1.3, 12.0 + rng.uniform(-0.3, 0.3), 0), 90 + 180 * int(rng.integers(2)))
            )
    wall = palette.add(
        mat.material(mat.TILES, _tone(rng, 0.52, 0.51, 0.49), (0.38, 0.38, 0.37), scale=2.2, amount=0.015)
    )
    stripe = palette.add(mat.material(mat.PINSTRIPES, (0.85, 0.65, 0.1), (0.1, 0.1, 0.1), scale=0.8))
    parts += [
        quad((-30, 17, 0), (60, 0, 0), (0, 0, 3.4), wall, 3),
        quad((-30, 16.95, 0.9), (60, 0, 0), (0, 0, 0.25), stripe, 3),
    ]
    parts += [move(pole(rng, palette), (x, 16, 0)) for x in (-9, 0, 9)]
    return parts


def plaza(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """Stone slabs, a glass office front, planters and signs."""
    slab = mat.material(mat.CHECKS, _tone(rng, 0.62, 0.60, 0.56), _tone(rng, 0.52, 0.50, 0.47), scale=2.4, seed=8)
    far = rng.uniform(16, 22)
    parts = [_ground(palette, slab)]
    glass = palette.add(
        mat.material(
            mat.WINDOWS,
            _tone(rng, 0.55, 0.57, 0.60),
            _tone(rng, 0.22, 0.34, 0.42),
            scale=1.5,
            amount=0.86,
            gloss=0.2,
            seed=9,
        )
    )
    parts.append(quad((-30, far, 0), (60, 0, 0), (0, 0, 14), glass, 3))
    parts += [move(crate(rng, palette), (x + rng.uniform(-1, 1), rng.uniform(9.5, 12), 0)) for x in (-8, -3.5, 1, 5.5)]
    parts += [move(sign(rng, palette), (x, rng.uniform(10, 13), 0)) for x in (-5, 3)]
    parts += [move(tree(rng, palette), (x, 13.5, 0)) for x in (-10, 9)]
    step = palette.add(mat.material(mat.PLAIN, _tone(rng, 0.6, 0.58, 0.55)))
    parts += [box((60, 1.6 - 0.35 * i, 0.15), step, (0, far - 1 + 0.17 * i, 0.07 + 0.15 * i)) for i in range(4)]
    return parts


def station(rng: np.random.Generator, palette: mat.Palette) -> list[Mesh]:
    """An underground platform: tiled wall with posters, pillars, a yellow line."""
    far = rng.uniform(9.5, 11.5)
    floor = mat.material(
        mat.TILES, _tone(rng, 0.42, 0.41, 0.40), (0.30, 0.30, 0.30), scale=0.4, amount=0.05, gloss=0.1, seed=10
    )
    parts = [_ground(palette, floor, x=(-18, 18), y=(-2, far))]
    tile = palette.add(
        mat.material(
            mat.TILES,
            _tone(rng, *[(0.82, 0.83, 0.80), (0.40, 0.56, 0.52), (0.70, 0.62, 0.40)][int(rng.integers(3))]),
            (0.5, 0.5, 0.48),
            scale=0.3,
            amount=0.06,
            gloss=0.15,
        )
    )
    roof = palette.add(mat.material(mat.SPECKLE, (0.34, 0.34, 0.36), (0.25, 0.25, 0.26), scale=0.4, amount=0.5))
    yellow = palette.add(mat.material(mat.PLAIN, (0.85, 0.70, 0.12)))
    lamp = palette.add(mat.material(mat.GLOW, (1, 1, 0.96)))
    parts += [
        quad((-18, far, 0), (36, 0, 0), (0, 0, 3.6), tile, 3),
        quad((-18, -2, 3.6), (36, 0, 0), (0, far + 2, 0), roof, 2),
        quad((-18, 2.2, 0.01), (36, 0, 0), (0, 0.25, 0), yellow, 1.5),
        quad((-18, far - 2, 3.4), (36, 0, 0), (0, 0.3, 0), lamp, 2),
    ]
    for x in np.arange(-15, 15, 3.4):
        if rng.random() < 0.7:
            row = palette.add(
                mat.material(
                    mat.POSTER,
                    rng.uniform(0.05, 0.9, 3),
                    rng.uniform(0.05, 0.9, 3),
                    scale=rng.uniform(0.12, 0.4),
                    seed=int(rng.integers(999)),
                )
            )
            parts.append(quad((x, far - 0.03, 0.8), (rng.uniform(1.2, 2.4), 0, 0), (0, 0, 1.5), row, 3))
    pillar = palette.add(mat.material(mat.HOOPS, _tone(rng, 0.25, 0.35, 0.50), (0.7, 0.7, 0.7), scale=3.0, amount=0.3))
    parts += [box((0.45, 0.45, 3.6), pillar, (x, far - 2.5, 1.8)) for x in (-10, -4, 4.5, 11)]
    parts += [move(panel(rng, palette), (8, far - 1, 0)), move(bench(rng, palette), (-7, far - 0.6, 0))]
    return parts


SCENES: dict[str, tuple[Callable[[np.random.Generator, mat.Palette], list[Mesh]], bool]] = {
    "street": (street, True), "park": (park, True), "mall": (mall, False), "parking": (parking, True),
    "plaza": (plaza, True), "station": (station, False),
}  # fmt: skip


def scene(name: str, rng: np.random.Generator) -> Scene:
    """Build a place by name."""
    build, outdoors = choose(SCENES, name, "scene")
    palette = mat.Palette()
    parts = build(rng, palette)
    return Scene(join(parts), palette.table(), outdoors)
