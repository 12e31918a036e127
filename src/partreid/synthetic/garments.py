"""Clothes with volume, cut for one person: shells around the body and lofted skirts, with skinning weights."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from partreid.synthetic.body import LOWER_LEG, TORSO, UPPER_LEG, vertex_normals
from partreid.synthetic.figure import Figure, smooth
from partreid.synthetic.mesh import Mesh, compact, loft, mesh


def skin_mesh(figure: Figure, faces: np.ndarray, material: int, tint: np.ndarray) -> Mesh:
    """The bare body under `faces` (n, 3)."""
    body = figure.body
    return compact(
        mesh(
            figure.points,
            faces,
            material,
            uv=figure.uv,
            tint=tint,
            bones=body.bones,
            weights=body.weights,
            part=body.part[faces[:, 0]],
        )
    )


def shell(
    figure: Figure,
    inside: np.ndarray,
    material: int,
    ease: float | np.ndarray,
    *,
    rounds: int = 6,
    widths: dict[int, Sequence[float]] | None = None,
) -> Mesh:
    """Cloth over the faces with all corners `inside` (V,) bool: smoothed, then `ease` metres (or (V,)) off the skin.

    `widths` {part: (radius at 0, 1, 2 along the limb)} makes straight or flared tubes of legs or sleeves.
    """
    body = figure.body
    faces = body.faces[inside[body.faces].all(1)]
    points = smooth(figure.points, faces, rounds)
    points = points + np.asarray(ease, np.float32).reshape(-1, 1) * vertex_normals(points, faces).astype(np.float32)
    for part, radii in (widths or {}).items():
        here = inside & (body.part == part) & ~np.isnan(figure.limb)
        distance = np.linalg.norm(figure.radial[here], axis=1)
        wanted = np.interp(figure.limb[here], range(len(radii)), radii)
        more = np.maximum(0.0, wanted - distance)[:, None]
        points[here] += more * figure.radial[here] / np.maximum(distance, 1e-6)[:, None]
    return compact(
        mesh(points, faces, material, uv=figure.uv, bones=body.bones, weights=body.weights, part=body.part[faces[:, 0]])
    )


def skirt(
    figure: Figure,
    material: int,
    top: float,
    bottom: float,
    flare: float,
    *,
    ease: float = 0.012,
    opening: float = 0.0,
    pleats: int = 0,
) -> Mesh:
    """Cloth hanging from height `top` to `bottom` (metres, rest body), `flare` metres wider per metre below the hips.

    `opening` leaves a gap of that many degrees in front (coats). Left and right halves follow the legs.
    """
    body = figure.body
    around, rows = 40, max(4, int((top - bottom) / 0.045))
    heights = np.linspace(top, bottom, rows)
    trunk = (body.part == TORSO) | (body.part == UPPER_LEG)
    rings = np.zeros((rows, around, 3))
    angle = np.linspace(0.0, 2 * np.pi, around, endpoint=opening > 0)
    if opening:
        angle = np.linspace(np.radians(opening / 2), 2 * np.pi - np.radians(opening / 2), around)
    wide, front, back = 0.0, 0.0, 0.0
    for row, height in enumerate(heights):
        if height > figure.crotch - 0.04:  # below, the thighs of the rest pose are spread: keep the hips' measures
            slab = figure.points[trunk & (np.abs(figure.points[:, 2] - height) < 0.03)]
            wide = max(wide, float(np.abs(slab[:, 0]).max()))
            front, back = max(front, float(-slab[:, 1].min())), max(back, float(slab[:, 1].max()))
        fall = max(0.0, figure.crotch + 0.08 - height) * flare
        half = wide + ease + fall
        depth = 0.5 * (front + back) + ease + 0.8 * fall
        middle = 0.5 * (back - front)
        wave = 1.0 + (0.012 + 0.05 * min(1.0, fall * 6)) * np.cos(pleats * angle) if pleats else 1.0
        bulge = 0.85  # a superellipse: hips are boxier than an ellipse
        c, s = np.sin(angle), -np.cos(angle)  # angle 0 in front (-y), growing to the left
        rings[row, :, 0] = np.sign(c) * np.abs(c) ** bulge * half * wave
        rings[row, :, 1] = middle + np.sign(s) * np.abs(s) ** bulge * depth * wave
        rings[row, :, 2] = height
    result = loft(rings, material, closed=not opening)
    points = rings.reshape(-1, 3)
    # weights: pelvis above; below, the nearer leg, blended over the middle
    side = 0.5 + 0.5 * np.clip(points[:, 0] / (0.75 * max(wide, 0.1)), -1, 1)
    knee = float(figure.bone("lowerleg01.L")[2])
    hang = np.clip((figure.crotch + 0.10 - points[:, 2]) / max(figure.crotch - knee, 0.1), 0, 1) ** 0.8 * 0.92
    lower = np.clip((knee + 0.05 - points[:, 2]) / 0.5, 0, 0.5)
    n = body.names
    bones = np.tile(
        np.array([n["root"], n["upperleg02.L"], n["upperleg02.R"], n["lowerleg01.L"]], np.int32), (len(points), 1)
    )
    left = points[:, 0] > 0
    bones[~left, 3] = n["lowerleg01.R"]
    thigh = hang * (1 - lower)
    weights = np.stack([1 - hang, thigh * side, thigh * (1 - side), hang * lower], 1).astype(np.float32)
    height = points[result.faces[:, 0], 2]
    part = np.where(height > figure.crotch, TORSO, np.where(height > knee, UPPER_LEG, LOWER_LEG))
    uv = result.uv.copy()
    uv[:, 0] -= 0.5 * float(uv[:, 0].max())
    uv[:, 1] = points[:, 2]
    return mesh(points, result.faces, material, uv=uv, bones=bones, weights=weights, part=part)


def follow(figure: Figure, part: Mesh, surface: Mesh | None = None) -> Mesh:
    """Hang a thing on the trunk: a vertex takes the weights of the nearest one of the body's (or `surface`'s) trunk."""
    if surface is None:
        trunk = figure.body.part == TORSO
        points, bones, weights = figure.points[trunk], figure.body.bones[trunk], figure.body.weights[trunk]
    else:
        used = np.unique(surface.faces[surface.part == TORSO])
        points, bones, weights = surface.points[used], surface.bones[used], surface.weights[used]
    nearest = cKDTree(points).query(part.points)[1]
    return mesh(
        part.points,
        part.faces,
        part.material,
        uv=part.uv,
        tint=part.tint,
        bones=bones[nearest],
        weights=weights[nearest],
        part=part.part,
    )
