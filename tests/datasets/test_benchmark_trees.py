"""What every reader of a benchmark promises, on a tiny copy of each set."""

import pytest

import trees_holistic as trees
from dataset_trees import image
from partreid import records
from partreid.datasets import dukemtmc, market1501_extra, msmt17, occluded_duke, occluded_reid, p_dukemtmc, summary
from partreid.errors import UserError

# reader, a folder that must be there, a file that is no image of the set
SETS = {
    "market1501_multi_query": (market1501_extra.read_multi_query, "gt_bbox", "gt_bbox/1_c1.jpg"),
    "market1501_500k": (market1501_extra.read_500k, "images", "images/0002_c1s1_000451_03.jpg"),
    "dukemtmc": (dukemtmc.read, "query", "query/0005_c9_f0046985.jpg"),
    "occluded_duke": (occluded_duke.read, "bounding_box_test", "query/0005_c1s1_000451_03.jpg"),
    "p_dukemtmc": (p_dukemtmc.read, "test/whole_body_images", "test/whole_body_images/0005/5_c1_f0000001.jpg"),
    "occluded_reid": (occluded_reid.read, "whole_body_images", "occluded_body_images/001/001_1.tif"),
    "msmt17_v1": (msmt17.read_v1, "train", ""),  # for odd lines of its lists see test_msmt17.py
    "msmt17_v2": (msmt17.read_v2, "mask_test_v2", ""),
}


@pytest.fixture(params=SETS)
def benchmark(request):
    """Name, reader, generator of the tree, a folder it needs."""
    read, folder, _ = SETS[request.param]
    return request.param, read, getattr(trees, request.param), folder


def remove(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_rows_are_in_order_and_the_name_is_kept(benchmark, tmp_path):
    name, read, make, _ = benchmark
    table = read(make(tmp_path))
    keys = [(records.SPLITS.index(row["split"]), row["path"].encode()) for row in table.to_pylist()]
    assert keys == sorted(keys)
    about = records.about(table)
    assert about["dataset"] == name
    assert about["skipped"] == []
    assert about["found"] == summary.found(table)


def test_a_small_copy_is_called_incomplete(benchmark, tmp_path):
    _, read, make, _ = benchmark
    about = records.about(read(make(tmp_path)))
    published = about["published"]
    lines = [line for line in about["warnings"] if line.startswith("this copy is incomplete or altered: ")]
    assert len(lines) == len(published)
    assert any(line.endswith(f"published {published['gallery images']}") for line in lines)


def test_the_folder_that_holds_the_set_will_do(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path)
    inside, outside = read(root), read(tmp_path)
    assert outside["path"].to_pylist() == [f"{root.name}/{path}" for path in inside["path"].to_pylist()]
    assert outside.drop(["path"]).equals(inside.drop(["path"]))


def test_a_wrong_root_shows_the_expected_tree_and_what_is_there(benchmark, tmp_path):
    _, read, make, folder = benchmark
    archive = make(tmp_path / "real").name
    wrong = tmp_path / "wrong"
    image(wrong / "holidays" / "a.jpg")
    with pytest.raises(UserError) as caught:
        read(wrong)
    message = str(caught.value)
    assert message.startswith(f"this is not {archive}\nexpected:\n  {archive}/ ")
    assert f"{folder.split('/')[-1]}/ " in message
    assert f"found in {wrong}:\n  holidays/\n" in message


def test_a_missing_folder_is_named(benchmark, tmp_path):
    _, read, make, folder = benchmark
    root = make(tmp_path)
    remove(root / folder)
    with pytest.raises(UserError, match=rf"incomplete: .* has .*, but {folder} is missing"):
        read(root)


@pytest.mark.parametrize("name", [name for name in SETS if SETS[name][2]])
def test_misnamed_images_are_named_and_left_out(name, tmp_path):
    read, _, misnamed = SETS[name]
    root = getattr(trees, name)(tmp_path)
    before = len(read(root))
    image(root / misnamed)
    table = read(root)
    ((path, reason),) = records.about(table)["skipped"]
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
    assert records.about(table)["skipped"] == [
        [paths[0], "the file is empty"],
        [paths[-1], "not an image, or damaged"],
    ]
    assert table["path"].to_pylist() == paths[1:-1]


def test_a_set_without_a_readable_image_is_an_error_that_names_the_first(benchmark, tmp_path):
    _, read, make, _ = benchmark
    root = make(tmp_path)
    paths = read(root)["path"].to_pylist()
    for path in paths:
        (root / path).write_bytes(b"")
    with pytest.raises(
        UserError, match=rf"hold no image of .*, {len(paths)} skipped; the first: .*: the file is empty"
    ):
        read(root)


def test_published_cameras_add_up_to_the_images(benchmark, tmp_path):
    _, read, make, _ = benchmark
    published = records.about(read(make(tmp_path)))["published"]
    cameras = {name: numbers for name, numbers in published.items() if name.endswith("per camera")}
    for name, numbers in cameras.items():
        assert sum(numbers) == published[name.removesuffix(" per camera")]
