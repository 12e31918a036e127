"""The compiled shading loop (warp, CPU): patterns, light and shadow of every pixel of a z-buffer.

Patterns are evaluated in metres on the surface (uv), so a stripe keeps its width on every body and at every distance.
Light is linear; camera.py turns it into a picture.
"""

# mypy: disable-error-code="valid-type,no-untyped-def"
# (warp reads the annotations of kernels, which are values and no types)

from dataclasses import dataclass

import numpy as np
import warp as wp

from partreid.chatter import without
from partreid.synthetic.raster import Buffer, shared, vectors

wp.config.log_level = wp.LOG_ERROR
with without("Could not find or load the NVIDIA CUDA driver"):  # shading takes the CPU anyway
    wp.init()
wp.set_module_options({"enable_backward": False, "fast_math": False, "fuse_fp": False})


@dataclass(frozen=True)
class Light:
    """Where light comes from; colours are linear RGB (3,) float32."""

    toward: np.ndarray  # (3,) unit vector from the scene to the sun or lamp
    sun: np.ndarray
    sky: np.ndarray  # ambient light on surfaces that face up
    bounce: np.ndarray  # ambient light on surfaces that face down
    horizon: np.ndarray  # what a pixel shows where nothing is drawn, at the horizon
    zenith: np.ndarray  # and above
    haze: float  # share of horizon colour per metre of distance


@wp.func
def _random(x: int, y: int, seed: int) -> float:
    state = wp.rand_init(seed * 7919 + 13, x * 15731 + y * 789221)
    return wp.randf(state)


@wp.func
def _noise(x: float, y: float, seed: int) -> float:
    # value noise: random numbers on a unit grid, blended smoothly
    fx = wp.floor(x)
    fy = wp.floor(y)
    ix = int(fx)
    iy = int(fy)
    u = x - fx
    v = y - fy
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    low = _random(ix, iy, seed) * (1.0 - u) + _random(ix + 1, iy, seed) * u
    high = _random(ix, iy + 1, seed) * (1.0 - u) + _random(ix + 1, iy + 1, seed) * u
    return low * (1.0 - v) + high * v


@wp.func
def _wrapped(x: float) -> float:
    return x - wp.floor(x)


@wp.func
def _share(kind: int, u: float, v: float, scale: float, amount: float, seed: int) -> float:
    # how much of colour b shows at (u, v), 0..1; u, v in metres from the pattern's origin
    s = u / scale
    t = v / scale
    share = 0.0
    if kind == 1:  # HOOPS
        share = wp.where(_wrapped(t) < amount, 1.0, 0.0)
    elif kind == 2:  # PINSTRIPES
        share = wp.where(_wrapped(s) < amount, 1.0, 0.0)
    elif kind == 3:  # CHECKS
        share = wp.where((_wrapped(s) < 0.5) == (_wrapped(t) < 0.5), 1.0, 0.0)
    elif kind == 4:  # PLAID
        share = wp.where(_wrapped(s) < amount, 0.5, 0.0) + wp.where(_wrapped(t) < amount, 0.5, 0.0)
    elif kind == 5:  # DOTS
        odd = wp.where(_wrapped(0.5 * wp.floor(t)) > 0.25, 0.5, 0.0)
        du = _wrapped(s + odd) - 0.5
        dv = _wrapped(t) - 0.5
        share = wp.where(du * du + dv * dv < 0.16 * amount, 1.0, 0.0)
    elif kind == 6:  # PRINT: a figure of random cells around the origin
        if wp.abs(u) < scale and wp.abs(v) < scale * amount:
            cell = int(wp.floor(s * 3.0 + 3.0))
            row = int(wp.floor(t * 3.0 + 6.0))
            share = wp.where(_random(wp.abs(2 * cell - 5), row, seed) < 0.72, 1.0, 0.0)
    elif kind == 7:  # BLOCKS: colour b above the origin
        share = wp.where(v > 0.0, 1.0, 0.0)
    elif kind == 8:  # CAMOUFLAGE
        share = wp.where(_noise(s, t, seed) + 0.5 * _noise(2.1 * s, 2.1 * t, seed + 1) < 1.5 * amount, 1.0, 0.0)
    elif kind == 9:  # DENIM: worn lighter in places
        share = amount * _noise(s, 0.3 * t, seed)
    elif kind == 10:  # SIDESTRIPE: a band of width scale around u = 0
        share = wp.where(wp.abs(u) < scale, 1.0, 0.0)
    elif kind == 20:  # BRICKS
        odd = wp.where(_wrapped(0.5 * wp.floor(t)) > 0.25, 0.5, 0.0)
        across = 0.5 * s + 0.5 * odd
        mortar = _wrapped(t) < 0.14 or _wrapped(across) < 0.06
        share = wp.where(mortar, 1.0, 0.35 * _random(int(wp.floor(across)), int(wp.floor(t)), seed))
    elif kind == 21:  # TILES
        gap = _wrapped(s) < amount or _wrapped(t) < amount
        share = wp.where(gap, 1.0, 0.25 * _random(int(wp.floor(s)), int(wp.floor(t)), seed))
    elif kind == 22:  # WINDOWS: panes in a wall
        pane = wp.abs(_wrapped(s) - 0.5) < 0.5 * amount and wp.abs(_wrapped(0.8 * t) - 0.5) < 0.34
        share = wp.where(pane, 0.55 + 0.45 * _random(int(wp.floor(s)), int(wp.floor(0.8 * t)), seed), 0.0)
    elif kind == 23:  # FOLIAGE
        share = 0.6 * _noise(s, t, seed) + 0.4 * _noise(3.3 * s, 3.3 * t, seed + 1)
    elif kind == 24:  # SPECKLE: asphalt, gravel
        share = amount * (
            0.6 * _noise(0.1 * s, 0.1 * t, seed) + 0.4 * _random(int(wp.floor(s)), int(wp.floor(t)), seed)
        )
    elif kind == 25:  # POSTER: blocks of the two colours
        share = _random(int(wp.floor(s)), int(wp.floor(t * (1.0 + 2.0 * _random(int(wp.floor(s)), 7, seed)))), seed)
    return share


@wp.kernel
def _shade(
    face: wp.array(dtype=wp.int32, ndim=2),
    bary: wp.array(dtype=wp.vec2, ndim=2),
    faces: wp.array(dtype=wp.int32, ndim=2),
    material: wp.array(dtype=wp.int32),
    table: wp.array(dtype=float, ndim=2),
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    uv: wp.array(dtype=wp.vec2),
    tint: wp.array(dtype=wp.vec3),
    eye: wp.vec3,
    corner: wp.vec3,
    right: wp.vec3,
    down: wp.vec3,
    toward: wp.vec3,
    sun: wp.vec3,
    sky: wp.vec3,
    bounce: wp.vec3,
    horizon: wp.vec3,
    zenith: wp.vec3,
    haze: float,
    shadow: wp.array(dtype=float, ndim=2),
    to_shadow: wp.array(dtype=float, ndim=2),
    out: wp.array(dtype=wp.vec3, ndim=2),
):
    side = shadow.shape[0]
    for y in range(face.shape[0]):
        for x in range(face.shape[1]):
            f = face[y, x]
            if f < 0:
                ray = wp.normalize(corner + float(x) * right + float(y) * down)
                up = wp.clamp(ray[2] * 2.5, 0.0, 1.0)
                out[y, x] = horizon * (1.0 - up) + zenith * up
                continue
            i = faces[f, 0]
            j = faces[f, 1]
            k = faces[f, 2]
            b = bary[y, x][0]
            c = bary[y, x][1]
            a = 1.0 - b - c
            p = a * points[i] + b * points[j] + c * points[k]
            n = wp.normalize(a * normals[i] + b * normals[j] + c * normals[k])
            t = a * uv[i] + b * uv[j] + c * uv[k]
            m = material[f]
            kind = int(table[m, 0])
            seed = int(table[m, 13])
            u = t[0] - table[m, 8]
            v = t[1] - table[m, 9]
            share = _share(kind, u, v, table[m, 7], table[m, 10], seed)
            ca = wp.vec3(table[m, 1], table[m, 2], table[m, 3])
            cb = wp.vec3(table[m, 4], table[m, 5], table[m, 6])
            albedo = wp.cw_mul((1.0 - share) * ca + share * cb, a * tint[i] + b * tint[j] + c * tint[k])
            view = wp.normalize(eye - p)
            if wp.dot(n, view) < 0.0:
                n = -n
            folds = table[m, 11]
            crease = 1.0
            if folds > 0.0:
                # creases: tilt the normal by differences of a noise that is stretched along the limb
                fu = t[0] * 14.0
                fv = t[1] * 7.0
                if kind == 23:  # leaves
                    fu = 1.3 * u / table[m, 7]
                    fv = 1.3 * v / table[m, 7]
                h = _noise(fu, fv, seed)
                hu = _noise(fu + 0.3, fv, seed) - h
                hv = _noise(fu, fv + 0.3, seed) - h
                n = wp.normalize(n + folds * wp.vec3(hu, hu, -1.6 * hv))
                crease = 1.0 - 0.25 * folds * (1.0 - h)
            lit = wp.max(0.0, wp.dot(n, toward))
            # shadow map: four samples around the point
            sx = to_shadow[0, 0] * p[0] + to_shadow[0, 1] * p[1] + to_shadow[0, 2] * p[2] + to_shadow[0, 3]
            sy = to_shadow[1, 0] * p[0] + to_shadow[1, 1] * p[1] + to_shadow[1, 2] * p[2] + to_shadow[1, 3]
            sz = to_shadow[2, 0] * p[0] + to_shadow[2, 1] * p[1] + to_shadow[2, 2] * p[2] + to_shadow[2, 3]
            ix = int(wp.floor(sx - 0.5))
            iy = int(wp.floor(sy - 0.5))
            if ix >= 0 and iy >= 0 and ix + 1 < side and iy + 1 < side:
                dark = 0.0
                for q in range(2):
                    for r in range(2):
                        if shadow[iy + q, ix + r] > sz + 0.03:
                            dark += 0.25
                lit *= 1.0 - dark
            w = 0.5 + 0.5 * n[2]
            ground = 0.65 + 0.35 * wp.clamp(p[2] * 2.0, 0.0, 1.0)  # less sky near the ground
            light = lit * sun + ground * (w * sky + (1.0 - w) * bounce)
            colour = wp.cw_mul(albedo, light) * crease
            gloss = table[m, 12]
            if gloss > 0.0:
                half = wp.normalize(view + toward)
                colour += gloss * (wp.pow(wp.max(0.0, wp.dot(n, half)), 24.0) * lit * sun + 0.12 * w * sky)
            if kind == 26:  # GLOW
                colour = albedo
            mist = 1.0 - wp.exp(-haze * wp.length(eye - p))
            out[y, x] = (1.0 - mist) * colour + mist * horizon


def shade(
    buffer: Buffer,
    faces: np.ndarray,
    material: np.ndarray,
    table: np.ndarray,
    points: np.ndarray,
    normals: np.ndarray,
    uv: np.ndarray,
    tint: np.ndarray,
    rays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    light: Light,
    shadow: np.ndarray,
    to_shadow: np.ndarray,
) -> np.ndarray:
    """Linear RGB (H, W, 3) float32 of every pixel of the z-buffer.

    faces (F, 3), material (F,), table (M, 16), points, normals, tint (V, 3), uv (V, 2). `rays` = camera position and
    the ray of pixel (x, y) as corner + x right + y down. `shadow` (S, S) is the depth map seen from the light (larger =
    nearer) and `to_shadow` (3, 4) carries a point to its pixel x, y and depth.
    """
    height, width = buffer.face.shape
    out = np.zeros((height, width, 3), np.float32)
    eye, corner, right, down = (wp.vec3(*(float(value) for value in ray)) for ray in rays)
    lights = [
        wp.vec3(*(float(v) for v in c))
        for c in (light.toward, light.sun, light.sky, light.bounce, light.horizon, light.zenith)
    ]
    wp.launch(
        _shade,
        1,
        [
            shared(buffer.face),
            wp.array(buffer.bary, dtype=wp.vec2, device="cpu", copy=False),
            shared(faces),
            shared(material),
            shared(table),
            vectors(points),
            vectors(normals),
            wp.array(uv, dtype=wp.vec2, device="cpu", copy=False),
            vectors(tint),
            eye,
            corner,
            right,
            down,
            *lights,
            float(light.haze),
            shared(shadow),
            shared(to_shadow),
            wp.array(out, dtype=wp.vec3, device="cpu", copy=False),
        ],
        device="cpu",
    )
    return out
