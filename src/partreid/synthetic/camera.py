"""Cameras: where they hang, how they see colour, and how light becomes a JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from partreid.synthetic.scene import SCENES
from partreid.synthetic.shade import Light


@dataclass(frozen=True)
class Camera:
    """A camera at one of its places. Its frame: x right, y down, z along the view axis."""

    scene: str
    height: float  # metres above the ground
    pitch: float  # degrees downwards
    near: float  # metres: people are seen between near and far
    far: float
    spread: float  # people stand within +-spread of the axis, as a share of the distance
    pixels: float  # height in sensor pixels of a 1.7 m person at 6 m: the sharpness of the crops
    light: Light
    exposure: float  # brightness that a grey surface is brought to, sRGB-like 0..1
    gains: np.ndarray  # (3,) white balance
    gamma: float
    saturation: float
    noise: float  # standard deviation, 0..1
    vignette: float
    quality: int  # JPEG


SITES = 3  # places a camera looks at
_SETTINGS = (  # exposure, gains (r, g, b), gamma, saturation, noise, quality: six makes of cameras
    (0.43, (1.00, 1.00, 1.00), 1.00, 1.00, 0.012, 88),
    (0.46, (1.07, 1.00, 0.90), 0.95, 1.12, 0.016, 82),
    (0.40, (0.93, 0.99, 1.09), 1.06, 0.90, 0.020, 76),
    (0.43, (0.97, 1.04, 0.96), 1.03, 0.80, 0.014, 84),
    (0.48, (1.03, 0.98, 1.02), 0.93, 0.92, 0.010, 90),
    (0.39, (1.06, 1.02, 0.93), 1.08, 1.05, 0.024, 72),
)


def sites(number: int, rng: np.random.Generator) -> list[Camera]:
    """Camera `number` (0-based) of a data set at the places it looks at, one after another.

    The make (colour response) follows the number. Each camera looks at SITES places and each kind of place is seen by
    several cameras: a background says little about the camera, and nothing about the person.
    """
    exposure, gains, gamma, saturation, noise, quality = _SETTINGS[number % len(_SETTINGS)]
    high = float([2.6, 4.5, 3.2, 5.2, 1.7, 2.9][number % 6])
    vignette, pixels = float(rng.uniform(0.0, 0.3)), float(rng.uniform(120, 330))
    result = []
    for site in range(SITES):
        name = list(SCENES)[(number + 2 * site + site // 3) % len(SCENES)]
        near, far = (4.5, 7.5) if name == "station" else (5.0, 9.0)
        height = min(high * float(rng.uniform(0.9, 1.1)), 5.5 if SCENES[name][1] else 3.4)
        pitch = float(np.degrees(np.arctan2(height - 0.9, 0.5 * (near + far))) * rng.uniform(0.85, 1.0))
        result.append(
            Camera(
                name,
                height,
                pitch,
                near,
                far,
                0.32,
                pixels,
                _light(SCENES[name][1], rng),
                exposure,
                np.array(gains),
                gamma,
                saturation,
                noise,
                vignette,
                quality,
            )
        )
    return result


def _light(outdoors: bool, rng: np.random.Generator) -> Light:
    turn = rng.uniform(0, 2 * np.pi)
    up = np.radians(rng.uniform(28, 62) if outdoors else rng.uniform(60, 85))
    toward = np.array([np.cos(turn) * np.cos(up), np.sin(turn) * np.cos(up), np.sin(up)])
    if outdoors:
        warm = rng.uniform(0, 1)
        strength = rng.choice([0.35, 1.6, 2.4])  # overcast or sunny
        sun = strength * np.array([1.0, 0.97 - 0.06 * warm, 0.92 - 0.18 * warm])
        sky, bounce = np.array([0.72, 0.82, 1.0]) * rng.uniform(0.7, 1.0), np.array([0.34, 0.31, 0.27])
        horizon, zenith = np.array([0.80, 0.86, 0.93]) * 1.1, np.array([0.36, 0.55, 0.86])
        return Light(toward, sun, sky, bounce, horizon, zenith, 0.004)
    lamp = np.array([1.0, rng.uniform(0.92, 1.0), rng.uniform(0.78, 1.0)])
    return Light(toward, 0.8 * lamp, 0.85 * lamp, 0.38 * lamp, 0.5 * lamp, 0.5 * lamp, 0.0)


def view(camera: Camera) -> np.ndarray:
    """(3, 4) float64: scene point (x right, y ahead, z up) to the camera's frame."""
    p = np.radians(camera.pitch)
    turn = np.array([[1, 0, 0], [0, -np.sin(p), -np.cos(p)], [0, np.cos(p), -np.sin(p)]])
    return np.concatenate([turn, turn @ np.array([[0.0], [0.0], [-camera.height]])], 1)


def develop(
    light: np.ndarray, camera: Camera, size: tuple[int, int], person_pixels: float, rng: np.random.Generator
) -> np.ndarray:
    """Linear RGB (H, W, 3), supersampled, to an RGB picture uint8 of `size` (height, width).

    `person_pixels`: how many sensor rows the picture covers; fewer than its height means a soft picture.
    """
    height, width = size
    sensor = max(24, min(height, round(person_pixels)))
    small = (max(12, round(sensor * width / height)), sensor)
    picture = cv2.resize(light, small, interpolation=cv2.INTER_AREA)
    # exposure suits the place, not the crop: what grey half in the sun reflects becomes camera.exposure
    grey = 0.25 * float((0.5 * camera.light.sun + 0.75 * camera.light.sky).mean())
    picture = picture * np.float32(camera.exposure**2.2 / grey * np.exp(rng.normal(0, 0.12)))
    picture = picture * (camera.gains * np.exp(rng.normal(0, 0.03, 3))).astype(np.float32)
    picture = picture / (1.0 + 0.28 * picture * np.sqrt(picture))  # a soft shoulder instead of hard clipping
    y, x = np.linspace(-1, 1, sensor, dtype=np.float32)[:, None], np.linspace(-1, 1, small[0], dtype=np.float32)[None]
    picture = picture * (1 - np.float32(0.25 * camera.vignette) * (x * x + y * y))[..., None]
    picture = np.clip(picture, 0, 1) ** (camera.gamma / 2.2)
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    picture = grey[..., None] + camera.saturation * (picture - grey[..., None])
    picture = picture + np.float32(camera.noise) * rng.standard_normal(picture.shape, np.float32)
    if rng.random() < 0.25:  # motion or focus blur
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.1)) * sensor / 256)
    picture = np.clip(picture, 0, 1).astype(np.float32)
    if small != (width, height):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.round(picture * 255).astype(np.uint8)
