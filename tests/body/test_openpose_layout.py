from partreid.body import openpose_layout as layout
from partreid.body.skeleton import KEYPOINTS

# the published demo: limbs by the numbers of their joints (from 1) and their channels in the joint-first maps (from 0)
LIMB_SEQUENCE = (
    (2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12), (12, 13), (13, 14), (2, 1),
    (1, 15), (15, 17), (1, 16), (16, 18), (3, 17), (6, 18),
)  # fmt: skip
MAP_IDX = (
    (31, 32), (39, 40), (33, 34), (35, 36), (41, 42), (43, 44), (19, 20), (21, 22), (23, 24), (25, 26), (27, 28),
    (29, 30), (47, 48), (49, 50), (53, 54), (51, 52), (55, 56), (37, 38), (45, 46),
)  # fmt: skip


def test_limbs_are_in_the_published_order():
    for (first, second), (x, y) in zip(LIMB_SEQUENCE, MAP_IDX, strict=True):
        limb = (x - 19) // 2
        assert (x - 19, y - 19) == (2 * limb, 2 * limb + 1)
        assert layout.LIMBS[limb] == (layout.JOINTS[first - 1], layout.JOINTS[second - 1])
    assert len(layout.LIMBS) == 19


def test_joints_are_those_of_coco_and_the_neck():
    assert set(layout.JOINTS) == {*KEYPOINTS, "neck"}
    assert len(layout.JOINTS) == 18
    assert (layout.CHANNELS, layout.BACKGROUND) == (57, 56)


def test_a_mirror_twice_is_nothing():
    mirror, sign = layout.CHANNEL_MIRROR, layout.CHANNEL_SIGN
    assert [mirror[c] for c in mirror] == list(range(57))
    assert all(sign[c] * sign[mirror[c]] == 1 for c in range(57))


def test_a_mirror_exchanges_sides_and_turns_x():
    mirror, sign = layout.CHANNEL_MIRROR, layout.CHANNEL_SIGN
    left_arm, right_arm = (layout.LIMBS.index((f"{side}_shoulder", f"{side}_elbow")) for side in ("left", "right"))
    assert (mirror[2 * left_arm], sign[2 * left_arm]) == (2 * right_arm, -1)
    assert (mirror[2 * left_arm + 1], sign[2 * left_arm + 1]) == (2 * right_arm + 1, 1)
    neck_nose = 2 * layout.LIMBS.index(("neck", "nose"))
    assert (mirror[neck_nose], sign[neck_nose]) == (neck_nose, -1)
    left_ear, right_ear = (38 + layout.JOINTS.index(f"{side}_ear") for side in ("left", "right"))
    assert (mirror[left_ear], sign[left_ear]) == (right_ear, 1)
    assert (mirror[56], sign[56]) == (56, 1)
