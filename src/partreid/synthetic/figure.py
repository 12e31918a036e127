"""Measures of one person's rest body that clothes and hair are cut by: landmarks, limbs, coordinates on the skin."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from partreid.synthetic.body import HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG, Body, vertex_normals

AROUND = 0.15  # metres per radian: u of the trunk is its azimuth (0 = front) times this


@dataclass(frozen=True)
class Figure:
    """A person's rest body, in metres. V vertices as in Body."""

    body: Body
    points: np.ndarray  # (V, 3) float32
    heads: np.ndarray  # (B, 3) float32 bone heads
    normals: np.ndarray  # (V, 3) float32
    uv: np.ndarray  # (V, 2) float32: around the trunk or limb, and up it
    limb: np.ndarray  # (V,) float32: arm 0 shoulder, 1 elbow, 2 wrist; leg 0 hip, 1 knee, 2 ankle; NaN elsewhere
    radial: np.ndarray  # (V, 3) float32: from the axis of the trunk or limb to the vertex

    def bone(self, name: str) -> np.ndarray:
        """(3,) the head of a bone."""
        return self.heads[self.body.names[name]]

    @property
    def crotch(self) -> float:
        """Height where the legs part."""
        return float(self.bone("upperleg02.L")[2]) - 0.02

    @property
    def waist(self) -> float:
        """Height of the waistband."""
        return float(self.bone("spine04")[2]) + 0.02

    @property
    def eyes(self) -> np.ndarray:
        """(3,) between the eyes."""
        return 0.5 * (self.bone("eye.L") + self.bone("eye.R"))


def measure(body: Body, points: np.ndarray, heads: np.ndarray) -> Figure:
    """Work out the coordinates that clothes need."""
    uv = np.zeros((len(points), 2), np.float32)
    limb = np.full(len(points), np.nan, np.float32)
    radial = np.zeros_like(points)
    trunk = np.isin(body.part, (HEAD, TORSO))
    centre = np.array([0.0, float(heads[body.names["spine02"]][1]) - 0.01])
    radial[trunk, :2] = points[trunk, :2] - centre
    uv[trunk, 0] = np.arctan2(radial[trunk, 0], -radial[trunk, 1]) * AROUND
    uv[trunk, 1] = points[trunk, 2]
    for letter, sign in (("L", 1), ("R", -1)):
        mine = points[:, 0] * sign > 0
        for parts, chain in (
            ((UPPER_ARM, LOWER_ARM), ("upperarm01", "lowerarm01", "wrist")),
            ((UPPER_LEG, LOWER_LEG), ("upperleg01", "lowerleg01", "foot")),
        ):
            here = mine & np.isin(body.part, parts)
            axis = np.array([heads[body.names[f"{bone}.{letter}"]] for bone in chain])
            along, foot, up = _along(points[here], axis)
            radial[here] = points[here] - foot
            limb[here] = along
            outward = np.array([sign, 0.0, 0.0]) if "leg" in chain[0] else np.array([sign * 0.7, 0.0, 0.7])
            forward = np.array([0.0, -1.0, 0.0])
            angle = np.arctan2(radial[here] @ forward, radial[here] @ outward)  # 0 at the outer side
            uv[here, 0] = angle * (0.07 if "leg" in chain[0] else 0.05)
            uv[here, 1] = up
    return Figure(body, points, heads, vertex_normals(points, body.faces).astype(np.float32), uv, limb, radial)


def _along(points: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest place on the two-segment axis (3, 3): position 0..2 and beyond, its point, minus its length in metres."""
    best = np.full(len(points), np.inf)
    place, where, length = np.zeros(len(points)), np.zeros_like(points), np.zeros(len(points))
    passed = 0.0
    for i in range(2):
        step = axis[i + 1] - axis[i]
        t = (points - axis[i]) @ step / (step @ step)
        t = np.clip(t, -1.0 if i == 0 else 0.0, 1.0 if i == 0 else 2.0)
        nearest = axis[i] + t[:, None] * step
        distance = np.linalg.norm(points - nearest, axis=1)
        better = distance < best
        best[better], place[better], where[better] = distance[better], i + t[better], nearest[better]
        size = float(np.linalg.norm(step))
        length[better] = -(passed + t[better] * size)
        passed += size
    return place, where, length


def smooth(points: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Laplacian smoothing of the vertices that `faces` use (others stay); takes out what cloth does not follow.

    A vertex on the border moves towards its neighbours on the border only: hems become straight and stay in place.
    """
    count = len(points)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    code, times = np.unique(edges[:, 0].astype(np.int64) * count + edges[:, 1], return_counts=True)
    i, j = code // count, code % count
    single = times == 1
    border = np.zeros(count, bool)
    border[i[single]] = border[j[single]] = True
    start, end = np.concatenate([i, j]), np.concatenate([j, i])
    keep = ~border[start] | np.concatenate([single, single])
    graph = sparse.csr_matrix((np.ones(int(keep.sum()), np.float32), (start[keep], end[keep])), (count, count))
    degree = np.asarray(graph.sum(1)).ravel()
    used = np.flatnonzero(degree)
    mean = (sparse.diags(1.0 / degree[used]) @ graph[used]).astype(np.float32)
    result = points.astype(np.float32)
    for _ in range(rounds):
        result[used] = 0.5 * result[used] + 0.5 * (mean @ result)
    return result
