"""The channels of OpenPose's maps for the COCO body: 38 limb, then 19 joint, and what a mirror does to them.

Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", CVPR 2017. The joints are those of
COCO and the neck, in the published model's own order. A limb has two channels, the x and the y component of a unit
vector that points from its first joint to its second; limbs are in the order of the network's output, which the
published demo lists as `mapIdx` (there counted after the 19 joint channels, and in the order in which people are put
together). Part-Aligned Bilinear takes limbs first, joints second, and 128 inner maps third.
"""

from partreid.body.skeleton import mirror

JOINTS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
"""The 18 joints; the 19th joint channel is the background, 1 where no joint is."""

LIMBS = (
    ("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("neck", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("right_shoulder", "right_ear"),
    ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("left_shoulder", "left_ear"), ("neck", "nose"), ("nose", "right_eye"), ("nose", "left_eye"),
    ("right_eye", "right_ear"), ("left_eye", "left_ear"),
)  # fmt: skip
"""The 19 limbs: limb l has channels 2 l (x) and 2 l + 1 (y)."""

CHANNELS = 2 * len(LIMBS) + len(JOINTS) + 1  # 57
BACKGROUND = CHANNELS - 1

_LIMB_MIRROR = tuple(LIMBS.index((mirror(a), mirror(b))) for a, b in LIMBS)

CHANNEL_MIRROR = (
    *(2 * limb + axis for limb in _LIMB_MIRROR for axis in (0, 1)),
    *(2 * len(LIMBS) + JOINTS.index(mirror(name)) for name in JOINTS),
    BACKGROUND,
)
"""After a horizontal flip, channel c of the new image is channel CHANNEL_MIRROR[c] of the old one, flipped ..."""

CHANNEL_SIGN = tuple(-1 if c < 2 * len(LIMBS) and c % 2 == 0 else 1 for c in range(CHANNELS))
"""... and times CHANNEL_SIGN[c]: the x components of limbs point the other way.

The 128 inner maps have no meaning that could be exchanged; to flip them in place is an approximation.
"""
