"""One random change of image and labels together: flip, shift (pad and crop), erase.

The change is drawn once per image, in fractions of its size, and then applied to the image in pixels and to the label
fields in their own cells, so that they cannot drift apart. Fields with a left and a right are exchanged by a flip.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from partreid.inputs.images import MEAN, normalise


@dataclass(frozen=True)
class Change:
    """flip: mirror horizontally, first. dy, dx: shift down and right, second. hole: y0, x0, y1, x1 erased, last.

    All but flip in fractions of the image's height or width, origin at the top left. An empty hole is all zeros.
    """

    flip: bool
    dy: float
    dx: float
    hole: tuple[float, float, float, float]

    def numbers(self) -> np.ndarray:
        """float32 (7,): flip, dy, dx, y0, x0, y1, x1."""
        return np.array([self.flip, self.dy, self.dx, *self.hole], np.float32)


STILL = Change(False, 0, 0, (0, 0, 0, 0))


def draw(rng: np.random.Generator, height: int, width: int, flip: float, pad: int, erase: float) -> Change:
    """Draw a change for an image of height x width pixels.

    flip, erase: probabilities. pad: the image is padded by that many black pixels on every side and cropped back at
    random. Erasing: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020: area 2 to 40 %, ratio 0.3 to 3.3.
    """
    mirrored = bool(rng.random() < flip)
    dy, dx = (int(rng.integers(-pad, pad + 1)) for _ in range(2))
    hole = draw_hole(rng, height, width) if rng.random() < erase else (0, 0, 0, 0)
    y0, x0, y1, x1 = hole
    return Change(mirrored, dy / height, dx / width, (y0 / height, x0 / width, y1 / height, x1 / width))


def draw_hole(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
    """A rectangle y0, x0, y1, x1 in pixels; none (zeros) if 100 draws do not fit, as in the paper's algorithm 1."""
    for _ in range(100):
        area = rng.uniform(0.02, 0.4) * height * width
        ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
        h, w = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < h < height and 0 < w < width:
            y0, x0 = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
            return y0, x0, y0 + h, x0 + w
    return 0, 0, 0, 0


def move_image(image: np.ndarray, change: Change) -> np.ndarray:
    """Flip and shift a uint8 RGB image (H, W, 3); the border is black."""
    height, width = image.shape[:2]
    if change.flip:
        image = image[:, ::-1]
    move = np.array([[1, 0, round(change.dx * width)], [0, 1, round(change.dy * height)]], np.float32)
    return cv2.warpAffine(np.ascontiguousarray(image), move, (width, height), flags=cv2.INTER_NEAREST)


def jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A uint8 RGB image (H, W, 3) of other brightness (by up to 20 %) and contrast (15 %), as in BPBreID's code.

    First brightness, a factor on all values; then contrast, a factor on their distance from the mean of the grey image.
    """
    brightness, contrast = rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.15)
    bright = np.clip(image * brightness, 0, 255)
    grey = (bright @ np.array([0.299, 0.587, 0.114])).mean()
    return np.clip(bright * contrast + grey * (1 - contrast), 0, 255).round().astype(np.uint8)


def change_fields(fields: Tensor, changes: Tensor, mirror: tuple[int, ...]) -> Tensor:
    """Flip and shift label fields: (B, C, h, w), changes float32 (B, 7) as Change.numbers gives them.

    Fields cover the same extent as the image, cell centres evenly spaced. mirror[c] is the field that stands in
    field c's place after a flip. Bilinear; 0 comes in from outside.
    """
    if not changes[:, :3].any():
        return fields
    flip, dy, dx = changes[:, 0], changes[:, 1], changes[:, 2]
    exchanged = fields[:, list(mirror)]
    fields = torch.where(flip[:, None, None, None] > 0, exchanged, fields)
    sign = 1 - 2 * flip
    # affine_grid maps an output place to the input place it comes from, both in -1..1: x_in = sign * (x_out - 2 dx)
    zero, one = torch.zeros_like(sign), torch.ones_like(sign)
    theta = torch.stack([sign, zero, -2 * dx * sign, zero, one, -2 * dy], 1).unflatten(1, (2, 3))  # (B, 2, 3)
    grid = F.affine_grid(theta, list(fields.shape), align_corners=False)
    return F.grid_sample(fields, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def erase_fields(fields: Tensor, changes: Tensor) -> Tensor:
    """Label fields (B, C, h, w) with 0, background, in the holes."""
    return fields.masked_fill(holes(changes, *fields.shape[2:])[:, None], 0)


def mean_colour() -> Tensor:
    """The ImageNet mean colour as eight bits hold it, normalised: (3, 1, 1), near 0."""
    return normalise(torch.tensor(MEAN).mul(255).round().to(torch.uint8)[None, None, None])[0]


# what stands in holes of normalised images; raw: the mean colour's own numbers, as in Bag of Tricks' and BPBreID's code
FILLS: Mapping[str, Callable[[], Tensor]] = {"mean": mean_colour, "raw": lambda: torch.tensor(MEAN)[:, None, None]}


def erase_images(images: Tensor, changes: Tensor, fill: str = "mean") -> Tensor:
    """Normalised images (B, 3, H, W) with their holes filled. fill: a key of FILLS."""
    return torch.where(holes(changes, *images.shape[2:])[:, None], FILLS[fill](), images)


def holes(changes: Tensor, height: int, width: int) -> Tensor:
    """Where a hole covers a cell's centre: bool (B, height, width)."""
    y = (torch.arange(height, device=changes.device) + 0.5) / height
    x = (torch.arange(width, device=changes.device) + 0.5) / width
    y0, x0, y1, x1 = (changes[:, i, None] for i in range(3, 7))
    rows, columns = (y0 <= y) & (y < y1), (x0 <= x) & (x < x1)  # (B, height), (B, width)
    return rows[:, :, None] & columns[:, None, :]
