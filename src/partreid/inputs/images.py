"""Images as the networks want them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from partreid.errors import UserError
from partreid.inputs.decoding import decoded
from partreid.layers.constants import constant
from partreid.storage.files import image_bytes

# ImageNet statistics, RGB in 0..1; every ImageNet weight file we load was trained with them
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def read_image(path: Path) -> np.ndarray:
    """Read an image file: uint8 RGB (H, W, 3). UserError when it cannot be read now, or is damaged."""
    image = decoded(image_bytes(path))
    if image is None:
        raise UserError(
            f"the image {path} is damaged, which it was not when the data set was indexed; bring the good file back, "
            "or make the index anew, which leaves it out: dvc repro -f data/dvc.yaml:index@<data set>"
        )
    return image


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (H, W, 3) -> (height, width, 3): bilinear, by area when shrinking."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] > height and image.shape[1] > width
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def normalise(images: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) -> float32 (B, 3, H, W), channels last, with ImageNet mean 0 and standard deviation 1."""
    B, H, W, _ = images.shape
    # whole rows at a time: loops over three colours would be several times slower
    mean, std = (constant(colour * W, images.device) for colour in (MEAN, STD))
    pixels = images.reshape(B, H, 3 * W).float().div_(255).sub_(mean).div_(std)
    return pixels.view(B, H, W, 3).permute(0, 3, 1, 2)


def load_images(root: Path, paths: Sequence[str], height: int, width: int) -> Tensor:
    """Images as the networks take them in a test: float32 (B, 3, height, width)."""
    return normalise(torch.from_numpy(np.stack([resized(read_image(root / path), height, width) for path in paths])))
