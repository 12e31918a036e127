import os
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import image_table
from partreid.tools import imported
from tools.importing import made

BLANK = {"value": np.full(2, 7, np.float32)}


def read(file, height, width):
    values = imported.numbers(file)
    if values.shape != (2,):
        raise ValueError(f"its shape is {values.shape}")
    return {"score": 0.5, "value": values * (height, width)} if values.any() else None


def built(images, folder):
    source = imported.find(images, "x_files", {"market": str(folder)}, (".npy",))
    return imported.build({"tool": "x_files"}, source, images, read, BLANK)


def test_every_image_gets_a_row_and_bad_files_are_named(tmp_path, capfd):
    images = made(["a/0.jpg", "a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg", "a/5.jpg"], height=10, width=20)
    np.save(tmp_path / "0.npy", [1.0, 2.0])
    np.save(tmp_path / "1.npy", [0.0, 0.0])  # nobody
    (tmp_path / "2.npy").write_bytes(b"rubbish")
    (tmp_path / "p").mkdir()
    (tmp_path / "q").mkdir()
    np.save(tmp_path / "p" / "3.npy", [1.0, 1.0])  # one of two
    np.save(tmp_path / "q" / "3.npy", [1.0, 1.0])
    np.save(tmp_path / "4.npy", np.ones(3))
    header, work = built(images, tmp_path)
    found = work(0, 6)
    np.testing.assert_array_equal(found["status"], [0, 1, 2, 2, 2, 1])
    np.testing.assert_array_equal(found["score"], [0.5, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(found["value"], [[10, 40], *[[7, 7]] * 5])
    said = capfd.readouterr()
    assert "2.npy" in said.err
    assert "4.npy: its shape is (3,)" in said.err
    assert "4 of 6 images matched" in said.out
    assert header["source"]["matched"]["file name"] == 4
    assert header["source"]["ambiguous"]["count"] == 1
    np.testing.assert_array_equal(work(3, 5)["status"], [2, 2])  # by row, wherever a piece begins
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(work))(0, 1)["value"], [[10, 40]])


def test_other_and_hidden_files_are_not_looked_at(tmp_path):
    np.save(tmp_path / "0.npy", [1.0, 2.0])
    (tmp_path / "._0.npy").write_bytes(b"what macOS leaves behind")
    (tmp_path / ".cache").mkdir()
    np.save(tmp_path / ".cache" / "0.npy", [1.0, 2.0])
    (tmp_path / "0.txt").write_text("0")
    header, _ = built(made(["0.jpg"]), tmp_path)
    assert (header["source"]["files"], header["source"]["other_files"]) == (1, 1)


def test_the_header_changes_with_the_files(tmp_path):
    images = made(["0.jpg"])
    np.save(tmp_path / "0.npy", [1.0, 2.0])
    first = built(images, tmp_path)[0]
    assert built(images, tmp_path)[0] == first
    np.save(tmp_path / "0.npy", [3.0, 4.0])
    os.utime(tmp_path / "0.npy", (1, 1))
    assert built(images, tmp_path)[0] != first


def test_a_folder_per_split_tells_images_of_one_name_apart(tmp_path):
    images = made(["query/0.jpg", "gallery/0.jpg"])
    rows = [{**row, "split": row["path"].split("/")[0]} for row in images.table.to_pylist()]
    images = replace(images, table=image_table.build(rows, {}))
    for name, value in (("of the query", 1.0), ("of the gallery", 2.0)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "0.npy", [value, value])
    folders = {"query": str(tmp_path / "of the query"), "gallery": str(tmp_path / "of the gallery")}
    source = imported.find(images, "x_files", {"market": folders}, (".npy",))
    header, work = imported.build({"tool": "x_files"}, source, images, read, BLANK)
    np.testing.assert_array_equal(work(0, 2)["value"][:, 0], images.sizes()[:, 0] * (1, 2))
    assert {split: about["files"] for split, about in header["source"].items()} == {"query": 1, "gallery": 1}
    with pytest.raises(UserError, match=r"as of the gallery/0\.npy that of query/0\.jpg.*Give one for each split"):
        imported.find(images, "x_files", {"market": str(tmp_path)}, (".npy",))
    with pytest.raises(UserError, match=r"tools\.x_files\.folders\.market names the split 'test'; market has query"):
        imported.find(images, "x_files", {"market": {"test": str(tmp_path)}}, (".npy",))
    with pytest.raises(UserError, match=r"absent, which tools\.x_files\.folders\.market\.query"):
        imported.find(images, "x_files", {"market": {"query": str(tmp_path / "absent")}}, (".npy",))


def test_what_is_no_path_is_refused_and_splits_without_one_are_told(tmp_path, capsys):
    images = made(["0.jpg"])
    for value, told in ((None, "None"), ("", "''"), (5, "5"), (["a"], r"\['a'\]")):
        with pytest.raises(UserError, match=rf"^tools\.x_files\.folders\.market in params.yaml is {told}, expected"):
            imported.find(images, "x_files", {"market": value}, (".npy",))
        with pytest.raises(UserError, match=rf"^tools\.x_files\.folders\.market\.train in params.yaml is {told}, "):
            imported.find(images, "x_files", {"market": {"train": value}}, (".npy",))
    with pytest.raises(UserError, match=r"folders\.market names no split; market has train"):
        imported.find(images, "x_files", {"market": {}}, (".npy",))
    train, query = made(["0.jpg", "1.jpg"]).table.to_pylist()
    both = replace(images, table=image_table.build([train, {**query, "split": "query"}], {}))
    np.save(tmp_path / "0.npy", [1.0, 2.0])
    imported.find(both, "x_files", {"market": {"train": str(tmp_path)}}, (".npy",))
    assert "tools.x_files.folders.market names nothing for 1 image of query: nobody" in capsys.readouterr().out


def test_an_unknown_data_set_names_the_key_to_set(tmp_path):
    with pytest.raises(UserError, match=r"tools\.x_files\.folders\.market"):
        imported.find(made(["0.jpg"]), "x_files", {"duke": str(tmp_path)}, (".npy",))
    with pytest.raises(UserError, match=r"no .*absent, which tools\.x_files\.folders\.market"):
        imported.find(made(["0.jpg"]), "x_files", {"market": str(tmp_path / "absent")}, (".npy",))


def test_a_folder_without_such_files_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no file that ends in \.npy: it is empty"):
        built(made(["0.jpg"]), tmp_path)
    (tmp_path / "readme.txt").write_text("0")
    with pytest.raises(UserError, match=r"it holds readme\.txt"):
        built(made(["0.jpg"]), tmp_path)
    with pytest.raises(UserError, match="must name a folder"):
        built(made(["0.jpg"]), tmp_path / "readme.txt")


def test_when_nothing_matches_both_sides_are_shown(tmp_path):
    np.save(tmp_path / "other.npy", [1.0, 2.0])
    with pytest.raises(UserError, match=r"Images: a/0\.jpg.*Names: other\.npy"):
        built(made(["a/0.jpg"]), tmp_path)


def test_a_folder_in_which_no_file_can_be_read_is_refused_before_the_work(tmp_path):
    for i in range(40):
        np.save(tmp_path / f"{i}.npy", np.ones(3))
    with pytest.raises(UserError, match=r"\d\.npy: its shape is \(3,\)"):
        built(made([f"{i}.jpg" for i in range(40)]), tmp_path)


def test_only_plain_finite_numbers_are_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    np.save(tmp_path / "pickle.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "nan.npy", np.array([np.nan]))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "cut.npy", np.ones(1000))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:999])
    np.savez(tmp_path / "two.npz", a=np.ones(1), b=np.ones(1))
    for name in ("pickle.npy", "nan.npy", "text.npy", "empty.npy", "cut.npy", "two.npz"):
        with pytest.raises(imported.DAMAGE):
            imported.numbers(tmp_path / name, "c")
    assert not (tmp_path / "ran").exists()
    np.testing.assert_array_equal(imported.numbers(tmp_path / "two.npz", "b"), [1])


def test_a_damaged_npz_is_one_failed_image(tmp_path):
    np.savez(tmp_path / "a.npz", np.arange(10000))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[5000] ^= 255
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(zipfile.BadZipFile):
        imported.numbers(tmp_path / "a.npz")
    assert zipfile.BadZipFile in imported.DAMAGE


def test_a_file_that_is_away_stops_the_import_and_is_no_finding(tmp_path):
    for name in ("0.npy", "1.npy"):
        np.save(tmp_path / name, np.ones(3))
    images = made(["0.jpg", "1.jpg"])
    source = imported.find(images, "x_files", {"market": str(tmp_path)}, (".npy",))

    def read(file, _height, _width):
        return {"score": float(imported.numbers(file)[0])}

    _, work = imported.build({"tool": "x_files"}, source, images, read, {})
    (tmp_path / "1.npy").unlink()
    with pytest.raises(UserError, match=r"cannot read .*1\.npy now: No such file"):
        work(0, 2)
    (tmp_path / "1.npy").write_bytes(b"damaged")
    assert work(0, 2)["status"].tolist() == [0, 2]


def test_an_offset_that_points_outside_an_npz_is_damage_and_no_disk_that_is_away(tmp_path):
    np.savez(tmp_path / "0.npz", np.ones(3))
    data = bytearray((tmp_path / "0.npz").read_bytes())
    end = data.rindex(b"PK\x05\x06")  # the zip's last record; its directory's place stands 16 bytes further on
    data[end + 16 : end + 20] = (1 << 31).to_bytes(4, "little")
    (tmp_path / "0.npz").write_bytes(data)
    np.savez(tmp_path / "1.npz", np.ones(3))
    images = made(["0.jpg", "1.jpg"])
    source = imported.find(images, "x_files", {"market": str(tmp_path)}, (".npz",))

    def read(file, _height, _width):
        return {"score": float(imported.numbers(file)[0])}

    _, work = imported.build({"tool": "x_files"}, source, images, read, {})
    assert work(0, 2)["status"].tolist() == [2, 0]
