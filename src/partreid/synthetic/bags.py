"""Bags: carried on the back, across the body or in the hand."""

import numpy as np
from scipy.spatial import cKDTree

from partreid.synthetic.body import LOWER_ARM, TORSO
from partreid.synthetic.fabrics import fabric
from partreid.synthetic.figure import Figure
from partreid.synthetic.garments import follow
from partreid.synthetic.materials import Palette
from partreid.synthetic.mesh import Mesh, box, loft, tube
from partreid.synthetic.people import Cloth


def carry(figure: Figure, kind: str, cloth: Cloth, palette: Palette, clothed: Mesh) -> list[Mesh]:
    """The meshes of a bag (none, backpack, shoulder, tote); `clothed` is what it rests on. A bag counts to the torso,
    a tote to the lower arm."""
    if kind == "none":
        return []
    row = palette.add(fabric(cloth, (0.0, 0.0), 0.3))
    return {"backpack": _backpack, "shoulder": _shoulder_bag, "tote": _tote}[kind](figure, row, clothed)


def _backpack(figure: Figure, row: int, clothed: Mesh) -> list[Mesh]:
    chest, shoulder = figure.bone("spine01"), figure.bone("upperarm01.L")
    middle = float(chest[2]) - 0.07
    surface = clothed.points[np.unique(clothed.faces[clothed.part == TORSO])]
    near = surface[(np.abs(surface[:, 2] - middle) < 0.05) & (np.abs(surface[:, 0]) < 0.12)]
    deep = float(near[:, 1].max())
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    outline = np.stack([0.15 * np.sign(s) * np.abs(s) ** 0.5, 0 * t, 0.21 * np.sign(c) * np.abs(c) ** 0.5], 1)
    steps = ((0.9, -0.02), (1.0, 0.02), (0.98, 0.09), (0.8, 0.14))  # size, distance from the back
    rings = np.stack([outline * size + np.array([0, deep + y, middle]) for size, y in steps])
    sack = loft(rings, row, caps=True, part=TORSO)
    sack.uv[:, 0], sack.uv[:, 1] = sack.points[:, 0], sack.points[:, 2] - middle  # patterns are drawn on its back
    parts = [follow(figure, sack)]
    for x in (0.55 * float(shoulder[0]), -0.55 * float(shoulder[0])):
        path = [
            (x, deep, middle + 0.17), (x, 0.06, shoulder[2] + 0.06), (x, -0.03, shoulder[2] + 0.085),
            (x, -0.14, chest[2]), (1.25 * x, -0.12, chest[2] - 0.16),
            (1.45 * x, 0.0, chest[2] - 0.22), (1.1 * x, deep, middle - 0.15),
        ]  # fmt: skip
        parts.append(_strap(figure, clothed, np.array(path), row))
    return parts


def _shoulder_bag(figure: Figure, row: int, clothed: Mesh) -> list[Mesh]:
    chest, shoulder = figure.bone("spine01"), figure.bone("upperarm01.L")
    side = float(figure.points[figure.body.part == TORSO, 0].max()) + 0.03
    hip = np.array([-side, 0.0, figure.crotch + 0.06])
    parts = [follow(figure, box((0.09, 0.30, 0.22), row, hip, part=TORSO))]
    s = float(shoulder[0])
    front = [
        (0.6 * s, 0.05, shoulder[2] + 0.05), (0.6 * s, -0.05, shoulder[2] + 0.05), (0.0, -0.16, chest[2] - 0.06),
        (-0.8 * s, -0.12, figure.waist), hip + [0.02, -0.1, 0.1],
    ]  # fmt: skip
    back = [
        (0.6 * s, -0.02, shoulder[2] + 0.06), (0.5 * s, 0.12, chest[2] + 0.03), (0.0, 0.16, chest[2] - 0.08),
        (-0.8 * s, 0.12, figure.waist), hip + [0.02, 0.1, 0.1],
    ]  # fmt: skip
    return parts + [_strap(figure, clothed, np.array(path, float), row) for path in (front, back)]


def _tote(figure: Figure, row: int, clothed: Mesh) -> list[Mesh]:  # noqa: ARG001 (one signature for all bags)
    hand = figure.body.names["wrist.L"]
    centre = figure.bone("wrist.L") + np.array([0.05, -0.06, -0.30])
    sack = box((0.11, 0.30, 0.30), row, centre, part=LOWER_ARM, bone=hand)
    handle = tube(np.array([[0, -0.09, 0], [0, -0.06, 0.2], [0, 0.06, 0.2], [0, 0.09, 0]]) + centre, 0.008, row)
    handle.bones[:], handle.part[:] = hand, LOWER_ARM
    return [sack, handle]


def _strap(figure: Figure, clothed: Mesh, path: np.ndarray, material: int) -> Mesh:
    """A ribbon along a coarse path (N, 3), pressed onto the clothes."""
    t = np.linspace(0, len(path) - 1, 5 * len(path))
    fine = np.stack([np.interp(t, range(len(path)), path[:, axis]) for axis in range(3)], 1)
    trunk = clothed.points[np.unique(clothed.faces[clothed.part == TORSO])]
    pressed = trunk[cKDTree(trunk).query(fine)[1]].astype(np.float64)
    outward = pressed.copy()  # away from the body's axis, and up on the shoulder
    outward[:, 2] = np.where(pressed[:, 2] > float(figure.bone("upperarm01.L")[2]) + 0.02, 0.1, 0.0)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    pressed += 0.012 * outward
    for axis in range(3):
        pressed[:, axis] = np.convolve(np.pad(pressed[:, axis], 2, mode="edge"), np.ones(5) / 5, mode="valid")
    strap = tube(pressed, 0.022, material, around=6, flat=0.45)
    strap.part[:] = TORSO
    return follow(figure, strap, clothed)
