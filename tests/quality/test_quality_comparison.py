"""Groups, sums over them, the table, and the choice of pictures."""

import json

import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINTS
from partreid.quality import comparison, keypoints, table
from partreid.quality.base import Measure
from partreid.quality.groups import GROUPS, groups
from partreid.quality.pictures import choose
from partreid.quality.plots import joints
from partreid.storage.chunks import CHUNK


def test_views_are_front_side_and_back():
    view = np.array([0, 44.9, 45.1, 90, 134.9, 135.1, 180, 224.9, 226, 270, 314.9, 316, 359, -30, 540], np.float32)
    occluded = np.arange(15) % 3 == 0
    masks = groups(occluded, view)
    assert tuple(masks) == GROUPS
    found = ["".join(name[0] for name in ("front", "side", "back") if masks[name][i]) for i in range(15)]
    assert "".join(found) == "ffsssbbbsssfffb"
    assert masks["all"].all()
    np.testing.assert_array_equal(masks["occluded"], occluded)
    np.testing.assert_array_equal(masks["unoccluded"], ~occluded)


def counting(seen: list[int]) -> Measure:
    def compare(tool, truth):
        seen.append(len(tool["value"]))
        return {"both": tool["value"] * truth["value"]}

    def summary(kept):
        return {"sum": float(kept["both"].sum()), "nothing": float("nan")}

    return Measure(compare, summary, lambda _: {}, lambda kept: kept["both"], "", {})


def test_images_are_compared_in_chunks_and_in_order():
    images, seen = 2 * CHUNK + 7, []
    measure = counting(seen)
    kept = comparison.compare(measure, lambda ids: {"value": ids}, lambda ids: {"value": ids + 1}, images)
    np.testing.assert_array_equal(kept["both"], np.arange(images) * (np.arange(images) + 1))
    assert seen == [CHUNK, CHUNK, 7]


def test_groups_are_summed_apart_and_unknown_values_left_out():
    kept = {"heads": {"both": np.array([1, 10, 100, 1000])}}
    masks = {"all": np.ones(4, bool), "few": np.array([True, False, True, False]), "none": np.zeros(4, bool)}
    measure = counting([])
    found = comparison.told(kept, masks, lambda _, of: measure.summary(of))
    assert found == {"all": {"heads": {"sum": 1111}}, "few": {"heads": {"sum": 101}}, "none": {"heads": {"sum": 0}}}
    assert comparison.rounded({"a": {"b": float("nan")}, "c": 1 / 3}) == {"c": 0.3333}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_table_has_a_row_per_measure_and_a_column_per_group():
    values = {
        "all": {"images": {"count": 2048}, "heads": {"iou": 0.71234, "iou50": 0.9}, "keypoints": {"pck10": 0.5}},
        "back": {"images": {"count": 7}, "heads": {"iou": 0.5}},
    }
    lines = table.markdown(values).splitlines()
    assert lines[0] == "| label | measure | all | back |"
    assert lines[2] == "| | images | 2,048 | 7 |"
    assert lines[3] == "| `keypoints` | PCK@0.1 | 0.500 | - |"
    assert "| `heads` | box IoU | 0.712 | 0.500 |" in lines
    assert len({line.count("|") for line in lines}) == 1


def test_missing_and_failed_images_are_counted():
    assert table.counts(np.array([0, 1, 1, 2, 0, 0], np.uint8)) == {"count": 6, "missing": 2, "failed": 1}
    assert table.counts(np.zeros(0, np.uint8)) == {"count": 0, "missing": 0, "failed": 0}


def test_the_best_the_median_and_the_worst_are_chosen():
    score = np.random.default_rng(0).permutation(101) / 100
    able = np.ones(101, bool)
    score[score == 1] = np.nan  # 0.00 to 0.99 remain
    able[score == 0] = False
    found = choose(score, able)
    assert [name for name, _ in found] == ["best"] * 2 + ["median"] * 4 + ["worst"] * 2
    np.testing.assert_allclose([score[row] for _, row in found], [0.99, 0.98, 0.52, 0.51, 0.5, 0.49, 0.02, 0.01])


@pytest.mark.parametrize("images", range(10))
def test_few_images_are_chosen_once_each(images):
    rows = [row for _, row in choose(np.zeros(images), np.ones(images, bool))]
    assert rows == sorted(set(rows))
    assert len(rows) == min(images, 8)
    assert choose(np.zeros(images), np.zeros(images, bool)) == []


def test_every_joint_has_a_bar_per_group():
    rng = np.random.default_rng(1)
    details = {group: keypoints.details({"error": rng.random((9, 17))}) for group in ("unoccluded", "occluded")}
    del details["occluded"]["nose"]  # a joint that the group never shows
    figure = joints(details, "a tool")
    named = [text.get_text() for text in figure.axes[0].get_yticklabels()]  # the second panel shares them
    assert named == [name.replace("_", " ") for name in KEYPOINTS]
    for axes, metric in zip(figure.axes, ("pck10", "pck20"), strict=True):
        bars = [bar.get_width() for bar in axes.patches]
        assert bars[16] == details["unoccluded"]["right_ankle"][metric]
        assert np.isnan(bars[17])
        assert len(bars) == 34
