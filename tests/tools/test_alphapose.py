import json
from pathlib import Path

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import image_table
from partreid.tools import alphapose
from partreid.tools.base import Images
from tools.importing import made

RUN = {"checkout": "", "python": "python", "config": "c.yaml", "checkpoint": "w.pth"}


def person(name, x=32.0, y=64.0, score=2.6, points=17, confidence=0.8):
    """An entry as AlphaPose's write_json makes it, all joints around a place."""
    spread = np.linspace(-5, 5, points)
    triplets = np.stack([x + spread, y + spread, np.full(points, confidence)], 1)
    return {
        "image_id": name, "category_id": 1, "keypoints": triplets.ravel().tolist(), "score": score,
        "box": [x - 9, y - 9, 18, 18], "idx": [0.0],
    }  # fmt: skip


def read(tmp_path, images, content):
    (tmp_path / "r.json").write_text(content if isinstance(content, str) else json.dumps(content))
    header, work = alphapose.build(images, results={"market": str(tmp_path / "r.json")}, **RUN)
    return header, work(0, len(images.table))


def test_entries_find_their_images_by_file_name(tmp_path, capsys):
    images = made(["train/0.jpg", "train/1.jpg", "query/2.jpg"])
    header, found = read(tmp_path, images, [person("2.jpg", x=20), person("0.jpg"), person("zz.jpg")])
    assert (header["kind"], header["tool"], header["weights"]) == ("tool/alphapose", "alphapose", None)
    assert found["status"].tolist() == [0, 1, 0]  # AlphaPose writes nothing where it finds nobody
    np.testing.assert_allclose(found["score"], [2.6 / 3.25, 0, 2.6 / 3.25])
    np.testing.assert_allclose(found["keypoints"][[0, 2], 8, 0], [32.5, 20.5])  # the middle of the pixel
    np.testing.assert_allclose(found["keypoints"][0, :, 2], 0.8)
    assert not found["keypoints"][1].any()
    assert found["keypoints"].dtype == np.float32
    assert header["source"]["unused"] == {"count": 1, "first": ["zz.jpg"]}
    assert header["source"]["unmatched"]["first"] == ["train/1.jpg"]
    assert "zz.jpg" in capsys.readouterr().out


def test_the_target_is_near_the_centre_and_sure_enough(tmp_path):
    images = made([f"{i}.jpg" for i in range(3)])
    people = [
        person("0.jpg", x=5, score=2.6), person("0.jpg", x=35, score=2.0),  # both sure: the nearer one
        person("1.jpg", x=5, score=2.6), person("1.jpg", x=35, score=1.2),  # the nearer one is unsure
        person("2.jpg", x=32, y=20), person("2.jpg", x=60, y=64),  # 0.34 of the height, 0.44 of the width
    ]  # fmt: skip
    _, found = read(tmp_path, images, people)
    np.testing.assert_allclose(found["keypoints"][:, 8, 0], [35.5, 5.5, 32.5])
    np.testing.assert_allclose(found["score"], np.array([2.0, 2.6, 2.6]) / 3.25, rtol=1e-6)


def test_unsure_joints_do_not_move_a_persons_place(tmp_path):
    far = person("0.jpg", x=32)
    triplets = np.array(far["keypoints"]).reshape(17, 3)
    triplets[5:] = 2000, 2000, 0.0
    far["keypoints"] = triplets.ravel().tolist()
    _, found = read(tmp_path, made(["0.jpg"]), [person("0.jpg", x=50), far])
    assert found["keypoints"][0, 16, 0] == 2000.5


@pytest.mark.parametrize("points", [26, 68, 133, 136])
def test_bigger_models_begin_with_cocos_joints(points, tmp_path):
    _, found = read(tmp_path, made(["0.jpg"]), [person("0.jpg", points=points)])
    np.testing.assert_allclose(found["keypoints"][0, 0, 0], 27.5)
    assert found["keypoints"].shape == (1, 17, 3)


def test_scores_are_cut_to_0_and_1(tmp_path):
    _, found = read(tmp_path, made(["0.jpg"]), [person("0.jpg", score=4.0, confidence=1.3)])
    assert found["score"][0] == 1
    np.testing.assert_allclose(found["keypoints"][0, :, 2], 1)


def test_a_damaged_entry_is_one_failed_image_and_named(tmp_path, capsys):
    bad = [person(f"{i}.jpg") for i in range(6)]
    bad[1]["keypoints"] = bad[1]["keypoints"][:48]  # MPII's 16
    bad[2]["keypoints"][4] = float("nan")
    bad[3]["keypoints"] = None
    del bad[4]["score"]
    bad[5]["keypoints"][0] = "x"
    images = made([f"{i}.jpg" for i in range(6)])
    _, found = read(tmp_path, images, bad)
    assert found["status"].tolist() == [0, 2, 2, 2, 2, 2]
    assert not found["keypoints"][1:].any()
    said = capsys.readouterr().err
    assert all(f"{i}.jpg: an entry" in said for i in range(1, 6))


def test_images_of_equal_names_cannot_be_told_apart(tmp_path):
    images = made(["train/0.jpg", "query/0.jpg", "query/1.jpg"])
    header, found = read(tmp_path, images, [person("0.jpg"), person("1.jpg")])
    assert found["status"].tolist() == [2, 2, 0]
    assert header["source"]["ambiguous"]["count"] == 2


def test_other_forms_of_the_file_are_refused_by_name(tmp_path):
    images = made(["0.jpg"])
    cases = {
        "--format cmu": {"0.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": []}]}},
        "--format open": {"0.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": []}]}},
        "expected AlphaPose's default format": {"a": 1},
        "not a list of persons": [1, 2],
        "--eval": [{**person("0.jpg"), "image_id": 7}],
        "person 0 has no image_id": [{"keypoints": []}],
        "not JSON, or it is cut": json.dumps([person("0.jpg")])[:-20],
        "nothing in .*r.json": [person("1.jpg")],
    }
    for message, content in cases.items():
        with pytest.raises(UserError, match=message):
            read(tmp_path, images, content)
    with pytest.raises(UserError, match="Names: none"):
        read(tmp_path, images, [])


def test_a_data_set_without_results_says_what_to_set(tmp_path):
    with pytest.raises(UserError, match=r"tools\.alphapose\.results\.market(.|\n)*tools\.alphapose\.checkout"):
        alphapose.build(made(["0.jpg"]), results={"duke": "r.json"}, **RUN)
    with pytest.raises(UserError, match=r"no .*r\.json, which tools\.alphapose\.results\.market"):
        alphapose.build(made(["0.jpg"]), results={"market": str(tmp_path / "r.json")}, **RUN)


def wrong_points(entry):
    return {**entry, "keypoints": entry["keypoints"] + [1.0, 2.0, 0.5]}  # 18


def nested(entry):
    return {**entry, "keypoints": np.reshape(entry["keypoints"], (-1, 3)).tolist()}


def scoreless(entry):
    return {key: value for key, value in entry.items() if key != "score"}


@pytest.mark.parametrize("change", [wrong_points, nested, scoreless])
def test_a_file_of_another_kind_is_one_error(tmp_path, change):
    names = [f"{number}.jpg" for number in range(24)]
    with pytest.raises(UserError, match=r"^tool alphapose cannot use what it was given\. .*r\.json, 0\.jpg: an entry"):
        read(tmp_path, made(names), [change(person(name)) for name in names])


def test_keypoints_of_larger_images_are_an_error(tmp_path):
    names = [f"{number}.jpg" for number in range(16)]
    people = [person(name, x=500, y=900) for name in names]
    with pytest.raises(UserError, match=r"272 of 272 sure keypoints .*in an image of 128 x 256.*another"):
        read(tmp_path, made(names, height=256, width=128), people)
    some = [person(name, x=500 if number < 3 else 64) for number, name in enumerate(names)]
    read(tmp_path, made(names, height=256, width=128), some)


def test_copies_of_an_image_share_their_keypoints(tmp_path):
    paths = ["query/0.jpg", "gallery/0.jpg", "query/1.jpg", "gallery/1.jpg"]
    images = made(paths, sha1={"query/0.jpg": "a", "gallery/0.jpg": "a"})
    header, found = read(tmp_path, images, [person("0.jpg"), person("1.jpg")])
    assert found["status"].tolist() == [0, 0, 2, 2]
    np.testing.assert_array_equal(found["keypoints"][0], found["keypoints"][1])
    assert header["source"]["matched"] == {"whole path": 0, "last folders": 0, "file name": 2}
    assert header["source"]["ambiguous"]["count"] == 2


def test_a_file_per_split_tells_images_of_one_name_apart(tmp_path):
    row = {"pid": 1, "width": 64, "height": 128}
    rows = [{**row, "path": f"{split}/0.jpg", "split": split, "sha1": split} for split in ("query", "gallery")]
    images = Images("market", image_table.build(rows, {}), "hash", Path("nowhere"), Path("market.parquet"))
    for split, x in (("query", 20), ("gallery", 40)):
        (tmp_path / f"{split}.json").write_text(json.dumps([person("0.jpg", x=x)]))
    files = {split: str(tmp_path / f"{split}.json") for split in ("query", "gallery")}
    header, work = alphapose.build(images, results={"market": files}, **RUN)
    assert work(0, 2)["keypoints"][:, 8, 0].tolist() == [20.5, 40.5]
    assert set(header["source"]) == {"query", "gallery"}
    with pytest.raises(UserError, match="names the split 'test'; market has query, gallery"):
        alphapose.build(images, results={"market": {"test": files["query"]}}, **RUN)
