import numpy as np
import pytest

from partreid.body.skeleton import FIELDS, KEYPOINTS, LINKS
from partreid.tools.programs import confidences

WHOLE = (1.0, 1.0)


def person(**seen: tuple[float, float]) -> np.ndarray:
    """Keypoints (17, 3) with score 1 for those that are named."""
    result = np.zeros((17, 3), np.float32)
    for name, xy in seen.items():
        result[KEYPOINTS.index(name)] = (*xy, 1)
    return result


def test_the_limbs_are_those_of_the_skeleton():
    assert [(KEYPOINTS[a], KEYPOINTS[b]) for a, b in confidences.LINKS] == list(LINKS)


def test_field_index_rule():
    assert confidences.confidence_index(8) == 1
    assert confidences.confidence_index(9) == 0
    for components in (5, 7, 10):
        with pytest.raises(ValueError, match=f"{components} components"):
            confidences.confidence_index(components)


@pytest.mark.parametrize("size", [(1, 1), (16, 17), (33, 18), (128, 64), (256, 128), (131, 67), (1000, 20)])
def test_padding_is_central_and_fits_the_stride(size):
    left, top, height, width = confidences.padding(*size)
    assert (height % 16, width % 16) == (1, 1)
    for before, side, padded in ((top, size[0], height), (left, size[1], width)):
        after = padded - side - before
        assert 0 <= after - before <= 1  # an odd pixel goes to the right or the bottom
        assert padded - side < 16


def test_keypoints_come_back_from_the_padded_image():
    # the pixel in column 10, row 20 of the original, twice as large in the padded image
    left, top = 5, 7
    decoded = np.zeros((1, 17, 3))
    decoded[0, 0] = (2 * 10 + 0.5 + left, 2 * 20 + 0.5 + top, 0.8)  # its centre, in numbers of larger pixels
    placed = confidences.persons(decoded, left, top, (2, 2))
    np.testing.assert_allclose(placed[0, 0], [10.5, 20.5, 0.8], rtol=1e-6)
    assert not placed[0, 1:].any()  # not found: zeros, not minus the padding


@pytest.mark.parametrize(("size", "scale"), [((128, 64), 1.0), ((256, 128), 1.0), ((131, 67), 1.0), ((900, 500), 0.37)])
def test_resampling_removes_the_padding(size, scale):
    """A field that holds each cell's x (or y) in the original comes out as the x of the grid's cells."""
    height, width = size
    left, top, tall, wide = confidences.padding(round(height * scale), round(width * scale))
    x = confidences.to_original(np.arange(0, wide, 8), left, scale)
    y = confidences.to_original(np.arange(0, tall, 8), top, scale)
    fields = np.stack([np.broadcast_to(x, (len(y), len(x))), np.broadcast_to(y[:, None], (len(y), len(x)))])
    even = confidences.resample(fields, size, left, top, (scale, scale), 8)
    rows, columns = confidences.GRID
    assert even.shape == (2, rows, columns)
    expected_x, expected_y = (np.arange(columns) + 0.5) / columns * width, (np.arange(rows) + 0.5) / rows * height
    inner_x = (expected_x > x[0] + 8) & (expected_x < x[-1] - 8)  # outside the outermost cells the field is constant
    inner_y = (expected_y > y[0] + 8) & (expected_y < y[-1] - 8)
    assert inner_x.sum() >= columns // 2
    np.testing.assert_allclose(
        even[0][:, inner_x], np.broadcast_to(expected_x[inner_x], (rows, inner_x.sum())), rtol=1e-4
    )
    np.testing.assert_allclose(
        even[1][inner_y], np.broadcast_to(expected_y[inner_y, None], (inner_y.sum(), columns)), rtol=1e-4
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (128, 64), (300, 211)])
def test_resampling_is_the_mean_of_the_interpolated_field(size):
    rng = np.random.default_rng(0)
    left, top, tall, wide = confidences.padding(*size)
    fields = rng.random((2, (tall - 1) // 8 + 1, (wide - 1) // 8 + 1))
    even = confidences.resample(fields, size, left, top, WHOLE, 8)
    fine = 40  # samples per cell and axis
    for channel in range(2):
        slow = np.empty(confidences.GRID)
        y = ((np.arange(33 * fine) + 0.5) / (33 * fine) * size[0] + top - 0.5) / 8
        x = ((np.arange(17 * fine) + 0.5) / (17 * fine) * size[1] + left - 0.5) / 8
        along = np.stack([np.interp(y, np.arange(fields.shape[1]), column) for column in fields[channel].T], 1)
        both = np.stack([np.interp(x, np.arange(fields.shape[2]), line) for line in along])
        slow = both.reshape(33, fine, 17, fine).mean((1, 3))
        np.testing.assert_allclose(even[channel], slow, atol=1e-3)


def test_the_head_nearest_the_top_centre_is_the_target():
    low = person(nose=(50, 60), left_hip=(50, 100))
    beside = person(nose=(95, 5))
    central = person(left_eye=(58, 20), right_eye=(54, 20), left_ankle=(10, 190))
    people = np.stack([low, beside, central])
    assert confidences.target(people, 100) == 2
    assert confidences.target(people, 190) == 1  # of a wider image, whose middle is at 95


def test_without_a_face_the_shoulders_then_the_uppermost_joint_stand_for_the_head():
    np.testing.assert_allclose(confidences.head(person(left_eye=(10, 4), right_eye=(20, 8), nose=(15, 9))), [15, 7])
    shoulders = person(left_shoulder=(10, 20), right_shoulder=(30, 24), left_wrist=(0, 0))
    np.testing.assert_allclose(confidences.head(shoulders), [20, 22])
    np.testing.assert_allclose(confidences.head(person(left_knee=(5, 50), right_hip=(9, 40))), [9, 40])


X, Y = np.arange(4, 128, 8.0), np.arange(4, 256, 8.0)


def test_alone_everything_is_kept():
    alone = person(nose=(60, 20), left_hip=(60, 100))[None]
    np.testing.assert_array_equal(confidences.ownership(alone, 0, X, Y, 8), np.ones((36, len(Y), len(X))))


def test_each_cell_belongs_to_the_nearest_joint_of_its_kind():
    people = np.stack([person(left_knee=(24, 100)), person(left_knee=(104, 100))])
    share = confidences.ownership(people, 0, X, Y, 8)[FIELDS.index("left_knee")]
    for i, y in enumerate(Y):
        for j, x in enumerate(X):
            own, theirs = np.hypot(x - 24, y - 100), np.hypot(x - 104, y - 100)
            expected = 1 if own <= theirs else max(0, 1 - (own - theirs) / 8)
            assert share[i, j] == pytest.approx(expected, abs=1e-5)
    other = confidences.ownership(people, 1, X, Y, 8)[FIELDS.index("left_knee")]
    np.testing.assert_allclose(other, share[:, ::-1], atol=1e-5)


def test_limbs_are_segments():
    people = np.stack(
        [person(left_knee=(20, 100), left_ankle=(20, 200)), person(left_knee=(100, 100), left_ankle=(100, 200))]
    )
    share = confidences.ownership(people, 0, X, Y, 8)[FIELDS.index("left_ankle-left_knee")]
    middle = share[Y.searchsorted(150)]
    assert (middle[X < 60] == 1).all()
    assert (middle[X > 68] == 0).all()


def test_another_persons_joint_is_removed_even_where_it_covers_the_target():
    target = person(nose=(60, 20), left_hip=(60, 100), right_hip=(50, 100))
    other = person(left_wrist=(60, 90), nose=(60, 30))  # a hand in front of the target, whose own is not seen
    share = confidences.ownership(np.stack([target, other]), 0, X, Y, 8)
    assert not share[FIELDS.index("left_wrist")].any()
    assert (share[FIELDS.index("left_hip")] == 1).all()  # only the target has hips
    assert (share[FIELDS.index("right_wrist")] == 1).all()  # nobody's
    nose = share[FIELDS.index("nose")]
    assert (nose[Y < 25] == 1).all()
    assert (nose[Y > 200][:, 7] == 0).all()


def test_many_others_count_as_the_nearest_of_them():
    people = np.stack([person(nose=(60, 20)), person(nose=(10, 20)), person(nose=(110, 20))])
    share = confidences.ownership(people, 0, X, Y, 8)[0]
    pairs = [confidences.ownership(people[[0, other]], 0, X, Y, 8)[0] for other in (1, 2)]
    np.testing.assert_allclose(share, np.minimum(*pairs))
