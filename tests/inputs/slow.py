"""What a change means, image by image and in double precision: the slow, obvious way."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from partreid.inputs.images import MEAN, STD

NOTHING = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Change:
    """See partreid.inputs.augmentation."""

    flip: bool = False
    dy: float = 0.0
    dx: float = 0.0
    hole: tuple = NOTHING

    def numbers(self):
        return np.array([self.flip, self.dy, self.dx, *self.hole])


def of_row(row):
    flip, dy, dx, *hole = row.tolist()
    return Change(bool(flip), dy, dx, tuple(hole))


def changes(*made):
    return torch.from_numpy(np.stack([change.numbers() for change in made]).astype(np.float32))


def move_image(image, change):
    height, width = image.shape[:2]
    if change.flip:
        image = image[:, ::-1]
    move = np.array([[1, 0, round(change.dx * width)], [0, 1, round(change.dy * height)]], np.float32)
    return cv2.warpAffine(np.ascontiguousarray(image), move, (width, height), flags=cv2.INTER_NEAREST)


def covered(change, height, width):
    result = np.zeros((height, width), bool)
    y0, x0, y1, x1 = np.array(change.hole, np.float32)
    for y in range(height):
        for x in range(width):
            row, column = np.float32((y + 0.5) / height), np.float32((x + 0.5) / width)
            result[y, x] = y0 <= row < y1 and x0 <= column < x1
    return result


def normalised(image):
    """uint8 (H, W, 3) -> float32 (3, H, W)."""
    return ((torch.from_numpy(image).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)


def changed_image(image, change):
    image = move_image(image, change).copy()
    image[covered(change, *image.shape[:2])] = [round(255 * mean) for mean in MEAN]
    return normalised(image)


def changed_field(field, change):
    """One field (h, w) in double precision, by torch's own resampling of an affine map."""
    sign = -1.0 if change.flip else 1.0
    theta = torch.tensor([[sign, 0, -2 * change.dx * sign], [0, 1, -2 * change.dy]], dtype=torch.float64)[None]
    grid = F.affine_grid(theta, [1, 1, *field.shape], align_corners=False)
    moved = F.grid_sample(field.double()[None, None], grid, "bilinear", "zeros", align_corners=False)
    return moved[0, 0]
