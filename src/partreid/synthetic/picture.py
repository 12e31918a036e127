"""One picture: places the person, the box and what hides it, draws all of it, and reads the truth off the z-buffer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from partreid.synthetic import pose
from partreid.synthetic.body import HEAD, Body
from partreid.synthetic.camera import Camera, develop, view
from partreid.synthetic.dress import Dressed
from partreid.synthetic.materials import Palette
from partreid.synthetic.mesh import Mesh, move
from partreid.synthetic.plan import OCCLUDED_BELOW
from partreid.synthetic.props import HIGH, LOW, TALL, Builder
from partreid.synthetic.raster import Buffer, normals, skin
from partreid.synthetic.shade import shade
from partreid.synthetic.truth import Truth, read_truth

SAMPLES = 2  # per pixel and axis
_HIDE = {"low": 0.34, "tall": 0.20, "high": 0.10, "person": 0.24, "cut": 0.12}  # what makes an occluded picture


@dataclass(frozen=True)
class Solid:
    """Something placed in the scene."""

    points: np.ndarray  # (V, 3) scene coordinates
    normals: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    tint: np.ndarray
    material: np.ndarray
    table: np.ndarray
    part: np.ndarray
    projected: np.ndarray  # (V, 3) float32 tangents x/z, y/z and 1/z as the camera sees them


def solid(m: Mesh, points: np.ndarray, table: np.ndarray, matrix: np.ndarray) -> Solid:
    """A mesh whose vertices stand at `points`, seen by a camera (see camera.view)."""
    return Solid(
        points, normals(points, m.faces), m.faces, m.uv, m.tint, m.material, table, m.part, _project(points, matrix)
    )


def _stand(
    body: Body, dressed: Dressed, angles: dict[str, float], azimuth: float, x: float, y: float, matrix: np.ndarray
) -> tuple[Solid, np.ndarray]:
    """A posed person on the ground at (x, y), turned by azimuth degrees from facing -y; also its keypoints (17, 3)."""
    bones = pose.transforms(body, dressed.heads, angles)
    m = dressed.mesh
    posed = skin(m.points, m.bones, m.weights, bones)
    keypoints = np.einsum("bij,kbj->ki", bones, dressed.keypoints)
    turn = pose.rotation((0, 0, 1), azimuth).astype(np.float32)
    place = np.array([x, y, -float(posed[:, 2].min())], np.float32)
    return solid(m, posed @ turn.T + place, dressed.table, matrix), keypoints @ turn.T + place


def _prop(
    rng: np.random.Generator, kinds: dict[str, Builder], x: float, y: float, turn: float, matrix: np.ndarray
) -> Solid:
    palette = Palette()
    m = move(kinds[str(rng.choice(list(kinds)))](rng, palette), (x, y, 0), turn)
    return solid(m, m.points, palette.table(), matrix)


def _project(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    p = points @ matrix[:, :3].T.astype(np.float32) + matrix[:, 3].astype(np.float32)
    inverse = np.where(p[:, 2] > 0.15, 1.0 / np.maximum(p[:, 2], 0.15), 0.0).astype(np.float32)
    p[:, :2] *= inverse[:, None]
    p[:, 2] = inverse
    return p


def _screen(projected: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """Tangents to pixels of a buffer that shows `box` (x0, y0, x1, y1 in tangents)."""
    scale = np.array([width / (box[2] - box[0]), height / (box[3] - box[1]), 1.0], np.float32)
    return (projected - np.array([box[0], box[1], 0.0], np.float32)) * scale


def _frame(rng: np.random.Generator, extent: np.ndarray, aspect: float, cut: bool) -> np.ndarray:
    """A detector's box around `extent` (x0, y0, x1, y1): mostly tight, a quarter loose or shifted, a few cut."""
    x0, y0, x1, y1 = extent
    tall = y1 - y0
    top, bottom = y0 - tall * rng.uniform(0.015, 0.06), y1 + tall * rng.uniform(0.015, 0.05)
    middle = 0.5 * (x0 + x1) + tall * rng.normal(0, 0.015)
    slack = 1.0
    luck = rng.random()
    if cut:  # the box ends at the hips or knees, or starts below the head
        if rng.random() < 0.75:
            bottom = y1 - tall * rng.uniform(0.28, 0.5)
        else:
            top = y0 + tall * rng.uniform(0.14, 0.34)
            bottom -= tall * rng.uniform(0.1, 0.2)
    elif luck < 0.12:  # loose
        slack = rng.uniform(1.10, 1.30)
    elif luck < 0.22:  # shifted
        shift = tall * rng.uniform(-0.10, 0.10)
        top, bottom, middle = top + shift, bottom + shift, middle + tall * rng.uniform(-0.07, 0.07)
    elif luck < 0.28:  # feet or the top of the head are missing
        if rng.random() < 0.7:
            bottom = y1 - tall * rng.uniform(0.03, 0.14)
        else:
            top = y0 + tall * rng.uniform(0.02, 0.07)
    half = 0.5 * slack * (bottom - top)
    centre = 0.5 * (top + bottom)
    wide = max(half * aspect, (0.5 if cut else 0.52) * (x1 - x0))
    return np.array([middle - wide, centre - half, middle + wide, centre + half])


def _visible(target: Solid, others: list[Solid], extent: np.ndarray, box: np.ndarray) -> float:
    """Share of the person that shows in the box, counted on a grid of 96 cells per person height."""
    cell = (extent[3] - extent[1]) / 96

    def count(area: np.ndarray, hidden_by: list[Solid]) -> int:
        height, width = int(np.ceil((area[3] - area[1]) / cell)) + 1, int(np.ceil((area[2] - area[0]) / cell)) + 1
        window = np.array([area[0], area[1], area[0] + width * cell, area[1] + height * cell])
        buffer = Buffer(height, width)
        buffer.draw(_screen(target.projected, window, height, width), target.faces)
        for other in hidden_by:
            buffer.draw(_screen(other.projected, window, height, width), other.faces, len(target.faces))
        mine = (buffer.face >= 0) & (buffer.face < len(target.faces))
        inside_y = window[1] + (np.arange(height) + 0.5) * cell < area[3]
        inside_x = window[0] + (np.arange(width) + 0.5) * cell < area[2]
        return int((mine & inside_y[:, None] & inside_x[None]).sum())

    return min(1.0, count(box, others) / max(1, count(extent, [])))


def picture(
    body: Body,
    dressed: Dressed,
    passer: Callable[[], Dressed],
    camera: Camera,
    scenery: Solid,
    occlude: bool,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, Truth]:
    """Take one picture of a person: RGB uint8 (height, width, 3) and the truth. `passer` dresses another person."""
    height, width = size
    matrix = view(camera)
    distance = rng.uniform(camera.near, camera.far)
    x = distance * rng.uniform(-camera.spread, camera.spread)
    azimuth = float(rng.uniform(0, 360))
    bearing = float(np.degrees(np.arctan2(-x, distance)))  # so that `azimuth` is what the camera sees
    target, keypoints = _stand(body, dressed, pose.walking(rng), azimuth + bearing, x, distance, matrix)
    projected = target.projected
    extent = np.array([*projected[:, :2].min(0), *projected[:, :2].max(0)])
    aspect = width / height

    def another(dx: float, nearer: float) -> Solid:
        turned = azimuth + rng.normal(0, 25) if rng.random() < 0.5 else rng.uniform(0, 360)
        return _stand(
            body, passer(), pose.walking(rng), turned, x * (1 - nearer / distance) + dx, distance - nearer, matrix
        )[0]

    around: list[Solid] = []
    if rng.random() < 0.18:  # somebody behind
        around.append(another(float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)), -rng.uniform(0.5, 3.0)))
    if rng.random() < 0.25:
        around.append(
            _prop(rng, LOW, x + rng.uniform(-1.5, 1.5), distance + rng.uniform(1.2, 3.0), rng.uniform(-20, 20), matrix)
        )

    box, hiding = _frame(rng, extent, aspect, False), list[Solid]()
    if not occlude and rng.random() < 0.12:  # slightly hidden pictures are not counted as occluded
        hiding = [
            _prop(rng, LOW, x + rng.uniform(-1.4, 1.4), distance - rng.uniform(0.6, 1.2), rng.uniform(-20, 20), matrix)
        ]
        if _visible(target, hiding, extent, box) < OCCLUDED_BELOW + 0.05:
            hiding = []
    if occlude:
        how = str(rng.choice(list(_HIDE), p=list(_HIDE.values())))
        for _ in range(8):
            if how == "cut":
                break
            nearer = rng.uniform(0.55, 1.5)
            at = x * (1 - nearer / distance)
            side = float(rng.choice([-1, 1]))
            if how == "low":
                hiding = [
                    _prop(rng, LOW, at + rng.uniform(-0.6, 0.6), distance - nearer - 0.3, rng.uniform(-25, 25), matrix)
                ]
            elif how == "tall":
                hiding = [
                    _prop(
                        rng, TALL, at + side * rng.uniform(0.02, 0.3), distance - nearer, rng.uniform(-15, 15), matrix
                    )
                ]
            elif how == "high":
                hiding = [
                    _prop(
                        rng,
                        HIGH,
                        at + side * rng.uniform(0.0, 0.25),
                        distance - rng.uniform(0.3, 0.8),
                        rng.uniform(-15, 15),
                        matrix,
                    )
                ]
            else:
                hiding = [another(side * rng.uniform(0.08, 0.35), nearer)]
            if 0.28 <= _visible(target, hiding, extent, box) <= OCCLUDED_BELOW - 0.03:
                break
        else:
            how = "cut"
        if how == "cut":
            hiding = []
            for _ in range(8):
                box = _frame(rng, extent, aspect, True)
                if _visible(target, [], extent, box) <= OCCLUDED_BELOW - 0.03:
                    break
    visible = _visible(target, hiding, extent, box)

    solids = [target, *hiding, *around, scenery]
    light, buffer, starts = _draw(solids, camera, matrix, box, SAMPLES * height, SAMPLES * width, (x, distance))
    rows = camera.pixels * (box[3] - box[1]) * 6 / 1.7
    image = develop(light, camera, size, rows, rng)
    kp = _project(keypoints.astype(np.float32), matrix)
    kp = np.concatenate([_screen(kp, box, height, width)[:, :2], 1.0 / np.maximum(kp[:, 2:], 1e-6)], 1)
    face = buffer.face
    mine = (face >= 0) & (face < starts[1])
    skull = _screen(
        projected[(dressed.mesh.weights[:, 0] > 0.6) & (dressed.mesh.bones[:, 0] == body.names["head"])],
        box,
        height,
        width,
    )
    part = np.where(mine, target.part[np.where(mine, face, 0)], 0).astype(np.uint8)
    return image, read_truth(part, buffer.depth, kp, skull, HEAD, visible, azimuth, size)


def _draw(
    solids: list[Solid],
    camera: Camera,
    matrix: np.ndarray,
    box: np.ndarray,
    height: int,
    width: int,
    at: tuple[float, float],
) -> tuple[np.ndarray, Buffer, np.ndarray]:
    """Rasterise and shade: linear RGB (height, width, 3), the buffer, and where each solid's faces start."""
    buffer = Buffer(height, width)
    shadow = Buffer(192, 192)
    to_shadow = _shadow_frame(camera.light.toward, np.array([*at, 0.8]), 192)
    starts = np.cumsum([0] + [len(s.faces) for s in solids])
    vertex = np.cumsum([0] + [len(s.points) for s in solids])
    table = np.cumsum([0] + [len(s.table) for s in solids])
    for number, s in enumerate(solids):
        buffer.draw(_screen(s.projected, box, height, width), s.faces, int(starts[number]))
        if number + 1 < len(solids):
            shadow.draw((s.points @ to_shadow[:, :3].T + to_shadow[:, 3]).astype(np.float32), s.faces)
    faces = np.concatenate([s.faces + np.int32(v) for s, v in zip(solids, vertex, strict=False)])
    rows = np.concatenate([s.material + np.int32(t) for s, t in zip(solids, table, strict=False)])
    points, norms, uv, tint, tables = (
        np.concatenate([getattr(s, name) for s in solids]) for name in ("points", "normals", "uv", "tint", "table")
    )
    back = matrix[:, :3].T  # camera to scene
    step_x, step_y = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    corner = back @ np.array([box[0] + 0.5 * step_x, box[1] + 0.5 * step_y, 1.0])
    rays = (np.array([0, 0, camera.height]), corner, back[:, 0] * step_x, back[:, 1] * step_y)
    light = shade(
        buffer,
        faces,
        rows,
        tables,
        points.astype(np.float32),
        norms,
        uv,
        tint,
        rays,
        camera.light,
        shadow.depth,
        to_shadow,
    )
    return light, buffer, starts


def _shadow_frame(toward: np.ndarray, middle: np.ndarray, side: int) -> np.ndarray:
    """(3, 4) float32: a point to the light's view of 3.6 m around `middle`: x, y in pixels, third larger = nearer."""
    z = toward / np.linalg.norm(toward)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    scale = side / 3.6
    matrix = np.stack([x * scale, y * scale, z])
    offset = -matrix @ middle + np.array([side / 2, side / 2, 20.0])
    return np.concatenate([matrix, offset[:, None]], 1).astype(np.float32)
