import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINTS
from partreid.errors import UserError
from partreid.labels import kmeans, poses
from partreid.storage import cache
from upright import SIZE, flipped, native, people, person, written

OPTIONS = {"clusters": 3, "min_score": 0.3}


def crowd(each: int = 20) -> np.ndarray:
    """Keypoints (4 each, 17, 3) of people who look left, to the front, away, and right."""
    random = np.random.default_rng(0)
    front = person()[0]
    away = front.copy()
    away[:, 0] = 128 - front[:, 0]  # the left arm is at the image's left
    left = front.copy()
    left[:, 0] = 64 + 0.3 * (front[:, 0] - 64)  # narrow
    left[:5, 0] -= 16
    right = flipped(left[None], 128)[0]
    groups = np.stack([left, front, away, right])[:, None].repeat(each, 1)
    groups[..., :2] += random.normal(0, 1.5, (*groups.shape[:3], 2))
    return groups.reshape(-1, 17, 3)


def clusters(found: np.ndarray) -> list[list[int]]:
    return [np.unique(group).tolist() for group in found.reshape(4, -1)]


def test_clusters_are_views(tmp_path):
    seen, table = native(tmp_path, np.zeros(80, np.uint8), {"keypoints": crowd()})
    header, work = poses.build(seen, table, **OPTIONS)
    assert header["parameters"] == OPTIONS
    label = written(tmp_path, "poses", ".parquet", header, work, table)
    found = label.rows("cluster", np.arange(80))
    assert clusters(found) == [[0], [1], [1], [2]]
    assert found.dtype == np.int8
    np.testing.assert_array_equal(label.rows("keypoints", np.arange(80)), crowd())
    assert np.array(label.header["centres"]).shape == (3, 17, 2)
    np.testing.assert_array_equal(
        poses.assign(*poses.normalise(crowd(), np.full(80, 256), 0.3), np.array(label.header["centres"])), found
    )


def test_a_flip_exchanges_left_and_right_clusters(tmp_path):
    keypoints = people(200)  # near the borders between clusters too
    seen, table = native(tmp_path, np.zeros(200, np.uint8), {"keypoints": keypoints})
    header, work = poses.build(seen, table, **OPTIONS)
    before = work(0, 200)["cluster"]
    assert np.unique(before).tolist() == [0, 1, 2]
    (tmp_path / "mirrored").mkdir()
    mirrored, table = native(tmp_path / "mirrored", np.zeros(200, np.uint8), {"keypoints": flipped(keypoints, 128)})
    header_there, work = poses.build(mirrored, table, **OPTIONS)
    np.testing.assert_allclose(header_there["centres"], header["centres"], atol=1e-5)
    np.testing.assert_array_equal(work(0, 200)["cluster"], poses.mirrored(before, 3))


def test_normalised_points_do_not_depend_on_scale_and_place():
    points, counts = poses.normalise(people(20), np.full(20, 256), 0.3)
    moved = people(20) * np.array([2, 2, 1], np.float32) + np.array([30, -9, 0], np.float32)
    found, counts_there = poses.normalise(moved, np.full(20, 512), 0.3)
    np.testing.assert_allclose(found, points, atol=1e-5)
    np.testing.assert_array_equal(counts_there, counts)


def test_normalised_points_of_the_mirror_image_are_mirrored():
    points, counts = poses.normalise(people(20), np.full(20, 256), 0.3)
    found, counts_there = poses.normalise(flipped(people(20), 128), np.full(20, 256), 0.3)
    np.testing.assert_array_equal(counts_there, counts)
    np.testing.assert_allclose(found * counts[..., None], kmeans.mirror(points) * counts[..., None], atol=1e-5)


def test_normalised_points_of_an_upright_person():
    points, counts = poses.normalise(person(left_wrist=0.1, left_knee=0.3), SIZE[:, 0], 0.3)
    # trunk from 60 to 117.6, stature 200
    assert points[0, 0] == pytest.approx((0, (40 - 88.8) / 200), abs=0.01)
    wrists = [KEYPOINTS.index("left_wrist"), KEYPOINTS.index("right_wrist")]
    assert [k for k in range(17) if not counts[0, k]] == wrists  # a pair counts where both are seen
    away = person()
    away[..., 0] = 128 - away[..., 0]
    np.testing.assert_allclose(poses.normalise(away, SIZE[:, 0], 0.3)[0][:, 5:], points[:, 5:], atol=0.05)


def test_the_trunk_is_guessed_from_one_half():
    whole, _ = poses.normalise(person(), SIZE[:, 0], 0.3)
    for gone in ("shoulder", "hip"):
        half, counts = poses.normalise(person(**{f"{s}_{gone}": 0.1 for s in ("left", "right")}), SIZE[:, 0], 0.3)
        np.testing.assert_allclose(half[counts], whole[counts], atol=0.02)
        assert counts[0, 0]


def test_images_without_a_pose_are_of_the_middle_cluster(tmp_path):
    keypoints = crowd()
    keypoints[0, 5:, 2] = 0.1  # only the face
    keypoints[1, 9:, 2] = 0.1  # the upper half: still nearest to the left-looking
    status = np.zeros(80, np.uint8)
    status[[2, 3]] = cache.MISSING, cache.FAILED
    seen, table = native(tmp_path, status, {"keypoints": keypoints})
    header, work = poses.build(seen, table, **OPTIONS)
    found = work(0, 80)
    assert found["cluster"][:6].tolist() == [1, 0, 1, 1, 0, 0]
    assert poses.nobody(header) == {"cluster": 1}
    assert not found["keypoints"][2:4].any()
    np.testing.assert_array_equal(found["status"], status)


def test_clusters_are_found_on_the_better_half_of_the_training_images():
    status, score = np.array([0, 0, 0, 1, 0, 0], np.uint8), np.array([0.9, 0.5, 0.7, 0.99, 1.0, 0.8])
    assert poses.typical(status, score, ["train"] * 4 + ["query", "train"]).tolist() == [0, 5]
    assert poses.typical(status, score, ["query"] * 6).tolist() == [0, 4, 5]
    assert poses.typical(status, np.ones(6), ["train"] * 6).tolist() == [0, 1, 2, 4, 5]
    assert poses.typical(np.ones(6, np.uint8), score, ["train"] * 6).tolist() == []


def test_the_images_under_test_do_not_move_the_centres(tmp_path):
    splits = ["train"] * 40 + ["gallery"] * 40
    seen, table = native(tmp_path, np.zeros(80, np.uint8), {"keypoints": crowd()[::-1]}, splits)
    centres = poses.build(seen, table, **OPTIONS)[0]["centres"]
    (tmp_path / "alone").mkdir()
    alone, table = native(tmp_path / "alone", np.zeros(80, np.uint8), {"keypoints": people(80)}, splits)
    assert poses.build(alone, table, **OPTIONS)[0]["centres"] != centres
    other = crowd()[::-1].copy()
    other[40:] = people(40)
    (tmp_path / "other").mkdir()
    there, table = native(tmp_path / "other", np.zeros(80, np.uint8), {"keypoints": other}, splits)
    assert poses.build(there, table, **OPTIONS)[0]["centres"] == centres


@pytest.mark.parametrize("found", [0, 1, 2])
def test_a_data_set_with_fewer_people_than_clusters_has_poses(tmp_path, found):
    status = np.full(4, cache.MISSING, np.uint8)
    status[:found] = cache.OK
    seen, table = native(tmp_path, status, {"keypoints": people(4)})
    header, work = poses.build(seen, table, **OPTIONS)
    assert np.array(header["centres"]).shape == (3, 17, 2)
    assert work(0, 4)["cluster"][found:].tolist() == [1] * (4 - found)


def test_a_strange_number_of_clusters_is_an_error(tmp_path):
    seen, table = native(tmp_path, np.zeros(3, np.uint8), {"keypoints": people(3)})
    for clusters in (0, 10):
        with pytest.raises(UserError, match=f"clusters is {clusters}"):
            poses.build(seen, table, clusters=clusters, min_score=0.3)
    for clusters in (1, 9):
        assert len(poses.build(seen, table, clusters=clusters, min_score=0.3)[0]["centres"]) == clusters
