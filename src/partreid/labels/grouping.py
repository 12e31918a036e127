"""The groupings of PifPaf's 36 fields into K body parts of BPBreID (supplementary).

A part's map is the element-wise maximum of its fields. Fields may be in two groups or in none; where the groups of the
published code are lopsided (the link between the hips belongs to the left leg alone) they are kept as published.
"""

from torch import Tensor

from partreid.errors import choose
from partreid.layers.constants import constant

# numbers are partreid.body.skeleton.FIELDS
_HEAD = (0, 1, 2, 3, 4, 29, 30, 31, 32, 33, 34, 35)  # nose, eyes, ears, their links, and ear to shoulder
_SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _KNEES, _ANKLES = (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)
_ARMS = (*_SHOULDERS, *_ELBOWS, *_WRISTS, 25, 26, 27, 28)
_LEFT_ARM, _RIGHT_ARM = (5, 7, 9, 25, 27), (6, 8, 10, 26, 28)
_TORSO = (*_HIPS, 21, 22, 23, 24)
_LEGS = (*_HIPS, *_KNEES, *_ANKLES, 17, 18, 19, 20, 21)

Groups = tuple[tuple[str, tuple[int, ...]], ...]

GROUPS: dict[int | str, Groups] = {
    2: (("upper", (*_HEAD, *_ARMS, 22, 23, 24)), ("lower", _LEGS)),
    3: (("head", _HEAD), ("upper", (*_ARMS, 22, 23, 24)), ("legs", _LEGS)),
    4: (("head", _HEAD), ("arms", _ARMS), ("torso", (*_SHOULDERS, *_TORSO)), ("legs", _LEGS)),
    5: (
        ("head", _HEAD),
        ("arms", _ARMS),
        ("torso", _TORSO),
        ("legs", (*_HIPS, *_KNEES, 17, 18, 19, 20, 21)),
        ("feet", _ANKLES),
    ),
    # the released Market-1501 and DukeMTMC configurations; the torso's other links are in no group
    "five_v": (
        ("head", _HEAD),
        ("upper", (*_SHOULDERS, *_ELBOWS, 24, 25, 26)),
        ("lower", (*_WRISTS, *_HIPS, 23, 27, 28)),
        ("legs", (*_HIPS, *_KNEES, 17, 18, 19, 20)),
        ("feet", _ANKLES),
    ),
    6: (
        ("head", _HEAD),
        ("torso", _TORSO),
        ("left_arm", _LEFT_ARM),
        ("right_arm", _RIGHT_ARM),
        ("legs", (*_KNEES, 17, 18, 19, 20, 21)),
        ("feet", _ANKLES),
    ),
    "six": (
        ("head", _HEAD),
        ("left_arm", _LEFT_ARM),
        ("right_arm", _RIGHT_ARM),
        ("torso", _TORSO),
        ("left_leg", (13, 15, 17, 18, 21)),
        ("right_leg", (14, 16, 19, 20)),
    ),
    8: (
        ("head", _HEAD),
        ("left_arm", _LEFT_ARM),
        ("right_arm", _RIGHT_ARM),
        ("torso", _TORSO),
        ("left_leg", (13, 17, 18, 21)),
        ("right_leg", (14, 19, 20)),
        ("left_foot", (15,)),
        ("right_foot", (16,)),
    ),
    11: (
        ("head", _HEAD),
        ("left_upper_arm", (5, 7, 25)),
        ("left_forearm", (9, 27)),
        ("right_upper_arm", (6, 8, 26)),
        ("right_forearm", (10, 28)),
        ("upper_torso", (22, 23, 24)),
        ("lower_torso", (*_HIPS, 21)),
        ("left_leg", (13, 18, 21)),
        ("right_leg", (14, 20)),
        ("left_foot", (15, 17)),
        ("right_foot", (16, 19)),
    ),
}


def groups(parts: int | str, what: str = "number of parts") -> Groups:
    """The groups of K parts or of a named variant, in the published order. UserError lists the known ones of `what`."""
    table = {str(key): value for key, value in GROUPS.items()}
    return choose(table, str(parts), what)


def names(parts: int | str, what: str = "number of parts") -> tuple[str, ...]:
    """The K parts' names. what: to call them in a UserError."""
    return tuple(name for name, _ in groups(parts, what))


def group(fields: Tensor, parts: int | str) -> Tensor:
    """36 fields (..., 36, h, w), any dtype -> K part maps (..., K, h, w) by the maximum inside each group."""
    maps = fields.new_empty((*fields.shape[:-3], len(groups(parts)), *fields.shape[-2:]))
    for k, (_, members) in enumerate(groups(parts)):
        maps[..., k, :, :] = fields.index_select(-3, constant(members, fields.device)).amax(-3)
    return maps
