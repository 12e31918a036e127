"""From PifPaf's fields to the 36 confidences of one person on an even grid over the image.

Kreiss, Bertoni, Alahi, "PifPaf: Composite Fields for Human Pose Estimation", CVPR 2019; the choice of the person is
that of BPBreID (Somers et al., WACV 2023, supplementary: "the pedestrian with its head closer to the top center part of
the bounding box", and labels of other persons are removed). How they are removed, the paper does not say; here:

In every field (a joint, or the limb between two joints) the persons who have that joint or both ends of that limb lay
claim to it, and a cell belongs to the claimant whose joint or limb is nearest. The target's share of a cell is 1 where
the target is at least as near as every other claimant, and falls to 0 where another one is nearer by a cell's width.
A field that only others claim is emptied; a field that nobody claims stays as it is: what little it holds was not
enough for anybody. All of a person's own fields stay when nobody else was found.

Coordinates: x right, y down, pixels of the original image, origin at the top-left corner of the top-left pixel. PifPaf
pads the image to sides of 16 n + 1 pixels, and its cell j lies on the centre of the padded image's pixel `stride` j.
"""

import math

import numpy as np

GRID = (33, 17)  # rows, columns; PifPaf gives as many for an image of 256 x 128 pixels
HEAD = (0, 1, 2, 3, 4)  # nose, eyes, ears
SHOULDERS = (5, 6)
LINKS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (1, 2),
    (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
"""The two keypoints of each limb field, in PifPaf's order."""


def confidence_index(components: int) -> int:
    """Which component of the fields is the confidence, from how many an association field (CAF) has.

    The two generations of PifPaf's heads differ: 9 components, confidence first; 8, after an unused one. ValueError
    for any other number, because a wrong guess would give plausible nonsense.
    """
    if components not in (8, 9):
        raise ValueError(f"association fields with {components} components; those of known heads have 8 or 9")
    return 1 if components == 8 else 0


def padding(height: int, width: int) -> tuple[int, int, int, int]:
    """left, top, padded height, padded width: the image set into the middle of the next sides of 16 n + 1 pixels."""
    tall, wide = (math.ceil((side - 1) / 16) * 16 + 1 for side in (height, width))
    return (wide - width) // 2, (tall - height) // 2, tall, wide


def to_original(x: np.ndarray, before: int, scale: float) -> np.ndarray:
    """Pixel numbers of the padded image to coordinates of the original.

    before: pixels of padding on the left (or top). scale: pixels of the unpadded image per pixel of the original.
    """
    return (x - before + 0.5) / scale


def persons(decoded: np.ndarray, left: int, top: int, scale: tuple[float, float]) -> np.ndarray:
    """Decoded keypoints (P, 17, 3) in pixel numbers of the padded image to coordinates of the original image.

    Keypoints with score 0 were not found and are all zeros.
    """
    x, y, score = np.moveaxis(decoded, -1, 0)
    placed = np.stack([to_original(x, left, scale[0]), to_original(y, top, scale[1]), score], -1)
    return np.where(score[..., None] > 0, placed, 0).astype(np.float32)


def head(person: np.ndarray) -> np.ndarray:
    """Where a person's head is, float (2,): the middle of nose, eyes and ears, as many as were found.

    Without any, the middle of the shoulders; without these, the uppermost keypoint. person: (17, 3), some score > 0.
    """
    seen = person[:, 2] > 0
    for group in (HEAD, SHOULDERS):
        members = [k for k in group if seen[k]]
        if members:
            return person[members, :2].mean(0)
    found = person[seen]
    return found[found[:, 1].argmin(), :2]


def target(people: np.ndarray, width: int) -> int:
    """The person (P, 17, 3) whose head is nearest to the middle of the image's upper edge."""
    heads = np.stack([head(person) for person in people])
    return int(np.hypot(heads[:, 0] - width / 2, heads[:, 1]).argmin())


def ownership(people: np.ndarray, chosen: int, x: np.ndarray, y: np.ndarray, cell: float) -> np.ndarray:
    """The target's share of every cell, float32 (36, h, w) in 0..1; see the module's docstring.

    people: (P, 17, 3). x (w,), y (h,): centres of the cells. cell: their distance, in pixels.
    """
    seen = people[..., 2] > 0  # (P, 17)
    a, b = np.array(LINKS).T
    claims = np.concatenate([seen, seen[:, a] & seen[:, b]], 1)  # (P, 36)
    start, end = (np.concatenate([people[..., :2], people[:, ends, :2]], 1) for ends in (a, b))  # (P, 36, 2)
    start[:, :17] = end[:, :17] = people[..., :2]  # a joint is a limb of length 0
    share = np.ones((claims.shape[1], len(y), len(x)), np.float32)
    others = np.arange(len(people)) != chosen
    for field in range(claims.shape[1]):
        rivals = np.flatnonzero(claims[:, field] & others)
        if not len(rivals):
            continue
        if not claims[chosen, field]:
            share[field] = 0
            continue
        theirs = np.min([_distance(x, y, start[p, field], end[p, field]) for p in rivals], 0)
        own = _distance(x, y, start[chosen, field], end[chosen, field])
        share[field] = (1 + (theirs - own) / cell).clip(0, 1)
    return share


def _distance(x: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """From cells to a segment: (h, w)."""
    dx, dy = (x - start[0])[None, :], (y - start[1])[:, None]
    along_x, along_y = end - start
    place = ((dx * along_x + dy * along_y) / max(along_x**2 + along_y**2, 1e-12)).clip(0, 1)
    return np.hypot(dx - place * along_x, dy - place * along_y)


def resample(
    fields: np.ndarray, image: tuple[int, int], left: int, top: int, scale: tuple[float, float], stride: int
) -> np.ndarray:
    """Fields of the padded image (C, h, w) to an even grid over the image's extent: float32 (C, *GRID).

    Between their cells the fields are taken as linear, outside the outermost cells as constant; a cell of the grid is
    the mean over its area. image: height, width of the original in pixels; left, top, scale as in `persons`.
    """
    height, width = image
    rows = _means(GRID[0], fields.shape[1], height, top, scale[1], stride)
    columns = _means(GRID[1], fields.shape[2], width, left, scale[0], stride)
    return (rows @ fields.astype(np.float32) @ columns.T).astype(np.float32)


def _means(new: int, old: int, length: int, before: int, scale: float, stride: int) -> np.ndarray:
    """Along one axis, how much every old cell counts for each new one: (new, old), rows sum to 1."""
    edges = (np.arange(new + 1) / new * length * scale + before - 0.5) / stride  # in old cells
    cells = np.arange(-1, old + 1)  # one more at either end, for what lies outside
    area = _integral(edges[:, None] - cells)  # (new + 1, old + 2)
    weights = np.diff(area, axis=0) / np.diff(edges)[:, None]
    inner = weights[:, 1:-1]
    inner[:, 0] += weights[:, 0]
    inner[:, -1] += weights[:, -1]
    return inner.astype(np.float32)


def _integral(t: np.ndarray) -> np.ndarray:
    """Of the hat 1 - |t| on -1..1, from its left end to t."""
    t = t.clip(-1, 1)
    return np.where(t < 0, (1 + t) ** 2 / 2, 1 - (1 - t) ** 2 / 2)
