"""Labels from a hand-made z-buffer."""

import numpy as np

from partreid.synthetic.truth import read_truth


def _scene() -> tuple[np.ndarray, np.ndarray]:
    part = np.zeros((512, 256), np.uint8)
    part[100:200, 80:180] = 1
    part[200:500, 60:200] = 2
    depth = np.where(part > 0, 1 / 5.0, 1 / 4.0).astype(np.float32)  # something nearer stands around the person
    return part, depth


def test_seen_and_hidden_joints() -> None:
    part, depth = _scene()
    keypoints = np.zeros((17, 3))
    keypoints[:] = (65.0, 75.0, 5.05)  # inside the head, a little behind its surface
    keypoints[0] = (65.0, 75.0, 5.3)  # a nose 0.3 m behind the surface: the back of the head is seen
    keypoints[5] = (15.0, 75.0, 5.1)  # behind the thing that stands nearer
    keypoints[6] = (65.0, 270.0, 5.1)  # below the image
    keypoints[7] = (65.0, 75.0, 5.6)  # an elbow behind the trunk
    truth = read_truth(part, depth, keypoints, np.zeros((0, 2)), 1, 0.5, 90.0, (256, 128))
    hidden = {0, 5, 6, 7}
    assert truth.keypoints.dtype == np.float32
    assert set(np.flatnonzero(truth.keypoints[:, 2] == 0)) == hidden
    np.testing.assert_array_equal(truth.keypoints[6, :2], [65, 270])  # the place is kept


def test_maps_have_the_fixed_size_and_agree() -> None:
    part, depth = _scene()
    for size in ((256, 128), (128, 64)):
        truth = read_truth(part, depth, np.zeros((17, 3)), np.zeros((0, 2)), 1, 0.5, 0.0, size)
        assert truth.parsing.shape == truth.person.shape == (128, 64)
        assert truth.parsing[30, 30] == 1
        assert truth.parsing[80, 30] == 2
        assert truth.parsing[5, 5] == 0
        assert truth.person[80, 30] == 255
        assert abs(truth.person.mean() / 255 - (part > 0).mean()) < 0.01


def test_head_box_is_clipped_and_missing_when_hidden() -> None:
    part, depth = _scene()
    skull = np.array([[40.0, -10.0], [90.0, 100.0]])
    seen = read_truth(part, depth, np.zeros((17, 3)), skull, 1, 0.5, 0.0, (256, 128))
    np.testing.assert_array_equal(seen.head, [40, 0, 90, 100])
    part[part == 1] = 0
    assert np.isnan(read_truth(part, depth, np.zeros((17, 3)), skull, 1, 0.5, 0.0, (256, 128)).head).all()
