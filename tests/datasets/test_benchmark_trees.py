"""What every reader of a benchmark promises, on a tiny copy of each set."""

import pytest

import trees_clothes_video_cuhk as clothes
import trees_holistic as holistic
from dataset_trees import image
from partreid.datasets import (
    celeb_reid,
    cuhk01,
    cuhk03,
    dukemtmc,
    ltcc,
    market1501_extra,
    mars,
    msmt17,
    occluded_duke,
    occluded_reid,
    p_dukemtmc,
    prcc,
    summary,
    vc_clothes,
)
from partreid.errors import UserError
from partreid.storage import image_table

# reader, generator of the tree, a folder that must be there ("" = no other tells the set), a file that is no image of
# the set ("" = its lists name the images; for odd lines see test_msmt17.py)
SETS = {
    "market1501_multi_query": (
        market1501_extra.read_multi_query,
        holistic.market1501_multi_query,
        "gt_bbox",
        "gt_bbox/1_c1.jpg",
    ),
    "market1501_500k": (
        market1501_extra.read_500k,
        holistic.market1501_500k,
        "images",
        "images/0002_c1s1_000451_03.jpg",
    ),
    "dukemtmc": (dukemtmc.read, holistic.dukemtmc, "query", "query/0005_c9_f0046985.jpg"),
    "occluded_duke": (occluded_duke.read, holistic.occluded_duke, "bounding_box_test", "query/0005_c1s1_000451_03.jpg"),
    "p_dukemtmc": (
        p_dukemtmc.read,
        holistic.p_dukemtmc,
        "test/whole_body_images",
        "test/whole_body_images/0005/5_c1_f0000001.jpg",
    ),
    "occluded_reid": (
        occluded_reid.read,
        holistic.occluded_reid,
        "whole_body_images",
        "occluded_body_images/001/001_1.tif",
    ),
    "msmt17_v1": (msmt17.read_v1, holistic.msmt17_v1, "train", ""),
    "msmt17_v2": (msmt17.read_v2, holistic.msmt17_v2, "mask_test_v2", ""),
    "prcc": (prcc.read, clothes.prcc, "rgb/test/B", "rgb/train/001/cropped_rgb001.jpg"),
    "ltcc": (ltcc.read, clothes.ltcc, "info", "query/094_1_c13_013427.png"),
    "vc_clothes": (vc_clothes.read, clothes.vc_clothes, "gallery", "train/0001-05-01-01.jpg"),
    "celeb_reid": (celeb_reid.read, clothes.celeb_reid, "query", "gallery/633_1.jpg"),
    "celeb_reid_light": (celeb_reid.read_light, clothes.celeb_reid_light, "train", "query/a_1_0.jpg"),
    "mars": (mars.read, clothes.mars, "bbox_test", "bbox_train/0001/0001C7T0001F001.jpg"),
    "cuhk01_486": (cuhk01.read_486, clothes.cuhk01, "", "campus/0001005.png"),
    "cuhk01_100": (cuhk01.read_100, clothes.cuhk01, "", "campus/001001.png"),
    "cuhk03_detected": (cuhk03.read_detected, clothes.cuhk03, "", "images_detected/6_001_1_01.png"),
    "cuhk03_labeled": (cuhk03.read_labeled, clothes.cuhk03, "", "images_labeled/1_1_1_01.png"),
    "cuhk03_classic_detected": (cuhk03.read_classic_detected, clothes.cuhk03, "", "images_detected/1_001_3_01.png"),
    "cuhk03_classic_labeled": (cuhk03.read_classic_labeled, clothes.cuhk03, "", "images_labeled/x.png"),
}


@pytest.fixture(params=SETS)
def benchmark(request):
    """Name, reader, generator of the tree, a folder it needs."""
    read, make, folder, _ = SETS[request.param]
    return request.param, read, make, folder


def remove(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_rows_are_in_order_and_the_name_is_kept(benchmark, tmp_path):
    name, read, make, _ = benchmark
    table = read(make(tmp_path))
    keys = [(image_table.SPLITS.index(row["split"]), row["path"].encode()) for row in table.to_pylist()]
    assert keys == sorted(keys)
    image_table.check(table, name)
    about = image_table.about(table)
    assert about["dataset"] == name
    assert about["skipped"] == []
    assert about["found"] == summary.found(table)


def test_the_same_images_give_the_same_bytes(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path / "set")
    image_table.write(read(root), tmp_path / "1")
    image_table.write(read(root), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_small_copy_is_called_incomplete(benchmark, tmp_path):
    _, read, make, _ = benchmark
    about = image_table.about(read(make(tmp_path)))
    published, found = about["published"], about["found"]
    lines = [line for line in about["warnings"] if line.startswith("this copy is incomplete or altered: ")]
    assert len(lines) == sum(found.get(name, 0) != number for name, number in published.items())
    images = next(name for name in ("gallery images", "train persons") if name in published and name in found)
    assert any(line.endswith(f": found {found[images]}, published {published[images]}") for line in lines)


def test_the_folder_that_holds_the_set_will_do(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path)
    inside, outside = read(root), read(tmp_path)
    assert outside["path"].to_pylist() == [f"{root.name}/{path}" for path in inside["path"].to_pylist()]
    assert outside.drop(["path"]).equals(inside.drop(["path"]))


def test_a_wrong_root_shows_the_expected_tree_and_what_is_there(benchmark, tmp_path):
    name, read, make, folder = benchmark
    archive = make(tmp_path / "real").name
    wrong = tmp_path / "wrong"
    image(wrong / "holidays" / "a.jpg")
    with pytest.raises(UserError) as caught:
        read(wrong)
    message = str(caught.value)
    assert message.startswith("there is no cuhk-03.mat\n" if "classic" in name else f"this is not {archive}")
    assert f"\nexpected:\n  {archive}/ " in message
    assert not folder or f"{folder.split('/')[-1]}/ " in message
    assert f"found in {wrong}:\n  holidays/\n" in message


def test_no_root_at_all(benchmark, tmp_path):
    _, read, _, _ = benchmark
    with pytest.raises(UserError, match=r"no such folder: .*nowhere"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [name for name in SETS if SETS[name][2]])
def test_a_missing_folder_is_named(name, tmp_path):
    read, make, folder, _ = SETS[name]
    root = make(tmp_path)
    remove(root / folder)
    with pytest.raises(UserError, match=rf"incomplete: .* has .*, but {folder} is missing"):
        read(root)


@pytest.mark.parametrize("name", [name for name in SETS if SETS[name][3]])
def test_misnamed_images_are_named_and_left_out(name, tmp_path):
    read, make, _, misnamed = SETS[name]
    root = make(tmp_path)
    before = len(read(root))
    image(root / misnamed)
    table = read(root)
    ((path, reason),) = image_table.about(table)["skipped"]
    assert path == misnamed
    assert reason.startswith("the name is not like ")
    assert len(table) == before


def test_unreadable_images_are_named_and_left_out(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path)
    paths = read(root)["path"].to_pylist()
    (root / paths[0]).write_bytes(b"")
    (root / paths[-1]).write_bytes(b"not a picture")
    table = read(root)
    skipped = image_table.about(table)["skipped"]
    assert skipped[0] == [paths[0], "the file is empty"]
    assert skipped[-1] == [paths[-1], "not an image, or damaged"]
    assert table["path"].to_pylist() == [path for path in paths if path not in (paths[0], paths[-1])]


def test_a_set_without_a_readable_image_is_an_error(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path)
    for path in read(root)["path"].to_pylist():
        (root / path).write_bytes(b"")
    with pytest.raises(UserError, match=r"hold no (image|frame) .*, \d+ skipped; the first: .*: the file is empty"):
        read(root)


def test_published_cameras_add_up_to_the_images(benchmark, tmp_path):
    _, read, make, _ = benchmark
    published = image_table.about(read(make(tmp_path)))["published"]
    for name, numbers in published.items():
        if name.endswith("per camera"):
            assert sum(numbers) == published[name.removesuffix(" per camera")]
