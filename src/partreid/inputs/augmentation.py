"""One random change of image and labels together: flip, shift (pad and crop), erase.

The changes of a batch are drawn on the host, as a few numbers an image in fractions of its size, and then applied, on
whatever device the batch lies, to images in pixels and to label fields in their own cells, so that they cannot drift
apart. Fields with a left and a right are exchanged by a flip.

A change is a row of seven numbers: flip (1: mirror horizontally, first), dy, dx (shift down and right, second), y0, x0,
y1, x1 (the hole, erased last; all 0: none). All but flip in fractions of the image's height or width, origin at the
top left.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from partreid.inputs.images import MEAN, normalise
from partreid.layers.constants import constant

FLIP, DY, DX = range(3)
HOLE = slice(3, 7)
TRIES = 100  # holes drawn for an image, at most, as in the paper's algorithm 1
AREAS = (0.02, 0.4)  # of the image
RATIOS = (0.3, 1 / 0.3)  # height to width
GREY = (124, 116, 104)  # MEAN as eight bits hold it


def draw(
    rng: np.random.Generator, count: int, height: int, width: int, *, flip: float, pad: int, erase: float
) -> np.ndarray:
    """Draw the changes of `count` images of height x width pixels: float64 (count, 7).

    flip, erase: probabilities. pad: an image is padded by that many black pixels on every side and cropped back at
    random.
    """
    changes = np.zeros((count, 7))
    changes[:, FLIP] = rng.random(count) < flip
    changes[:, [DY, DX]] = rng.integers(-pad, pad + 1, (count, 2)) / (height, width)
    erased = np.flatnonzero(rng.random(count) < erase)
    changes[erased, HOLE] = draw_holes(rng, len(erased), height, width) / (height, width, height, width)
    return changes


def draw_holes(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Rectangles y0, x0, y1, x1 in pixels: int64 (count, 4). None (zeros) where TRIES draws do not fit.

    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, algorithm 1: area and aspect ratio are uniform. They
    are drawn anew for all images that have no hole yet, until all have one.
    """
    found = np.zeros((count, 4), np.int64)
    todo = np.arange(count)
    for _ in range(TRIES):
        if not len(todo):
            break
        area = rng.uniform(*AREAS, len(todo)) * height * width
        ratio = rng.uniform(*RATIOS, len(todo))
        h, w = np.rint(np.sqrt(area * ratio)).astype(int), np.rint(np.sqrt(area / ratio)).astype(int)
        fits = (h > 0) & (h < height) & (w > 0) & (w < width)
        h, w = h[fits], w[fits]
        y0, x0 = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        found[todo[fits]] = np.stack([y0, x0, y0 + h, x0 + w], 1)
        todo = todo[~fits]
    return found


def move_images(images: Tensor, changes: Tensor) -> Tensor:
    """Flip and shift uint8 images (B, H, W, C) by changes float32 (B, 7); the border is black.

    On the CPU image by image, whose rows are then copied whole: five times faster there than the gather that a GPU
    does for all at once.
    """
    return _move_each(images, changes) if images.device.type == "cpu" else _gather(images, changes)


def _gather(images: Tensor, changes: Tensor) -> Tensor:
    B, H, W, _ = images.shape
    y, down = _sources(H, changes[:, DY])
    x, right = _sources(W, changes[:, DX])
    x = torch.where(changes[:, FLIP, None] > 0, W - 1 - x, x)
    inside = (down[:, :, None] & right[:, None, :])[..., None]
    number = torch.arange(B, device=images.device)[:, None, None]
    moved = images[number, y.clamp(0, H - 1)[:, :, None], x.clamp(0, W - 1)[:, None, :]]
    return torch.where(inside, moved, 0)


def _sources(size: int, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Which of `size` lines comes to each line after a shift (B,) in fractions, and whether it exists: (B, size)."""
    source = torch.arange(size, device=shift.device) - (shift * size).round().long()[:, None]
    return source, (source >= 0) & (source < size)


def _move_each(images: Tensor, changes: Tensor) -> Tensor:
    H, W = images.shape[1:3]
    result = torch.zeros_like(images)
    pixels = (changes[:, :3] * torch.tensor([1, H, W])).round().int().tolist()
    for image, moved, (flip, dy, dx) in zip(images.numpy(), result.numpy(), pixels, strict=True):
        rows, columns = slice(max(dy, 0), H + min(dy, 0)), slice(max(dx, 0), W + min(dx, 0))
        from_rows, from_columns = slice(max(-dy, 0), H + min(-dy, 0)), slice(max(-dx, 0), W + min(-dx, 0))
        moved[rows, columns] = (cv2.flip(image, 1) if flip else image)[from_rows, from_columns]
    return result


def erase_pixels(images: Tensor, changes: Tensor) -> Tensor:
    """uint8 RGB images (B, H, W, 3) with the ImageNet mean colour in the holes: erase_images' fill `mean`, earlier."""
    colour = constant(GREY, images.device).to(torch.uint8)
    if images.device.type != "cpu":
        return torch.where(holes(changes, *images.shape[1:3])[..., None], colour, images)
    result = images.clone()
    filled = colour.expand(images.shape[1:]).contiguous().numpy()  # whole rows are copied faster than colours
    for image, covered in zip(result.numpy(), _covered_pixels(changes, *images.shape[1:3]), strict=True):
        image[covered] = filled[covered]
    return result


def _covered_pixels(changes: Tensor, height: int, width: int) -> list[tuple[slice, slice]]:
    """The rows and columns of each hole, as `holes` has them."""
    sizes = torch.tensor([height, width, height, width])
    # a pixel is covered where its centre is: the first one whose centre + 0.5 is not below the edge
    y0, x0, y1, x1 = (changes[:, HOLE].double() * sizes - 0.5).ceil().int().unbind(1)
    return [(slice(a, b), slice(c, d)) for a, b, c, d in torch.stack([y0, y1, x0, x1], 1).tolist()]


def draw_lights(rng: np.random.Generator, count: int, jitter: float) -> np.ndarray:
    """Factors of brightness (by up to 20 %) and contrast (15 %) of `count` images: float64 (count, 2), as `relit` has
    them. jitter: the probability that an image's are not 1; the amounts are those of BPBreID's code."""
    lights = np.stack([rng.uniform(0.8, 1.2, count), rng.uniform(0.85, 1.15, count)], 1)
    return np.where(rng.random((count, 1)) < jitter, lights, 1)


def relit(images: Tensor, lights: Tensor) -> Tensor:
    """uint8 RGB images (B, H, W, 3) of other brightness and contrast; lights: float64 (B, 2).

    First brightness, a factor on all values; then contrast, a factor on their distance from the mean of the grey image.
    """
    brightness, contrast = lights[:, :, None, None, None].unbind(1)
    bright = (images * brightness).clamp(0, 255)
    grey = (bright @ constant((0.299, 0.587, 0.114), images.device).double()).mean((1, 2))[:, None, None, None]
    return (bright * contrast + grey * (1 - contrast)).clamp(0, 255).round().to(torch.uint8)


def change_fields(fields: Tensor, changes: Tensor, mirror: tuple[int, ...] | None = None) -> Tensor:
    """Flip and shift label fields: (B, C, h, w) of any type, changes float32 (B, 7); float32.

    Fields cover the same extent as the image, cell centres evenly spaced. mirror[c] is the field that stands in
    field c's place after a flip; by default each its own. Bilinear; 0 comes in from outside.
    """
    B, C, h, w = fields.shape
    device = fields.device
    channels = torch.arange(C, device=device)[None]
    if mirror is not None:
        channels = torch.where(changes[:, FLIP, None] > 0, constant(mirror, device), channels)  # (B, C)
    # down: each row is a mean of two rows, of which those outside are 0
    shift = changes[:, DY] * h
    whole = shift.floor()
    part = (shift - whole)[:, None, None, None]
    upper = _rows(fields, channels, whole.long() + 1)
    lower = _rows(fields, channels, whole.long())
    moved = upper * part + lower * (1 - part)  # (B, C, h, w)
    # across, with the flip: a product with a matrix of two diagonals
    return (moved.view(B, C * h, w) @ _across(changes, w)).view(B, C, h, w)


def _rows(fields: Tensor, channels: Tensor, down: Tensor) -> Tensor:
    """Fields (B, C, h, w) in the order `channels` (B, C), moved by whole rows `down` (B,); 0 comes in; float32."""
    B, C, h, w = fields.shape
    row = torch.arange(h, device=fields.device) - down[:, None]  # (B, h)
    inside = ((row >= 0) & (row < h))[:, None, :, None]
    first = (torch.arange(B, device=fields.device)[:, None] * C + channels) * h  # (B, C)
    places = first[:, :, None] + row.clamp(0, h - 1)[:, None]  # (B, C, h)
    taken = fields.reshape(B * C * h, w).index_select(0, places.flatten()).view(B, C, h, w)
    return taken.float() * inside


def _across(changes: Tensor, w: int) -> Tensor:
    """The flip and the shift along rows of w cells as matrices float32 (B, w, w): moved row = row @ matrix."""
    shift = changes[:, DX] * w
    whole = shift.floor()
    part = (shift - whole)[:, None, None]
    target = torch.arange(w, device=changes.device)
    # where each column is after the flip
    source = torch.where(changes[:, FLIP, None, None] > 0, w - 1 - target[:, None], target[:, None])
    apart = target - source - whole.long()[:, None, None]  # (B, w, w)
    return torch.where(apart == 0, 1 - part, 0) + torch.where(apart == 1, part, 0)


def erase_fields(fields: Tensor, changes: Tensor) -> Tensor:
    """Label fields (B, C, h, w) with 0, background, in the holes."""
    return fields.masked_fill(holes(changes, *fields.shape[2:])[:, None], 0)


def mean_colour(device: torch.device) -> Tensor:
    """The ImageNet mean colour as eight bits hold it, normalised: (3, 1, 1), near 0."""
    return normalise(constant(GREY, device).to(torch.uint8)[None, None, None])[0]


# what stands in holes of normalised images; raw: the mean colour's own numbers, as in Bag of Tricks' and BPBreID's code
FILLS: Mapping[str, Callable[[torch.device], Tensor]] = {
    "mean": mean_colour,
    "raw": lambda device: constant(MEAN, device)[:, None, None],
}


def erase_images(images: Tensor, changes: Tensor, fill: str = "mean") -> Tensor:
    """Normalised images (B, 3, H, W) with their holes filled. fill: a key of FILLS."""
    return torch.where(holes(changes, *images.shape[2:])[:, None], FILLS[fill](images.device), images)


def holes(changes: Tensor, height: int, width: int) -> Tensor:
    """Where a hole covers a cell's centre: bool (B, height, width)."""
    y = (torch.arange(height, device=changes.device) + 0.5) / height
    x = (torch.arange(width, device=changes.device) + 0.5) / width
    y0, x0, y1, x1 = (changes[:, i, None] for i in range(3, 7))
    rows, columns = (y0 <= y) & (y < y1), (x0 <= x) & (x < x1)  # (B, height), (B, width)
    return rows[:, :, None] & columns[:, None, :]
