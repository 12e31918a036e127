import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINT_MIRROR
from partreid.tools import body_parts_scenes as scenes
from partreid.tools.body_parts_scenes import Shown


def person(colour=(200, 60, 30)) -> Shown:
    """A torso as an upright rectangle on grey, a shoulder in its middle and an ankle far below."""
    image = np.full((256, 128, 3), 90, np.uint8)
    image[60:200, 40:90] = colour
    parsing = np.zeros((128, 64), np.uint8)
    parsing[30:100, 20:45] = 2
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[5] = 65, 130, 1
    keypoints[15] = 65, 250, 1
    return Shown(image, parsing, np.where(parsing > 0, 255, 0).astype(np.uint8), keypoints)


def only(monkeypatch, **chances):
    """Nothing happens by chance but what is named."""
    for name in ("GROUND", "OTHER", "THINGS", "BOX", "BLUR"):
        monkeypatch.setattr(scenes, name, chances.get(name, 0.0))
    monkeypatch.setattr(scenes, "_lit", lambda image, _rng: image)
    monkeypatch.setattr(scenes, "HEIGHTS", (256,))


def test_without_chance_all_stays_where_it_is(monkeypatch):
    only(monkeypatch)
    given = person()
    made = scenes.harder(given, [given], np.random.default_rng(0))
    np.testing.assert_array_equal(made.keypoints, given.keypoints)
    assert (made.parsing == given.parsing).mean() > 0.99
    np.testing.assert_allclose(made.image.mean((0, 1)), given.image.mean((0, 1)), atol=3)


def test_what_is_in_front_hides_body_and_joints_alike(monkeypatch):
    only(monkeypatch, THINGS=1.0)
    given, hidden = person(), 0
    for seed in range(40):
        made = scenes.harder(given, [person((0, 200, 0))], np.random.default_rng(seed))
        assert made.parsing[given.parsing == 0].max() == 0
        here = made.person[64:66, 31:34].mean() / 255  # around the shoulder
        if here > 0.9 or here < 0.1:
            assert made.keypoints[5, 2] == (here > 0.5)
        hidden += made.keypoints[5, 2] == 0
        np.testing.assert_array_equal(made.keypoints[:, :2], given.keypoints[:, :2])
    assert 5 < hidden < 35


@pytest.mark.parametrize("front", [0.0, 1.0])
def test_another_person_hides_ours_only_in_front(monkeypatch, front):
    only(monkeypatch, OTHER=1.0)
    monkeypatch.setattr(scenes, "FRONT", front)
    given, lost, shown = person(), [], 0
    for seed in range(20):
        made = scenes.harder(given, [person((0, 250, 0))], np.random.default_rng(seed))
        lost.append(((given.parsing > 0) & (made.parsing == 0)).sum())
        green = made.image[..., 1].astype(int) > made.image[..., 0].astype(int) + 80
        shown += green.any()
    assert shown > 12
    assert (max(lost) > 100) == (front == 1.0)
    if not front:
        assert max(lost) == 0


def test_another_ground_leaves_the_person(monkeypatch):
    only(monkeypatch, GROUND=1.0)
    given = person()
    made = scenes.harder(given, [person((0, 250, 0))], np.random.default_rng(3))
    np.testing.assert_allclose(made.image[100:160, 50:80].mean((0, 1)), (200, 60, 30), atol=8)
    assert abs(made.image[:40].astype(float) - 90).mean() > 10
    assert (made.parsing == given.parsing).mean() > 0.98


def test_another_box_moves_everything_together(monkeypatch):
    only(monkeypatch, BOX=1.0)
    given = person()
    for seed in range(10):
        made = scenes.harder(given, [given], np.random.default_rng(seed))
        reddish = made.image[::2, ::2, 0].astype(int) > made.image[::2, ::2, 2].astype(int) + 80
        assert ((made.parsing == 2) == reddish).mean() > 0.96
        x, y, seen = made.keypoints[15]
        assert seen == (0 <= x < 128 and 0 <= y < 256)


def test_a_smaller_picture_has_its_joints_in_its_own_pixels(monkeypatch):
    only(monkeypatch)
    monkeypatch.setattr(scenes, "HEIGHTS", (64,))
    made = scenes.harder(person(), [person()], np.random.default_rng(0))
    assert made.image.shape == (64, 32, 3)
    np.testing.assert_allclose(made.keypoints[5], [65 / 4, 130 / 4, 1])


def test_light_and_everything_else_are_decided_by_the_generator_alone():
    given = person()
    one, same, other = (scenes.harder(given, [given], np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.parsing, same.parsing)
    assert one.image.shape != other.image.shape or (one.image != other.image).any()
    assert given.keypoints[5, 2] == 1  # what was given stays as it was


def test_a_mirrored_picture_exchanges_the_sides():
    given = person()
    made = scenes.mirrored(given, KEYPOINT_MIRROR)
    np.testing.assert_array_equal(made.image, given.image[:, ::-1])
    np.testing.assert_array_equal(made.keypoints[6], [128 - 65, 130, 1])
    np.testing.assert_array_equal(made.parsing, given.parsing[:, ::-1])
    twice = scenes.mirrored(made, KEYPOINT_MIRROR)
    np.testing.assert_array_equal(twice.keypoints[5], given.keypoints[5])
