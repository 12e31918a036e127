"""The groups of images that quality is told of: by occlusion, and by the side that the person shows."""

import numpy as np

TURN = 45.0  # degrees from straight ahead or straight away that still count as front and back
GROUPS = ("all", "unoccluded", "occluded", "front", "side", "back")


def groups(occluded: np.ndarray, view: np.ndarray) -> dict[str, np.ndarray]:
    """Group -> bool (N,), in the order of GROUPS.

    occluded: bool (N,), of the image table: part of the person is hidden or cut off. view: degrees (N,), any multiple
    of 360 away: 0 faces the camera, 90 walks to the image's right, 180 shows the back.
    """
    off = np.abs((view + 180) % 360 - 180)  # degrees from facing the camera, 0..180
    front, back = off <= TURN, off >= 180 - TURN
    masks = (np.ones(len(view), bool), ~occluded, occluded, front, ~front & ~back, back)
    return dict(zip(GROUPS, masks, strict=True))
