"""The 17 COCO keypoints, the 19 links between them, and what a mirror does to them.

"left" and "right" are the person's own. Order and names follow COCO; the 36 fields of PifPaf are the 17 keypoints
followed by the 19 links, in this order (BPBreID, supplementary).
"""

KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

LINKS = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("right_knee", "right_hip"),
    ("left_hip", "right_hip"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_eye", "right_eye"), ("nose", "left_eye"),
    ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"), ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
)  # fmt: skip

FIELDS = KEYPOINTS + tuple(f"{a}-{b}" for a, b in LINKS)  # 36


def mirror(name: str) -> str:
    """The keypoint that stands at `name`'s place in the mirrored image."""
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def _mirrored_link(link: tuple[str, str]) -> int:
    ends = {mirror(end) for end in link}
    return next(i for i, other in enumerate(LINKS) if set(other) == ends)


KEYPOINT_MIRROR = tuple(KEYPOINTS.index(mirror(name)) for name in KEYPOINTS)
"""After a horizontal flip, keypoint k of the new image is keypoint KEYPOINT_MIRROR[k] of the old one."""

FIELD_MIRROR = KEYPOINT_MIRROR + tuple(len(KEYPOINTS) + _mirrored_link(link) for link in LINKS)
"""The same for the 36 fields."""
