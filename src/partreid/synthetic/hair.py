"""Hair, hats and the colours of a face."""

import numpy as np

from partreid.synthetic.body import HEAD
from partreid.synthetic.figure import Figure
from partreid.synthetic.garments import shell
from partreid.synthetic.materials import linear
from partreid.synthetic.mesh import Mesh, ellipsoid, loft, mesh, tube


def _hairline(figure: Figure, lift: float = 0.0) -> np.ndarray:
    """(V,) metres above the hairline (negative on the face and neck, NaN-free; only meaningful on the head)."""
    eyes = figure.eyes
    ear = float(figure.bone("head")[1]) + 0.005
    y = figure.points[:, 1]
    front = float(eyes[1]) - 0.02
    line = np.interp(y, [front, ear - 0.045, ear - 0.02, ear + 0.02, ear + 0.07], [0.058, 0.045, 0.012, -0.02, -0.075])
    return np.asarray(figure.points[:, 2] - (float(eyes[2]) + line + lift))


def scalp(figure: Figure, lift: float = 0.0) -> np.ndarray:
    """(V,) bool: the skin that hair covers."""
    return (figure.body.part == HEAD) & (_hairline(figure, lift) > 0)


def skin_tint(figure: Figure, skin: tuple, hair: tuple, style: str, beard: bool, glasses: bool) -> np.ndarray:
    """(V, 3) linear colours of the bare body: face features, stubble, a shade of hair where it is cut short."""
    points, eyes = figure.points, figure.eyes
    base, dark = linear(skin), linear(hair)
    tint = np.tile(base, (len(points), 1))
    head = figure.body.part == HEAD
    x, y, z = (points - eyes).T
    front = head & (y < 0.03)

    def blend(where: np.ndarray, colour: np.ndarray, amount: float) -> None:
        tint[where] = (1 - amount) * tint[where] + amount * colour

    blend(
        head & (np.abs(x) < 0.05) & front & (np.abs(z + 0.035) < 0.018) & (np.abs(x) > 0.022),
        base * [1.1, 0.8, 0.75],
        0.5,
    )
    blend(front & (z > 0.013) & (z < 0.026) & (np.abs(x) > 0.010) & (np.abs(x) < 0.048), dark * 0.8, 0.75)  # brows
    mouth = front & (np.abs(x) < 0.026) & (np.abs(z + 0.077) < 0.011)
    if beard:
        blend(head & (z < -0.05) & (z > -0.15) & (y < 0.055) & ~mouth, dark, 0.8)
    blend(mouth, base * [0.85, 0.45, 0.42], 0.8)
    socket = front & (np.abs(np.abs(x) - 0.030) < 0.016) & (np.abs(z) < 0.009)
    blend(socket, base * 0.45, 0.7)
    ball = figure.body.eyeball
    tint[ball] = 0.65
    tint[ball & (np.hypot(np.abs(x) - 0.030, z) < 0.0075)] = 0.02
    if glasses:
        ring = np.hypot((np.abs(x) - 0.031) / 1.25, z + 0.002)
        frame = front & ((np.abs(ring - 0.019) < 0.005) | ((np.abs(z) < 0.004) & (np.abs(x) < 0.012)))
        temple = head & (np.abs(z - 0.004) < 0.005) & (y > -0.01) & (y < 0.085) & (np.abs(x) > 0.05)
        blend(frame | temple, np.array([0.015, 0.015, 0.02]), 0.95)
    if style in ("buzz", "short", "swept", "curly", "bob", "long", "ponytail", "bun"):
        blend(scalp(figure), dark, 0.75)
    return tint.astype(np.float32)


def _with_head(figure: Figure, part: Mesh) -> Mesh:
    number = figure.body.names["head"]
    return mesh(part.points, part.faces, part.material, uv=part.uv, tint=part.tint, bones=number, part=HEAD)


def _curtain(figure: Figure, material: int, bottom: float, width: float, sweep: float) -> Mesh:
    """Hair that falls around the sides and back of the head to height `bottom`."""
    centre = figure.bone("head") + np.array([0, 0.025, 0.0])
    top = float(figure.eyes[2]) + 0.075
    rows = 9
    angle = np.radians(np.linspace(62, 298, 26))  # 0 = front
    rings = np.zeros((rows, len(angle), 3))
    for row, height in enumerate(np.linspace(top, bottom, rows)):
        fall = max(0.0, float(centre[2]) - 0.02 - height)
        bulge = 1.0 + sweep * np.sin(np.pi * row / (rows - 1))
        half = (0.088 + width * min(1.0, fall * 5)) * bulge
        deep = 0.108 * bulge
        back = min(0.055, fall * 0.35)  # down the back, over the shoulders
        rings[row, :, 0] = half * np.sin(angle)
        rings[row, :, 1] = centre[1] - deep * np.cos(angle) + back
        rings[row, :, 2] = height + 0.012 * np.cos(7 * angle) * (row == rows - 1)
    result = loft(rings, material, closed=False, part=HEAD)
    points = rings.reshape(-1, 3)
    n = figure.body.names
    chest = np.clip((float(figure.bone("neck01")[2]) + 0.04 - points[:, 2]) / 0.16, 0, 0.85)
    bones = np.tile(np.array([n["head"], n["spine01"], 0, 0], np.int32), (len(points), 1))
    weights = np.stack([1 - chest, chest, 0 * chest, 0 * chest], 1).astype(np.float32)
    return mesh(points, result.faces, material, uv=result.uv, bones=bones, weights=weights, part=HEAD)


def hair(figure: Figure, style: str, material: int, hat: bool) -> list[Mesh]:
    """The hair's meshes; under a hat only what hangs out."""
    if style in ("bald", "buzz"):
        return []
    head = figure.bone("head")
    crown = float(figure.points[figure.body.part == HEAD, 2].max())
    thick = {
        "short": 0.012,
        "swept": 0.022,
        "curly": 0.042,
        "bob": 0.022,
        "long": 0.018,
        "ponytail": 0.011,
        "bun": 0.011,
    }[style]
    height = np.clip(_hairline(figure) / 0.05, 0, 1)
    up = np.clip((figure.points[:, 2] - float(figure.eyes[2])) / (crown - float(figure.eyes[2])), 0, 1)
    ease = thick * (0.35 + 0.65 * height)
    if style == "swept":
        ease = ease * (0.35 + 0.9 * up)
    if style == "curly":
        ease = ease * (
            0.8 + 0.35 * np.sin(70 * figure.points[:, 0]) * np.sin(75 * figure.points[:, 2] + 60 * figure.points[:, 1])
        )
    inside = scalp(figure)
    if hat:
        inside &= up < 0.45
    parts = [shell(figure, inside, material, ease, rounds=2)]
    neck = float(figure.bone("neck01")[2])
    if style == "bob":
        parts.append(_curtain(figure, material, neck + 0.035, 0.012, 0.08))
    elif style == "long":
        parts.append(_curtain(figure, material, neck - 0.17, 0.03, 0.04))
    elif style == "ponytail":
        root = head + np.array([0, 0.115, 0.055])
        path = root + np.array(
            [[0, 0, 0], [0, 0.035, 0.005], [0, 0.055, -0.04], [0, 0.05, -0.12], [0, 0.045, -0.2], [0, 0.04, -0.25]]
        )
        parts.append(_with_head(figure, tube(path, np.array([0.018, 0.026, 0.032, 0.03, 0.022, 0.006]), material)))
    elif style == "bun":
        parts.append(_with_head(figure, ellipsoid(head + np.array([0, 0.105, 0.10]), (0.045, 0.04, 0.042), material)))
    return parts


def hat(figure: Figure, kind: str, material: int) -> list[Mesh]:
    """A cap with a brim, or a beanie."""
    lift = {"cap": -0.005, "beanie": -0.018}[kind]
    inside = scalp(figure, lift) & (_hairline(figure, lift) > 0) & (figure.points[:, 2] > float(figure.eyes[2]) + 0.015)
    parts = [shell(figure, inside, material, {"cap": 0.014, "beanie": 0.022}[kind], rounds=10)]
    if kind == "cap":
        angle = np.radians(np.linspace(-58, 58, 13))
        centre = figure.bone("head")
        base = np.stack(
            [0.083 * np.sin(angle), centre[1] - 0.098 * np.cos(angle), 0 * angle + figure.eyes[2] + 0.055], 1
        )
        rim = base + np.stack([0.012 * np.sin(angle), -0.075 * np.cos(angle), -0.022 * np.ones_like(angle)], 1)
        parts.append(_with_head(figure, loft(np.stack([base, rim]), material, closed=False)))
    return parts
