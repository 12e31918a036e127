import numpy as np
import pytest
import torch

from partreid.body.skeleton import FIELD_MIRROR, FIELDS
from partreid.errors import UserError
from partreid.labels import grouping

HEAD = "nose left_eye right_eye left_ear right_ear 29 30 31 32 33 34 35"
# the groups in the words of the published grouping: joints by name (plural = both sides), links by number
WORDS = {
    2: [f"{HEAD} shoulders 22 23 24 elbows wrists 25 26 27 28", "hips knees ankles 17 18 19 20 21"],
    3: [HEAD, "shoulders elbows wrists 22 23 24 25 26 27 28", "hips knees ankles 17 18 19 20 21"],
    4: [HEAD, "shoulders elbows wrists 25 26 27 28", "shoulders hips 21 22 23 24", "hips knees ankles 17 18 19 20 21"],
    5: [HEAD, "shoulders elbows wrists 25 26 27 28", "hips 21 22 23 24", "hips knees 17 18 19 20 21", "ankles"],
    "five_v": [HEAD, "shoulders elbows 24 25 26", "wrists hips 27 28 23", "hips knees 17 18 19 20", "ankles"],
    6: [
        HEAD, "hips 21 22 23 24", "left_shoulder left_elbow left_wrist 25 27",
        "right_shoulder right_elbow right_wrist 26 28", "knees 17 18 19 20 21", "ankles",
    ],
    "six": [
        HEAD, "left_shoulder left_elbow left_wrist 25 27", "right_shoulder right_elbow right_wrist 26 28",
        "hips 21 22 23 24", "left_knee left_ankle 17 18 21", "right_knee right_ankle 19 20",
    ],
    8: [
        HEAD, "left_shoulder left_elbow left_wrist 25 27", "right_shoulder right_elbow right_wrist 26 28",
        "hips 21 22 23 24", "left_knee 17 18 21", "right_knee 19 20", "left_ankle", "right_ankle",
    ],
    11: [
        HEAD, "left_shoulder left_elbow 25", "left_wrist 27", "right_shoulder right_elbow 26", "right_wrist 28",
        "22 23 24", "hips 21", "left_knee 18 21", "right_knee 20", "left_ankle 17", "right_ankle 19",
    ],
}  # fmt: skip


def numbers(words: str) -> set[int]:
    found = set()
    for word in words.split():
        if word.isdigit():
            found.add(int(word))
        elif word in FIELDS:
            found.add(FIELDS.index(word))
        else:
            found |= {FIELDS.index(f"{side}_{word.removesuffix('s')}") for side in ("left", "right")}
    return found


@pytest.mark.parametrize("parts", WORDS)
def test_groups_are_the_published_ones(parts):
    assert [set(members) for _, members in grouping.groups(parts)] == [numbers(words) for words in WORDS[parts]]
    assert len(set(grouping.names(parts))) == len(WORDS[parts])


def test_every_grouping_is_checked():
    assert set(WORDS) == set(grouping.GROUPS)
    assert all(len(groups) == key for key, groups in grouping.GROUPS.items() if isinstance(key, int))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("parts", WORDS)
def test_a_part_is_the_maximum_of_its_fields(parts, dtype):
    fields = torch.randint(0, 256, (2, 3, 36, 4, 5), generator=torch.Generator().manual_seed(0)).to(dtype)
    maps = grouping.group(fields, parts)
    assert maps.shape == (2, 3, len(WORDS[parts]), 4, 5)
    assert maps.dtype == dtype
    for k, words in enumerate(WORDS[parts]):
        expected = fields.numpy()[:, :, sorted(numbers(words))].max(2)
        np.testing.assert_array_equal(maps[:, :, k].numpy(), expected)


@pytest.mark.parametrize("parts", [2, 3, 4, 5])  # five_v holds one torso side only, as published
def test_groupings_without_sides_do_not_change_under_a_mirror_of_the_fields(parts):
    for _, members in grouping.groups(parts):
        assert {FIELD_MIRROR[f] for f in members} == set(members)


def test_an_unknown_number_lists_the_known_ones():
    with pytest.raises(UserError, match=r"'7'; known: .*11"):
        grouping.groups(7)
