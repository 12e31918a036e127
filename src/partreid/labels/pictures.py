"""Pictures of labels, and the fixed colours of body parts. All pictures are uint8 RGB (H, W, 3)."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import torch

from partreid.labels import grouping

PART_COLOURS: dict[str, tuple[int, int, int]] = {
    "head": (240, 228, 66),
    "upper": (86, 180, 233),
    "lower": (230, 159, 0),
    "arms": (86, 180, 233),
    "left_arm": (86, 180, 233),
    "right_arm": (0, 114, 178),
    "left_upper_arm": (86, 180, 233),
    "right_upper_arm": (0, 114, 178),
    "left_forearm": (190, 225, 250),
    "right_forearm": (70, 50, 150),
    "torso": (213, 94, 0),
    "upper_torso": (213, 94, 0),
    "lower_torso": (230, 159, 0),
    "legs": (0, 158, 115),
    "left_leg": (0, 158, 115),
    "right_leg": (0, 90, 60),
    "feet": (204, 121, 167),
    "left_foot": (204, 121, 167),
    "right_foot": (136, 34, 85),
}
"""Part name -> RGB, the same in every grouping. Hues of Okabe and Ito (2008), which colour-blind people tell apart;
left and right of one limb differ in lightness."""

HEIGHT = 256  # pixels of a panel; its width follows the image


def panel(image: np.ndarray) -> np.ndarray:
    """The image at the panel's height, aspect kept (but at most square, and at least a quarter as wide as high)."""
    width = round(HEIGHT * min(max(image.shape[1] / image.shape[0], 0.25), 1))
    shrinks = image.shape[0] > HEIGHT
    return cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def heat(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A map (h, w) in 0..1 over the image: dark blue is 0, yellow is 1, and the stronger the less image shows."""
    h, w = image.shape[:2]
    large = cv2.resize(values.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * large.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return _mix(image, colours, 0.2 + 0.5 * large.clip(0, 1))


def parts(image: np.ndarray, maps: np.ndarray, names: Sequence[str], threshold: float = 0.5) -> np.ndarray:
    """Each place of the image in the colour of its strongest part, where that is above the threshold.

    maps: float (K, h, w) in 0..1 over the image's whole extent, names: the K parts. Ties go to the first.
    """
    h, w = image.shape[:2]
    large = np.stack([cv2.resize(part.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR) for part in maps])
    colours = np.array([PART_COLOURS[name] for name in names], np.uint8)[large.argmax(0)]
    return _mix(image, colours, np.where(large.max(0) > threshold, np.float32(0.6), np.float32(0)))


def _mix(image: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.rint(image * (1 - share[..., None]) + colours * share[..., None]).astype(np.uint8)


def legend(names: Sequence[str], width: int) -> np.ndarray:
    """Coloured squares with their part names, as many rows as the width needs."""
    cell, line = 150, 22
    per_row = max(1, width // cell)
    picture = np.full((line * -(-len(names) // per_row), width, 3), 255, np.uint8)
    for i, name in enumerate(names):
        x, y = cell * (i % per_row) + 6, line * (i // per_row)
        picture[y + 4 : y + 18, x : x + 14] = PART_COLOURS[name]
        _write(picture, name.replace("_", " "), x + 20, y + 16)
    return picture


def _write(picture: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)


def tile(title: str, panels: Sequence[np.ndarray]) -> np.ndarray:
    """Panels of one image side by side under a one-line title."""
    row = np.concatenate([np.pad(one, ((0, 0), (0, 3), (0, 0)), constant_values=255) for one in panels], 1)
    picture = np.pad(row, ((18, 6), (0, 12), (0, 0)), constant_values=255)
    _write(picture, title, 2, 13)
    return picture


def sheet(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Tiles in rows of `columns`, on white; tiles may differ in size."""
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    width = max(sum(one.shape[1] for one in row) for row in rows)
    bands = []
    for row in rows:
        band = np.full((max(one.shape[0] for one in row), width, 3), 255, np.uint8)
        x = 0
        for one in row:
            band[: one.shape[0], x : x + one.shape[1]] = one
            x += one.shape[1]
        bands.append(band)
    return np.concatenate(bands)


def pifpaf(image: np.ndarray, values: Mapping[str, np.ndarray], grouped: int | str) -> list[np.ndarray]:
    """Panels of one row of label `pifpaf`: image, joint fields, limb fields, parts."""
    fields = values["fields"].astype(np.float32) / 255  # (36, h, w)
    maps = grouping.group(torch.from_numpy(fields), grouped).numpy()
    shown = panel(image)
    pictures = [heat(shown, fields[:17].max(0)), heat(shown, fields[17:].max(0))]
    return [shown, *pictures, parts(shown, maps, grouping.names(grouped))]


PANELS: dict[str, tuple[tuple[str, ...], Callable[[np.ndarray, Mapping[str, np.ndarray], int | str], list[np.ndarray]]]]
PANELS = {
    "pifpaf": (("fields",), pifpaf),
}
"""Label -> the members of its cache that a picture needs, and the function that draws one image's panels."""
