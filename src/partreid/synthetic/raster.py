"""The compiled inner loops (warp, CPU): skinning, normals, z-buffer.

Every kernel is launched with one thread and loops itself, so the order of additions and of depth ties, and with it
every byte of the picture, is fixed.
"""

# mypy: disable-error-code="valid-type,no-untyped-def"
# (warp reads the annotations of kernels, which are values and no types)

from typing import Any

import numpy as np
import warp as wp

wp.config.log_level = wp.LOG_ERROR
wp.set_module_options({"enable_backward": False, "fast_math": False, "fuse_fp": False})


@wp.kernel
def _skin(
    points: wp.array(dtype=wp.vec3),
    bones: wp.array(dtype=wp.int32, ndim=2),
    weights: wp.array(dtype=float, ndim=2),
    transforms: wp.array(dtype=float, ndim=3),
    out: wp.array(dtype=wp.vec3),
):
    for i in range(points.shape[0]):
        p = points[i]
        q = wp.vec3(0.0, 0.0, 0.0)
        for k in range(4):
            w = weights[i, k]
            if w > 0.0:
                b = bones[i, k]
                x = (
                    transforms[b, 0, 0] * p[0]
                    + transforms[b, 0, 1] * p[1]
                    + transforms[b, 0, 2] * p[2]
                    + transforms[b, 0, 3]
                )
                y = (
                    transforms[b, 1, 0] * p[0]
                    + transforms[b, 1, 1] * p[1]
                    + transforms[b, 1, 2] * p[2]
                    + transforms[b, 1, 3]
                )
                z = (
                    transforms[b, 2, 0] * p[0]
                    + transforms[b, 2, 1] * p[1]
                    + transforms[b, 2, 2] * p[2]
                    + transforms[b, 2, 3]
                )
                q += w * wp.vec3(x, y, z)
        out[i] = q


@wp.kernel
def _normals(points: wp.array(dtype=wp.vec3), faces: wp.array(dtype=wp.int32, ndim=2), out: wp.array(dtype=wp.vec3)):
    for f in range(faces.shape[0]):
        i = faces[f, 0]
        j = faces[f, 1]
        k = faces[f, 2]
        n = wp.cross(points[j] - points[i], points[k] - points[i])
        out[i] = out[i] + n
        out[j] = out[j] + n
        out[k] = out[k] + n
    for v in range(out.shape[0]):
        out[v] = wp.normalize(out[v])


@wp.kernel
def _raster(
    screen: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.int32, ndim=2),
    first: int,
    depth: wp.array(dtype=float, ndim=2),
    face: wp.array(dtype=wp.int32, ndim=2),
    bary: wp.array(dtype=wp.vec2, ndim=2),
):
    # screen: x, y in pixels of the buffer, third = 1 / distance along the view axis (0 = behind the camera)
    height = depth.shape[0]
    width = depth.shape[1]
    for f in range(faces.shape[0]):
        a = screen[faces[f, 0]]
        b = screen[faces[f, 1]]
        c = screen[faces[f, 2]]
        if a[2] <= 0.0 or b[2] <= 0.0 or c[2] <= 0.0:
            continue
        left = wp.min(a[0], wp.min(b[0], c[0]))
        right = wp.max(a[0], wp.max(b[0], c[0]))
        top = wp.min(a[1], wp.min(b[1], c[1]))
        bottom = wp.max(a[1], wp.max(b[1], c[1]))
        if right < 0.0 or bottom < 0.0 or left > float(width) or top > float(height):
            continue
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0.0:
            continue
        x0 = wp.max(0, int(wp.ceil(left - 0.5)))
        x1 = wp.min(width - 1, int(wp.floor(right - 0.5)))
        y0 = wp.max(0, int(wp.ceil(top - 0.5)))
        y1 = wp.min(height - 1, int(wp.floor(bottom - 0.5)))
        inverse = 1.0 / area
        for y in range(y0, y1 + 1):
            py = float(y) + 0.5
            for x in range(x0, x1 + 1):
                px = float(x) + 0.5
                wb = ((px - a[0]) * (c[1] - a[1]) - (py - a[1]) * (c[0] - a[0])) * inverse
                wc = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])) * inverse
                wa = 1.0 - wb - wc
                if wa >= 0.0 and wb >= 0.0 and wc >= 0.0:
                    z = wa * a[2] + wb * b[2] + wc * c[2]
                    if z > depth[y, x]:
                        depth[y, x] = z
                        face[y, x] = f + first
                        bary[y, x] = wp.vec2(wb * b[2] / z, wc * c[2] / z)


def vectors(a: np.ndarray) -> Any:
    """An array (n, 3) as warp sees vectors; float32 arrays are shared, not copied."""
    return wp.array(np.ascontiguousarray(a, np.float32), dtype=wp.vec3, device="cpu", copy=False)


def shared(a: np.ndarray) -> Any:
    """An array as warp sees it, sharing its memory."""
    return wp.array(a, device="cpu", copy=False)


def skin(points: np.ndarray, bones: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Linear blend skinning: points (V, 3), bones (V, 4) int32, weights (V, 4), transforms (B, 3, 4) -> (V, 3)."""
    out = np.zeros((len(points), 3), np.float32)
    wp.launch(
        _skin,
        1,
        [vectors(points), shared(bones), shared(weights), shared(np.ascontiguousarray(transforms)), vectors(out)],
        device="cpu",
    )
    return out


def normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit vertex normals (V, 3) float32."""
    out = np.zeros((len(points), 3), np.float32)
    wp.launch(_normals, 1, [vectors(points), shared(faces), vectors(out)], device="cpu")
    return out


class Buffer:
    """A z-buffer of height x width pixels: per pixel 1/distance, the nearest face's number (-1 none) and where on it.

    Triangles with a corner behind the camera are dropped, not clipped: cut large surfaces into cells (mesh.quad).
    """

    def __init__(self, height: int, width: int):
        self.depth = np.zeros((height, width), np.float32)  # 1 / distance along the view axis; 0 = nothing
        self.face = np.full((height, width), -1, np.int32)
        self.bary = np.zeros((height, width, 2), np.float32)  # perspective-correct weights of the 2nd and 3rd corner

    def draw(self, screen: np.ndarray, faces: np.ndarray, first: int = 0) -> None:
        """Draw triangles; screen (V, 3) = x, y in pixels and 1/distance (0 = behind), faces (F, 3) int32.
        Face f is noted as f + first."""
        bary = wp.array(self.bary, dtype=wp.vec2, device="cpu", copy=False)
        arguments = [vectors(screen), shared(faces), first, shared(self.depth), shared(self.face), bary]
        wp.launch(_raster, 1, arguments, device="cpu")
