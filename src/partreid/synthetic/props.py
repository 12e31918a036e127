"""Things that stand in scenes and in front of people. Each builder returns a mesh on the ground at the origin."""

from collections.abc import Callable

import numpy as np

from partreid.synthetic import materials as mat
from partreid.synthetic.mesh import Mesh, box, ellipsoid, join, loft, mesh, move, quad, tube

CAR_COLOURS = (
    (0.75, 0.76, 0.78),
    (0.10, 0.10, 0.11),
    (0.90, 0.90, 0.89),
    (0.55, 0.08, 0.09),
    (0.12, 0.20, 0.42),
    (0.35, 0.37, 0.39),
    (0.16, 0.30, 0.24),
    (0.80, 0.62, 0.12),
)
PAINTS = CAR_COLOURS + ((0.85, 0.35, 0.10), (0.15, 0.45, 0.65), (0.30, 0.50, 0.22), (0.50, 0.36, 0.24))


def _paint(rng: np.random.Generator, choices: tuple = PAINTS) -> np.ndarray:
    return np.clip(np.array(choices[int(rng.integers(len(choices)))]) * rng.uniform(0.85, 1.15), 0.02, 0.98)


def car(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A car along x, about 4.3 m long and 1.45 m high."""
    row = palette.add(mat.material(mat.PLAIN, _paint(rng, CAR_COLOURS), gloss=0.35))
    glass = palette.add(mat.material(mat.PLAIN, (0.10, 0.12, 0.14), gloss=0.5))
    black = palette.add(mat.material(mat.PLAIN, (0.05, 0.05, 0.05)))
    lamp = palette.add(
        mat.material(mat.PLAIN, (0.8, 0.15, 0.1) if rng.random() < 0.5 else (0.85, 0.85, 0.8), gloss=0.3)
    )
    tall = rng.uniform(0.92, 1.25)
    body = np.array(
        [[-2.15, 0.35], [-2.12, 0.72], [-1.9, 0.86], [1.0, 0.90], [2.0, 0.78], [2.15, 0.6], [2.15, 0.33]]
    ) * [1, tall]
    cabin = np.array([[-1.75, 0.84], [-1.35, 1.38], [0.25, 1.42], [1.05, 0.88]]) * [1, tall]

    def extrude(profile: np.ndarray, half: float, inset: float, material: int) -> Mesh:
        rings = []
        for y, shrink in ((-half, inset), (-half + 0.08, 0.0), (half - 0.08, 0.0), (half, inset)):
            middle = profile.mean(0)
            p = middle + (profile - middle) * (1 - shrink)
            rings.append(np.stack([p[:, 0], np.full(len(p), y), p[:, 1]], 1))
        return loft(np.array(rings), material, caps=True)

    parts = [extrude(body, 0.88, 0.06, row), extrude(cabin, 0.76, 0.12, glass)]
    roof = cabin[1:3] + [0, 0.015]
    parts.append(
        mesh(
            np.array(
                [
                    [roof[0, 0], -0.7, roof[0, 1]],
                    [roof[1, 0], -0.7, roof[1, 1]],
                    [roof[1, 0], 0.7, roof[1, 1]],
                    [roof[0, 0], 0.7, roof[0, 1]],
                ]
            ),
            np.array([[0, 1, 2], [0, 2, 3]]),
            row,
        )
    )
    for x in (-1.35, 1.35):
        for y in (-0.86, 0.86):
            parts.append(ellipsoid((x, y, 0.33), (0.34, 0.09, 0.34), black, 9, 14))
    for y in (-0.6, 0.6):
        parts += [
            box((0.06, 0.3, 0.14), lamp, (-2.14, y, 0.66 * tall)),
            box((0.06, 0.3, 0.12), lamp, (2.15, y, 0.62 * tall)),
        ]
    return join(parts)


def bench(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A bench with a back rest, facing -y."""
    wood = palette.add(mat.material(mat.PINSTRIPES, _paint(rng), (0.12, 0.09, 0.07), scale=0.5, amount=0.06))
    iron = palette.add(mat.material(mat.PLAIN, (0.1, 0.1, 0.1)))
    wide = rng.uniform(1.4, 2.0)
    parts = [box((wide, 0.11, 0.03), wood, (0, y, 0.45)) for y in (-0.2, -0.06, 0.08)]
    parts += [box((wide, 0.03, 0.1), wood, (0, 0.2 + 0.1 * (z - 0.6), z)) for z in (0.58, 0.71, 0.84)]
    for x in (-0.42 * wide, 0.42 * wide):
        parts += [
            box((0.05, 0.45, 0.05), iron, (x, 0, 0.40)),
            box((0.05, 0.05, 0.42), iron, (x, -0.2, 0.21)),
            box((0.05, 0.06, 0.88), iron, (x, 0.22, 0.44)),
        ]
    return join(parts)


def bush(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A clump of leaves, up to the hip."""
    green = np.array([rng.uniform(0.10, 0.28), rng.uniform(0.24, 0.42), rng.uniform(0.06, 0.16)])
    row = palette.add(
        mat.material(
            mat.FOLIAGE, green * 0.35, np.minimum(green * 1.7, 1), scale=0.05, folds=1.5, seed=int(rng.integers(999))
        )
    )
    tall = rng.uniform(0.7, 1.15)
    parts = []
    for _ in range(9):
        p = rng.normal(0, [0.33, 0.2, 0.0]) + [0, 0, rng.uniform(0.35, 0.75) * tall]
        parts.append(ellipsoid(p, rng.uniform(0.22, 0.38, 3) * [1, 1, tall], row, 8, 11))
    return join(parts)


def tree(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """Trunk and crown."""
    bark = palette.add(
        mat.material(
            mat.FOLIAGE, (0.14, 0.10, 0.07), (0.35, 0.28, 0.21), scale=0.06, folds=1.0, seed=int(rng.integers(999))
        )
    )
    green = np.array([rng.uniform(0.12, 0.32), rng.uniform(0.26, 0.44), rng.uniform(0.05, 0.14)])
    leaf = palette.add(
        mat.material(
            mat.FOLIAGE, green * 0.35, np.minimum(green * 1.6, 1), scale=0.13, folds=1.5, seed=int(rng.integers(999))
        )
    )
    tall, r = rng.uniform(2.2, 3.2), rng.uniform(0.11, 0.2)
    path = np.array([[0, 0, 0], [0.02, 0, 0.15], [0.04, 0.02, 0.5 * tall], [0, 0, tall], [0.1, 0, tall + 0.8]])
    parts = [tube(path, np.array([1.5, 1.05, 0.95, 0.85, 0.5]) * r, bark, 10)]
    for _ in range(8):
        parts.append(
            ellipsoid(rng.normal(0, [0.8, 0.8, 0.4]) + [0, 0, tall + 1.0], rng.uniform(0.7, 1.2, 3), leaf, 8, 11)
        )
    return join(parts)


def pole(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A lamp post or pillar."""
    if rng.random() < 0.5:
        row = palette.add(
            mat.material(mat.PLAIN, _paint(rng, ((0.2, 0.2, 0.2), (0.5, 0.5, 0.5), (0.15, 0.25, 0.2))), gloss=0.1)
        )
        return tube(
            np.array([[0, 0, 0], [0, 0, 0.4], [0, 0, 0.45], [0, 0, 4.5]]), np.array([0.13, 0.12, 0.08, 0.06]), row, 10
        )
    kind = int(rng.choice([mat.PLAIN, mat.TILES, mat.HOOPS, mat.BRICKS]))
    row = palette.add(
        mat.material(
            kind,
            _paint(rng),
            _paint(rng),
            scale=0.3 if kind == mat.HOOPS else 0.12,
            amount=0.05 if kind == mat.TILES else 0.4,
        )
    )
    wide = rng.uniform(0.28, 0.5)
    return box((wide, wide, 4.5), row, (0, 0, 2.25))


def sign(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A board on a post, at the height of chest and head."""
    row = palette.add(
        mat.material(mat.POSTER, _paint(rng), _paint(rng), scale=rng.uniform(0.06, 0.2), seed=int(rng.integers(999)))
    )
    iron = palette.add(mat.material(mat.PLAIN, (0.3, 0.3, 0.3)))
    low = rng.uniform(0.95, 1.3)
    board = box((rng.uniform(0.6, 1.1), 0.05, 0.75), row, (0, 0, low + 0.37))
    return join([board, tube(np.array([[0, 0.05, 0], [0, 0.05, low + 0.6]]), 0.035, iron, 8)])


def crate(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A counter, planter or bin: a block up to the waist."""
    kind = int(rng.choice([mat.PLAIN, mat.POSTER, mat.BRICKS, mat.CHECKS, mat.PINSTRIPES]))
    row = palette.add(
        mat.material(
            kind,
            _paint(rng),
            _paint(rng),
            scale={mat.BRICKS: 0.1, mat.PINSTRIPES: 0.14}.get(kind, 0.25),
            amount=0.3,
            seed=int(rng.integers(999)),
        )
    )
    size = rng.uniform([0.6, 0.4, 0.65], [1.5, 0.6, 1.1])
    parts = [box(size, row, (0, 0, size[2] / 2))]
    if rng.random() < 0.5:
        parts.append(move(bush(rng, palette), (0, 0, size[2] - 0.35)))
    else:
        parts.append(
            box(
                (size[0] + 0.06, size[1] + 0.06, 0.05),
                palette.add(mat.material(mat.PLAIN, _paint(rng))),
                (0, 0, size[2]),
            )
        )
    return join(parts)


def panel(rng: np.random.Generator, palette: mat.Palette) -> Mesh:
    """A narrow advertising board that stands on the ground, taller than a person."""
    row = palette.add(
        mat.material(mat.POSTER, _paint(rng), _paint(rng), scale=rng.uniform(0.1, 0.3), seed=int(rng.integers(999)))
    )
    frame = palette.add(mat.material(mat.PLAIN, (0.2, 0.2, 0.22)))
    return join(
        [
            box((0.75, 0.12, 2.0), frame, (0, 0, 1.05)),
            move(quad((-0.32, -0.07, 0.15), (0.64, 0, 0), (0, 0, 1.8), row), (0, 0, 0)),
        ]
    )


Builder = Callable[[np.random.Generator, mat.Palette], Mesh]
LOW: dict[str, Builder] = {"car": car, "bench": bench, "bush": bush, "crate": crate}
TALL: dict[str, Builder] = {"pole": pole, "tree": tree, "panel": panel}
HIGH: dict[str, Builder] = {"sign": sign}
