"""What the renderer knows about a picture, and the file it is kept in.

`truth.npz` is a chunked npz (partreid.storage.chunks): a header with the parameters, then per chunk of 1,024 images in
sorted order of their paths: path (n,) str and the fields of Truth, each with a first axis n.
"""

from dataclasses import dataclass, fields

import cv2
import numpy as np

MAP = (128, 64)  # rows, columns of the maps, whatever the size of the images


@dataclass(frozen=True)
class Truth:
    """The truth about one picture. Pixel coordinates: x right, y down, origin at the corner of the top-left pixel."""

    keypoints: np.ndarray  # (17, 3) float32: x, y in pixels (also outside the image), 1 seen / 0 hidden or out of frame
    parsing: np.ndarray  # (128, 64) uint8: Pascal-Person-Part classes of the person's visible pixels, 0 = anything else
    person: np.ndarray  # (128, 64) uint8: 0..255, how much of the cell shows the person
    head: np.ndarray  # (4,) float32: x0, y0, x1, y1 in pixels, clipped to the image; NaN when the head is hidden
    visible: np.ndarray  # () float32: share of the person that is in the box and not hidden
    view: np.ndarray  # () float32, degrees: 0 faces the camera, 90 walks to the image's right, 180 shows the back


FIELDS = tuple(field.name for field in fields(Truth))


def read_truth(
    part: np.ndarray,
    depth: np.ndarray,
    keypoints: np.ndarray,
    skull: np.ndarray,
    head: int,
    visible: float,
    azimuth: float,
    size: tuple[int, int],
) -> Truth:
    """Turn the z-buffer into labels.

    part (H, W) uint8: class of the target's visible samples, 0 elsewhere; depth (H, W): 1/distance; keypoints (17, 3):
    x, y in image pixels and distance in metres; skull (n, >= 2): image pixels of the skull's vertices; head: the class
    of heads; visible and azimuth are passed on. A joint is seen if some sample around it shows the person at most
    0.30 m in front of it (joints lie inside limbs; 0.10 m for nose, eyes and ears); behind more body it is hidden.
    """
    height, width = size
    samples = part.shape[0] / height
    seen = np.zeros(17, np.float32)
    for k, (x, y, distance) in enumerate(keypoints):
        if not (0 <= x < width and 0 <= y < height):
            continue
        row, column = int(y * samples), int(x * samples)
        reach = round(0.012 * part.shape[0])
        window = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        limit = 1.0 / max(distance - (0.10 if k < 5 else 0.30), 0.1)
        seen[k] = float(((part[window] > 0) & (depth[window] < limit)).any())
    rows, columns = MAP
    share = np.stack(
        [cv2.resize((part == c).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) for c in range(1, 7)]
    )
    person = share.sum(0)
    parsing = np.where(person >= 0.5, share.argmax(0) + 1, 0).astype(np.uint8)
    box = np.full(4, np.nan, np.float32)
    if len(skull):
        low = np.clip(skull[:, :2].min(0), 0, [width, height])
        high = np.clip(skull[:, :2].max(0), 0, [width, height])
        area = float(np.prod(high - low)) * samples**2
        if area > 0 and (part == head).sum() > 0.25 * area:
            box = np.array([*low, *high], np.float32)
    return Truth(
        np.concatenate([keypoints[:, :2], seen[:, None]], 1).astype(np.float32),
        parsing,
        np.round(np.clip(person, 0, 1) * 255).astype(np.uint8),
        box,
        np.array(visible, np.float32),
        np.array(azimuth, np.float32),
    )
