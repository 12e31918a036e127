from itertools import combinations

import numpy as np
import pytest

from partreid.body.openpose_layout import JOINTS, LIMBS
from partreid.body.parsing import PARSING
from partreid.body.skeleton import KEYPOINTS
from partreid.drawing import label_marks, label_panels
from partreid.drawing.colours import NUMBER_COLOURS, PART_COLOURS, SIDE_COLOURS, side
from partreid.drawing.label_views import VIEWS
from partreid.labels import LABELS, coverage, grouping
from partreid.labels.made import MADE

# Machado et al., "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
PALETTES = {
    **{f"parts {parts}": [PART_COLOURS[name] for name in grouping.names(parts)] for parts in grouping.GROUPS},
    "parsing": [PART_COLOURS[name] for name in PARSING[1:]],
    "sides": list(SIDE_COLOURS.values()),
    "numbers": NUMBER_COLOURS,
}


def lab(colour: tuple[int, int, int], vision: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of an sRGB colour as such an eye sees it."""
    coded = np.array(colour) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = (np.array(vision) @ linear).clip(0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.cbrt(np.array(to_xyz) @ seen / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", PALETTES)
def test_colours_that_are_shown_together_can_be_told_apart_by_any_eye(palette, vision):
    seen = [lab(colour, VISION[vision]) for colour in PALETTES[palette]]
    nearest = min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))
    assert nearest > 15  # about 2 can just be told apart


def test_sides_of_keypoints():
    assert side("left_knee", "left_hip") == "left"
    assert side("left_hip", "right_hip") == "middle"
    assert side("nose", "right_eye") == "right"
    assert side("nose", "neck") == "middle"


def test_parts_are_drawn_where_their_map_is_strongest():
    image = np.zeros((40, 20, 3), np.uint8)
    maps = np.zeros((2, 4, 2), np.float32)
    maps[0, 0, 0], maps[1, 3, 1] = 1, 1
    drawn = label_marks.parts(image, maps, ("head", "torso"))
    for place, name in (((0, 0), "head"), ((39, 19), "torso")):
        np.testing.assert_allclose(drawn[place], 0.6 * np.array(PART_COLOURS[name]), atol=1)
    assert not drawn[0, 19].any()


def test_classes_have_their_colours_and_background_stays():
    image = np.full((40, 20, 3), 100, np.uint8)
    parsing = np.array([[0, 1], [2, 6]], np.uint8)
    drawn = label_marks.classes(image, parsing, PARSING[1:])
    np.testing.assert_array_equal(drawn[5, 5], image[5, 5])
    for place, number in (((5, 15), 1), ((30, 5), 2), ((30, 15), 6)):
        np.testing.assert_allclose(drawn[place], 0.6 * np.array(PART_COLOURS[PARSING[number]]) + 40, atol=1)


def test_a_box_is_drawn_along_its_sides():
    drawn = label_marks.box(np.zeros((60, 60, 3), np.uint8), np.array([10, 20, 40, 50]), (255, 255, 0))
    rows, columns = np.nonzero(drawn[..., 0] > 200)
    for found, low, high in ((columns, 10, 40), (rows, 20, 50)):
        assert abs(found.min() + 0.5 - low) <= 2
        assert abs(found.max() + 0.5 - high) <= 2
    assert not drawn[35, 25].any()


def test_a_cut_is_what_is_inside():
    image = np.zeros((30, 30, 3), np.uint8)
    image[10:20, 5:10] = 200
    assert (label_marks.cut(image, np.array([5.0, 10, 10, 20]), 40, 40) == 200).all()
    assert label_marks.cut(image, np.array([5.2, 10.9, 9.7, 19.1]), 40, 40).shape == (40, 20, 3)
    assert label_marks.cut(image, np.array([29.9, 29.9, 30, 30]), 40, 40).shape == (40, 40, 3)  # at least a pixel
    assert label_marks.cut(image, np.array([0.0, 14, 30, 15]), 40, 40).shape == (
        40,
        40,
        3,
    )  # flat: above and below is blank


def test_a_skeleton_is_drawn_in_its_sides_colours_and_only_where_it_is_seen():
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, :2] = -1000
    for name, place in (
        ("left_hip", (50, 20)),
        ("left_knee", (50, 60)),
        ("right_hip", (20, 20)),
        ("right_knee", (20, 60)),
    ):
        keypoints[KEYPOINTS.index(name)] = (*place, 0.9)
    drawn = label_marks.skeleton(np.full((80, 80, 3), 60, np.uint8), keypoints, 0.5)
    np.testing.assert_array_equal(drawn[40, 50], SIDE_COLOURS["left"])
    np.testing.assert_array_equal(drawn[40, 20], SIDE_COLOURS["right"])
    np.testing.assert_array_equal(drawn[20, 35], SIDE_COLOURS["middle"])
    np.testing.assert_array_equal(drawn[70, 50], [60, 60, 60])
    keypoints[KEYPOINTS.index("left_knee"), 2] = 0.4
    drawn = label_marks.skeleton(np.full((80, 80, 3), 60, np.uint8), keypoints, 0.5)
    np.testing.assert_array_equal(drawn[40, 50], [60, 60, 60])
    assert (drawn[60, 50] != 60).any()  # a dot, so that it is seen where the tool put it


def test_arrows_point_along_the_strongest_vector():
    vectors = np.zeros((2, 2, 4, 2))
    vectors[0, :, 1, 0] = (1, 0)  # to the right
    vectors[1, :, 1, 0] = (0, 0.5)
    drawn = label_marks.arrows(np.zeros((80, 40, 3), np.uint8), vectors, ("left", "right"))
    rows, columns = np.nonzero((drawn == SIDE_COLOURS["left"]).all(-1))
    assert rows.min() >= 26  # cell (1, 0): rows 20 to 39, columns 0 to 19
    assert rows.max() <= 33
    assert columns.max() > 16  # the head
    assert not (drawn == SIDE_COLOURS["right"]).all(-1).any()
    assert not drawn[40:].any()


def values(label: str) -> dict[str, np.ndarray]:
    """What a label's cache may hold of one image of 64 x 128 pixels."""
    rng = np.random.default_rng(0)
    keypoints = np.concatenate([rng.uniform(0, 64, (17, 2)), rng.uniform(0, 1, (17, 1))], 1).astype(np.float32)
    parsing, person = rng.integers(0, 7, (128, 64), np.uint8), rng.integers(0, 256, (128, 64), np.uint8)
    return {
        "heads": dict(zip(("x0", "y0", "x1", "y1"), np.array([20, 5, 40, 30], np.float32), strict=True)),
        "pifpaf": {"fields": rng.integers(0, 256, (36, 33, 17), np.uint8)},
        "schp": {"parsing": parsing, "person": person},
        "poses": {"keypoints": keypoints, "cluster": np.array(1, np.int8)},
        "partmaps": {"maps": rng.uniform(-1, 1, (57, 20, 10)).astype(np.float16)},
        "pseudo_parts": {"maps": rng.integers(0, 9, (24, 8), np.uint8)},
    }[label]


HEADER = {"parameters": {"min_score": 0.3}, "centres": np.random.default_rng(1).normal(0, 0.2, (3, 17, 2)).tolist()}


@pytest.mark.parametrize("shape", [(128, 64), (1, 1), (30, 300), (2000, 100)])
@pytest.mark.parametrize("label", VIEWS)
def test_every_view_draws_images_of_any_size(label, shape):
    view, found = VIEWS[label], values(label)
    drawn = view.draw(np.full((*shape, 3), 90, np.uint8), found, header=HEADER, parts="8")
    assert set(view.members) == set(found)
    assert view.main in drawn
    assert {picture.dtype for picture in drawn.values()} == {np.dtype(np.uint8)}
    assert {picture.shape[::2] for picture in drawn.values()} == {(label_marks.HEIGHT, 3)}
    assert all(1 <= picture.shape[1] <= label_marks.HEIGHT for picture in drawn.values())
    assert view.legend("8")


def test_a_head_that_is_not_seen_has_no_box():
    image = np.full((128, 64, 3), 90, np.uint8)
    drawn = label_panels.heads(image, dict.fromkeys(("x0", "y0", "x1", "y1"), np.array(np.nan, np.float32)))
    assert (drawn["box"] == 90).all()


def test_boxes_and_skeletons_are_drawn_in_the_images_own_pixels():
    found = dict(zip(("x0", "y0", "x1", "y1"), np.array([16, 8, 48, 40], np.float32), strict=True))
    drawn = label_panels.heads(np.zeros((128, 64, 3), np.uint8), found)["box"]  # twice as large
    columns = np.nonzero((drawn == PART_COLOURS["head"]).all(-1))[1]
    assert abs(columns.min() - 32) <= 2
    assert abs(columns.max() - 95) <= 2
    keypoints = np.full((17, 3), (32, 64, 1), np.float32)  # all in the middle
    drawn = label_panels.poses(np.zeros((128, 64, 3), np.uint8), {"keypoints": keypoints, "cluster": 0}, header=HEADER)
    assert np.argwhere(drawn["skeleton"].any(-1)).mean(0) == pytest.approx([127.5, 63.5], abs=0.6)


def test_inner_maps_are_drawn_where_there_are_any():
    image, maps = np.zeros((128, 64, 3), np.uint8), np.zeros((185, 20, 10), np.float16)
    assert set(label_panels.partmaps(image, {"maps": maps})) - set(
        label_panels.partmaps(image, {"maps": maps[:57]})
    ) == {"inner"}


def test_limb_and_joint_channels_are_not_mixed_up():
    image, maps = np.zeros((160, 80, 3), np.uint8), np.zeros((57, 20, 10), np.float32)
    maps[2 * LIMBS.index(("right_hip", "right_knee")) + 1, 10, 5] = 1  # downwards
    maps[38 + JOINTS.index("nose"), 2, 3] = 1
    maps[56] = 1  # the background is no joint
    drawn = label_panels.partmaps(image, {"maps": maps})
    rows, columns = np.nonzero((drawn["directions"] == SIDE_COLOURS["right"]).all(-1))
    assert 128 <= rows.min() <= rows.max() < 142  # cell (10, 5) of 256 x 128
    assert 64 <= columns.min() <= columns.max() < 77
    for name, place in (("joints", (2, 3)), ("limbs", (10, 5))):
        brightness = drawn[name].astype(int).sum(-1)
        peak = np.array(np.unravel_index(brightness.argmax(), brightness.shape)) // 12.8
        np.testing.assert_array_equal(peak, place)


def test_every_label_has_a_view():
    assert set(VIEWS) == {*LABELS, *MADE}


def test_numbered_parts_have_their_colours_and_begin_again_after_the_last():
    parts = np.arange(9, dtype=np.uint8).reshape(9, 1)
    drawn = label_marks.numbered(np.zeros((9, 1, 3), np.uint8), parts)
    assert not drawn[0].any()
    for number in range(1, 9):
        np.testing.assert_allclose(drawn[number, 0], 0.6 * np.array(NUMBER_COLOURS[(number - 1) % 7]), atol=1)


def test_coverage_counts_by_split():
    split = np.array(["train", "train", "query", "train"])
    status = np.array([0, 1, 2, 0], np.uint8)
    assert coverage.by_split(split, status) == [("train", 3, [2, 1, 0]), ("query", 1, [0, 0, 1]), ("all", 4, [2, 1, 1])]
    text = coverage.text(split, status, np.array([0.95, 0.2, 0.0, 1.0]))
    assert "66.7%" in text
    assert "0.9 to 1.0       2" in text
    assert "0.0 to 0.1       0" in text  # the unreadable image has no score


def test_every_score_is_in_the_histogram():
    bins = coverage.histogram(np.linspace(0, 1, 101))
    assert sum(count for *_, count in bins) == 101
    assert bins[-1] == (0.9, 1.0, 11)
