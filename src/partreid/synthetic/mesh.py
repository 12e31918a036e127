"""Triangle meshes that can be skinned and shaded, and simple solids to build things from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """V vertices, F triangles. Points in metres; the meaning of z (up) is shared by people and scenes."""

    points: np.ndarray  # (V, 3) float32
    faces: np.ndarray  # (F, 3) int32
    uv: np.ndarray  # (V, 2) float32, metres along the surface: what patterns are drawn in
    tint: np.ndarray  # (V, 3) float32, multiplies the material's colour
    bones: np.ndarray  # (V, 4) int32
    weights: np.ndarray  # (V, 4) float32
    material: np.ndarray  # (F,) int32, row of a material table
    part: np.ndarray  # (F,) uint8, Pascal-Person-Part class; 0 for things


def mesh(
    points: np.ndarray,
    faces: np.ndarray,
    material: int | np.ndarray = 0,
    *,
    uv: np.ndarray | None = None,
    tint: np.ndarray | None = None,
    bones: np.ndarray | int = 0,
    weights: np.ndarray | None = None,
    part: int | np.ndarray = 0,
) -> Mesh:
    """Fill in what a rigid, untinted thing does not need."""
    count = len(points)
    points = np.ascontiguousarray(points, np.float32)
    if isinstance(bones, int):
        bones = np.full((count, 4), bones, np.int32)
    if weights is None:
        weights = np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1))
    return Mesh(
        points,
        np.ascontiguousarray(faces, np.int32),
        np.zeros((count, 2), np.float32) if uv is None else np.ascontiguousarray(uv, np.float32),
        np.ones((count, 3), np.float32) if tint is None else np.ascontiguousarray(tint, np.float32),
        np.ascontiguousarray(bones, np.int32),
        np.ascontiguousarray(weights, np.float32),
        np.broadcast_to(np.asarray(material, np.int32), len(faces)).copy(),
        np.broadcast_to(np.asarray(part, np.uint8), len(faces)).copy(),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh from many, in order."""
    starts = np.cumsum([0] + [len(m.points) for m in meshes])
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.faces + np.int32(start) for m, start in zip(meshes, starts, strict=False)]),
        *(
            np.concatenate([getattr(m, name) for m in meshes])
            for name in ("uv", "tint", "bones", "weights", "material", "part")
        ),
    )


def compact(m: Mesh) -> Mesh:
    """Drop the vertices that no face uses."""
    used = np.zeros(len(m.points), bool)
    used[m.faces] = True
    number = np.cumsum(used, dtype=np.int64) - 1
    return Mesh(
        m.points[used],
        number[m.faces].astype(np.int32),
        m.uv[used],
        m.tint[used],
        m.bones[used],
        m.weights[used],
        m.material,
        m.part,
    )


def move(m: Mesh, place: Sequence[float] | np.ndarray, turn: float = 0.0) -> Mesh:
    """Turn about z by `turn` degrees (counter-clockwise seen from above), then shift."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    return replace(m, points=(m.points @ matrix.T + np.asarray(place, np.float32)).astype(np.float32))


def quad(
    corner: Sequence[float] | np.ndarray,
    u: Sequence[float] | np.ndarray,
    v: Sequence[float] | np.ndarray,
    material: int,
    cell: float = 4.0,
) -> Mesh:
    """Flat patch corner + s u + t v, cut into cells of about `cell` metres; uv are metres from the corner.

    Cells matter: triangles that reach behind the camera are dropped whole, so large grounds must be cut.
    """
    start, across, up = (np.asarray(x, np.float32) for x in (corner, u, v))
    length = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    n, m = (max(1, int(np.ceil(x / cell))) for x in length)
    s, t = (x.ravel() for x in np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, 1, m + 1)))
    points = start + s[:, None] * across + t[:, None] * up
    return mesh(points, _grid(m + 1, n + 1, False), material, uv=np.stack([s * length[0], t * length[1]], 1))


def _grid(rows: int, columns: int, closed: bool) -> np.ndarray:
    """Triangles of a rows x columns grid of vertices; `closed` joins the last column to the first."""
    i, j = (x.ravel() for x in np.meshgrid(np.arange(rows - 1), np.arange(columns - (not closed)), indexing="ij"))
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)


def box(
    size: Sequence[float] | np.ndarray,
    material: int,
    centre: Sequence[float] | np.ndarray = (0, 0, 0),
    part: int = 0,
    bone: int = 0,
) -> Mesh:
    """Axis-aligned box with flat sides; uv are metres on each side. `centre` is the middle of the box."""
    half = np.asarray(size, np.float32) / 2
    sides = []
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1, 1):
            points = np.zeros((4, 3), np.float32)
            points[:, axis] = sign * half[axis]
            points[:, i] = np.array([-1, 1, 1, -1]) * half[i]
            points[:, j] = np.array([-1, -1, 1, 1]) * half[j]
            horizontal = i if j == 2 else j  # u runs level on upright sides
            uv = np.stack([points[:, horizontal], points[:, j if horizontal == i else i]], 1)
            sides.append(mesh(points, np.array([[0, 1, 2], [0, 2, 3]]), material, uv=uv, part=part, bones=bone))
    whole = join(sides)
    return move(whole, centre)


def loft(rings: np.ndarray, material: int, closed: bool = True, part: int | np.ndarray = 0, caps: bool = False) -> Mesh:
    """Surface through rings of points (R, K, 3); uv = (arc length around, length along). `caps` closes both ends."""
    count, around = rings.shape[:2]
    step_u = np.linalg.norm(np.diff(rings, axis=1, append=rings[:, :1]), axis=2)
    u = np.cumsum(step_u, 1) - step_u
    v = np.cumsum(np.linalg.norm(np.diff(rings, axis=0, prepend=rings[:1]), axis=2).mean(1))
    points = rings.reshape(-1, 3)
    faces = _grid(count, around, closed)
    uv = np.stack([u, np.broadcast_to(v[:, None], u.shape)], 2).reshape(-1, 2)
    if caps:
        ends = [rings[0].mean(0), rings[-1].mean(0)]
        points = np.concatenate([points, np.array(ends)])
        uv = np.concatenate([uv, np.zeros((2, 2))])
        j = np.arange(around)
        k, last = (j + 1) % around, (count - 1) * around
        centre = np.full(around, count * around)
        faces = np.concatenate([faces, np.stack([centre, k, j], 1), np.stack([centre + 1, last + j, last + k], 1)])
    return mesh(points, faces, material, uv=uv, part=part)


def ellipsoid(
    centre: Sequence[float] | np.ndarray,
    radii: Sequence[float] | np.ndarray,
    material: int,
    rings: int = 7,
    around: int = 10,
) -> Mesh:
    """Closed ellipsoid; centre and radii (3,) in metres."""
    t = np.linspace(0.02, np.pi - 0.02, rings)[:, None]
    p = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
    unit = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t) + 0 * p], 2)
    return loft(np.asarray(centre) + unit * np.asarray(radii), material)


def tube(path: np.ndarray, radius: np.ndarray | float, material: int, around: int = 8, flat: float = 1.0) -> Mesh:
    """Round (or, with flat < 1, ribbon-like) tube along a path (N, 3) of points, closed at the ends."""
    path = np.asarray(path, np.float64)
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(path))
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 2:]) > 0.9, np.array([[1.0, 0, 0]]), np.array([[0, 0, 1.0]]))
    side = np.cross(along, helper)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    circle = np.cos(angle)[None, :, None] * side[:, None] + flat * np.sin(angle)[None, :, None] * up[:, None]
    return loft(path[:, None] + radius[:, None, None] * circle, material, caps=True)
