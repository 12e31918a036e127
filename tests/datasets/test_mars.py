import numpy as np
import pytest
from scipy.io import loadmat, savemat

import trees_clothes_video_cuhk as trees
from dataset_trees import image
from partreid.datasets import mars as reader
from partreid.errors import UserError
from partreid.storage import image_table


def rewrite(file, change):
    """Save a .mat file again with its one variable changed."""
    name, value = next((name, value) for name, value in loadmat(file).items() if not name.startswith("__"))
    savemat(file, {name: change(value)})


def test_rows_are_frames_with_the_tracklets_of_info(tmp_path):
    table = reader.read(trees.mars(tmp_path))
    keys = ("path", "split", "pid", "camid", "tracklet_id", "frame")
    assert [tuple(row[key] for key in keys) for row in table.to_pylist()] == [
        ("bbox_train/0001/0001C1T0001F001.jpg", "train", 1, 0, 0, 1),
        ("bbox_train/0001/0001C1T0001F002.jpg", "train", 1, 0, 0, 2),
        ("bbox_train/0001/0001C1T0001F003.jpg", "train", 1, 0, 0, 3),
        ("bbox_train/0001/0001C1T0002F001.jpg", "train", 1, 0, 1, 1),
        ("bbox_train/0001/0001C1T0002F002.jpg", "train", 1, 0, 1, 2),
        ("bbox_train/0001/0001C6T0001F001.jpg", "train", 1, 5, 2, 1),
        ("bbox_train/1499/1499C5T0001F001.jpg", "train", 1499, 4, 3, 1),
        ("bbox_train/1499/1499C5T0001F002.jpg", "train", 1499, 4, 3, 2),
        ("bbox_test/0002/0002C1T0002F001.jpg", "query", 2, 0, 7, 1),
        ("bbox_test/0002/0002C1T0002F002.jpg", "query", 2, 0, 7, 2),
        ("bbox_test/0002/0002C1T0002F003.jpg", "query", 2, 0, 7, 3),
        ("bbox_test/1500/1500C5T0001F001.jpg", "query", 1500, 4, 9, 1),
        ("bbox_test/1500/1500C5T0001F002.jpg", "query", 1500, 4, 9, 2),
        ("bbox_test/00-1/00-1C1T0001F001.jpg", "gallery", -1, 0, 4, 1),
        ("bbox_test/00-1/00-1C1T0001F002.jpg", "gallery", -1, 0, 4, 2),
        ("bbox_test/0000/0000C1T0002F001.jpg", "gallery", 0, 0, 5, 1),
        ("bbox_test/0000/0000C1T0002F002.jpg", "gallery", 0, 0, 5, 2),
        ("bbox_test/0002/0002C1T0001F001.jpg", "gallery", 2, 0, 6, 1),
        ("bbox_test/0002/0002C1T0001F002.jpg", "gallery", 2, 0, 6, 2),
        ("bbox_test/0002/0002C3T0001F001.jpg", "gallery", 2, 2, 8, 1),
    ]


def test_counts(tmp_path):
    about = image_table.about(reader.read(trees.mars(tmp_path)))
    assert about["found"]["gallery distractors"] == 2
    assert about["found"]["gallery junk"] == 2
    assert about["found"]["gallery persons"] == 1
    assert about["tracklets"] == {"train": 4, "query": 2, "gallery": 4}
    assert "info/ is altered: tracklets of train: found 4, published 8298" in about["warnings"]


def test_no_warning_when_all_counts_are_right(tmp_path, monkeypatch):
    root = trees.mars(tmp_path)
    about = image_table.about(reader.read(root))
    monkeypatch.setattr(reader, "PUBLISHED", about["found"])
    monkeypatch.setattr(reader, "TRACKLETS", about["tracklets"])
    assert image_table.about(reader.read(root))["warnings"] == []


def test_published_counts_agree_with_the_whole_set():
    published = reader.PUBLISHED
    assert published["train images"] + published["query images"] + published["gallery images"] == 1191003
    assert published["query images"] + published["gallery images"] == 681089
    # test without query and junk
    assert published["gallery images"] - published["gallery junk"] == 543216
    assert sum(reader.TRACKLETS.values()) == 20478


def test_batches_make_the_same_table(tmp_path, monkeypatch):
    root = trees.mars(tmp_path)
    (root / "bbox_test/0002/0002C3T0001F001.jpg").write_bytes(b"")
    whole = reader.read(root)
    monkeypatch.setattr(reader, "BATCH", 3)
    pieces = reader.read(root)
    assert pieces.combine_chunks().equals(whole.combine_chunks(), check_metadata=True)
    assert pieces["image_id"].to_pylist() == list(range(19))


def test_the_order_of_the_lists_does_not_matter_but_their_pairing_does(tmp_path):
    root = trees.mars(tmp_path / "a")
    other = trees.mars(tmp_path / "b")
    names = (other / "info/test_name.txt").read_text().split()
    tracks = loadmat(other / "info/tracks_test_info.mat")["track_test_info"]
    turned = tracks[::-1].copy()  # the last tracklet first
    lengths = turned[:, 1] - turned[:, 0] + 1
    lists = [names[first - 1 : last] for first, last, _, _ in turned.tolist()]
    turned[:, 1] = np.cumsum(lengths)
    turned[:, 0] = turned[:, 1] - lengths + 1
    (other / "info/test_name.txt").write_text("\n".join(name for part in lists for name in part) + "\r\n")
    savemat(other / "info/tracks_test_info.mat", {"track_test_info": turned})
    savemat(other / "info/query_IDX.mat", {"query_IDX": 7 - np.array([trees.MARS_QUERIES], np.uint16)})
    expected, found = reader.read(root), reader.read(other)
    assert found.drop(["tracklet_id", "sha1"]).equals(expected.drop(["tracklet_id", "sha1"]))
    assert found["tracklet_id"].to_pylist()[8:13] == [6, 6, 6, 4, 4]


def test_frames_that_are_not_there_are_counted_and_the_first_is_named(tmp_path):
    root = trees.mars(tmp_path)
    for name in ("0002/0002C1T0002F002.jpg", "0000/0000C1T0002F001.jpg", "0000/0000C1T0002F002.jpg"):
        (root / "bbox_test" / name).unlink()
    table = reader.read(root)
    about = image_table.about(table)
    assert about["warnings"][0] == "bbox_test lacks 3 of 12 frames; the first: bbox_test/0000/0000C1T0002F001.jpg"
    assert about["skipped"] == []
    assert len(table) == 17
    assert about["tracklets"]["gallery"] == 4  # as info/ says; the tracklet of which nothing is left has no rows


def test_frame_numbers_of_three_digits(tmp_path):
    root = trees.mars(tmp_path)
    names = root / "info/train_name.txt"
    names.write_text(names.read_text().replace("0001C6T0001F001", "0001C6T0001F920"))
    person = root / "bbox_train/0001"
    (person / "0001C6T0001F001.jpg").rename(person / "0001C6T0001F920.jpg")
    assert reader.read(root)["frame"].to_pylist()[5] == 920


def test_frames_that_info_does_not_name_are_left_out(tmp_path):
    root = trees.mars(tmp_path)
    for path in ("bbox_test/0002/0002C1T0009F001.jpg", "bbox_test/0003/0002C1T0001F001.jpg"):  # new; in a wrong folder
        image(root / path)
    table = reader.read(root)
    assert image_table.about(table)["skipped"] == [
        ["bbox_test/0002/0002C1T0009F001.jpg", "info/test_name.txt does not name it"],
        ["bbox_test/0003/0002C1T0001F001.jpg", "info/test_name.txt does not name it"],
    ]
    assert len(table) == 20


def test_a_missing_file_of_info_is_named(tmp_path):
    root = trees.mars(tmp_path)
    (root / "info/query_IDX.mat").unlink()
    (root / "info/train_name.txt").unlink()
    with pytest.raises(UserError, match=r"incomplete: .*info lacks train_name\.txt, query_IDX\.mat\nexpected:"):
        reader.read(root)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("tracks_train_info", lambda tracks: tracks[:-1], r"train_name\.txt has 8 lines, but .* needs 6: they do not"),
        ("tracks_test_info", lambda tracks: np.delete(tracks, 2, 0), r"tracklets leave gaps or overlap"),
        ("tracks_test_info", lambda tracks: tracks + [1, 1, 0, 0], r"tracklets leave gaps or overlap"),
        ("tracks_test_info", lambda tracks: np.insert(tracks, 1, [3, 2, 0, 1], 0), r"tracklets leave gaps or overlap"),
        ("tracks_test_info", lambda tracks: tracks[:, :3], r"found int32 \(6, 3\), expected numbers with 4 columns"),
        (
            "tracks_train_info",
            lambda tracks: tracks + [0, 0, 1, 0],
            r"line 1: found '0001C1.*', expected .* person 2 by",
        ),
        ("tracks_train_info", lambda tracks: tracks + [0, 0, 0, 1], r"expected a frame of person 1 by camera 2, like"),
        ("query_IDX", lambda rows: rows + 1, r"names the tracklet 7, but tracks_test_info\.mat has 6"),
        ("query_IDX", lambda rows: rows * 0, r"names the tracklet 0"),
    ],
)
def test_info_that_contradicts_itself_is_refused(tmp_path, file, change, message):
    root = trees.mars(tmp_path)
    rewrite(root / f"info/{file}.mat", change)
    with pytest.raises(UserError, match=message):
        reader.read(root)


def test_a_list_of_something_else_is_refused(tmp_path):
    root = trees.mars(tmp_path)
    lines = (root / "info/test_name.txt").read_text().split()
    (root / "info/test_name.txt").write_text("\n".join([*lines[:11], "../etc/passwd"]))
    with pytest.raises(UserError, match=r"line 12: found '../etc/passwd', expected a frame of person 1500 by camera 5"):
        reader.read(root)
