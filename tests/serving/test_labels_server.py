"""What the label viewer answers: pages of images, pictures, records, and mistakes in words."""

import base64
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

import labelled_project
from partreid import params
from partreid.drawing.label_marks import HEIGHT
from partreid.drawing.label_views import VIEWS
from partreid.errors import UserError
from partreid.inspection.sources import file
from partreid.labels import LABELS, made, native
from partreid.serving import labels_comparison, labels_pages, labels_shelf
from partreid.serving.app import application
from partreid.storage import cache, pieces, places
from partreid.storage.files import sha256

PIFPAF = "dataset=synthetic&label=pifpaf"
PSEUDO = "dataset=synthetic&label=pseudo_parts"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The project of labelled_project, with all labels of blazepose; nobody changes it."""
    root, before = tmp_path_factory.mktemp("labelled"), Path.cwd()
    os.chdir(root)
    try:
        labelled_project.project(root)
        for label in LABELS:
            labelled_project.make(label)
        maps = np.zeros((1, 16, 8), np.uint8)
        maps[0, :8] = 3
        index = Path("data/index/synthetic.parquet")
        made.write(file("pseudo_parts", "synthetic"), "pseudo_parts", index, ["4.png"], maps, {"epoch": 7})
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def ask(folder, monkeypatch):
    """A function that gives the answer's JSON, or its bytes where it is a picture; errors are told by their text."""
    monkeypatch.chdir(folder)
    return asking()


def asking():
    client = TestClient(application([labels_pages.part(params.load())]), base_url="http://localhost")

    def get(address, status=200):
        answer = client.get(f"/labels/{address}")
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer.content

    return get


def ids(answer):
    return [row["id"] for row in answer["rows"]]


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_the_catalogue_lists_what_is_there(ask):
    found = ask("catalogue")
    tools = ["blazepose", "truth"]
    assert found["datasets"] == {
        "synthetic": {**{label: ["cache", *tools] for label in LABELS}, "pseudo_parts": ["cache"]}
    }
    assert found["nothing"] is None


def test_the_chosen_data_set_comes_first():
    def catalogue():
        return {name: {"heads": ["cache"]} for name in ("one", "two", "three")}

    shelf = SimpleNamespace(catalogue=catalogue, p=SimpleNamespace(dataset="two"))
    answer = labels_pages.Viewer(shelf).catalogue(None)
    assert list(json.loads(answer.body)["datasets"]) == ["two", "one", "three"]


def test_images_come_worst_first_a_page_at_a_time(ask, monkeypatch):
    monkeypatch.setattr(labels_pages, "PAGE", 4)
    first = ask(f"rows?{PIFPAF}")
    assert ids(first) == [2, 1, 5, 0]
    assert (first["total"], first["of"], first["page"], first["pages"]) == (6, 6, 1, 2)
    assert ids(ask(f"rows?{PIFPAF}&page=1")) == [2, 1, 5, 0]
    assert ids(ask(f"rows?{PIFPAF}&page=2")) == [3, 4]
    assert ids(ask(f"rows?{PIFPAF}&page=900")) == [3, 4]  # the last one, where filters left fewer
    assert ask(f"rows?{PIFPAF}&at=4")["page"] == 2  # whose page it is
    assert ask(f"rows?{PIFPAF}&page=2&at=0")["page"] == 1
    assert ask(f"rows?{PIFPAF}&at=4&split=query")["page"] == 1  # not among them
    nobody = ask(f"rows?{PIFPAF}&person=nobody")
    assert (nobody["total"], nobody["page"], nobody["pages"]) == (0, 1, 1)
    row = first["rows"][2]
    assert (row["split"], row["person"], row["status"], row["path"]) == ("gallery", "junk", ["ok"], "5.png")
    assert row["score"] == [pytest.approx(0.6)]


@pytest.mark.parametrize(
    ("filters", "images"),
    [
        ("split=train", [0, 3, 4]),
        ("person=007", [0, 3, 4]),
        ("person=8&status=missing,failed", [2, 1]),
        ("low=0.5&high=0.6", [5]),
        ("order=-score&status=ok", [0, 3, 4, 5]),
        ("order=image", [0, 1, 2, 3, 4, 5]),
        ("status=&a=&b=&parts=&order=&low=&high=&page=&at=", [2, 1, 5, 0, 3, 4]),  # a form's empty fields
        ("low=0.9&high=0.9", [0, 3, 4]),
        ("person=nobody", []),
    ],
)
def test_filters_are_in_the_address(ask, filters, images):
    assert ids(ask(f"rows?{PIFPAF}&{filters}")) == images


def test_what_is_said_once_of_a_label(ask):
    about = ask(f"about?{PIFPAF}&parts=3")
    assert about["splits"][0] == {"name": "train", "images": 3, "counts": [3, 0, 0]}
    assert about["splits"][-1] == {"name": "all", "images": 6, "counts": [4, 1, 1]}
    assert sum(bar["images"] for bar in about["scores"]) == 5  # the one that failed has no score
    assert list(about["legend"]) == ["head", "upper", "legs"]
    assert about["sources"] == [{"source": "cache", "name": "blazepose", "made": "cached"}]
    assert about["photos"] is None
    assert about["agreement"] is None


@pytest.mark.parametrize("label", [*LABELS, "pseudo_parts"])
def test_a_strip_shows_the_photo_and_the_label_from_each_source(ask, label):
    second = "&b=truth" if label in LABELS else ""
    address = f"dataset=synthetic&label={label}{second}"
    for row in ask(f"rows?{address}&order=image")["rows"]:
        picture = decoded(ask(f"strip/{row['id']}?{address}"))
        if row["id"] != 2:  # its file is missing, so its shape is not the index's
            assert list(picture.shape[1::-1]) == row["size"]
        assert picture.shape[0] == HEIGHT
    seen = decoded(ask(f"strip/4?{address}"))
    photo, drawn = seen[:, :128].astype(int), seen[:, 130:258].astype(int)
    assert np.abs(photo - 160).max() <= 6, "the photo of image 4 is plain"
    assert np.abs(drawn - photo).max() > 60
    every = {each["caption"]: each["uri"] for each in ask(f"label/4?{address}")["pictures"]}
    main = decoded(base64.b64decode(every[VIEWS[label].main].partition(",")[2]))
    assert np.abs(drawn - main).mean() < 3, "it is the picture that stands for the label"


def test_pictures_are_drawn_once_and_again_when_the_cache_changes(ask, monkeypatch):
    drawn = []
    original = labels_pages.pictures.label_pictures.label
    monkeypatch.setattr(
        labels_pages.pictures.label_pictures, "label", lambda *a, **k: drawn.append(1) or original(*a, **k)
    )
    pictures = [ask(f"strip/3?{PIFPAF}") for _ in range(3)]
    assert len(drawn) == 1
    assert len(set(pictures)) == 1
    assert ask(f"strip/3?{PIFPAF}&parts=3") != pictures[0]
    now = ask(f"strip/3?{PIFPAF}&a=truth")
    assert len(drawn) == 3
    changes = [
        (file("pifpaf", "synthetic"), "cache", pictures[0]),
        (places.index("synthetic"), "cache", pictures[0]),
        (native.file("truth", "synthetic"), "truth", now),
    ]
    for number, (path, source, picture) in enumerate(changes, 4):
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
        assert ask(f"strip/3?{PIFPAF}&a={source}") == picture
        assert len(drawn) == number


def test_an_image_has_all_its_labels(ask):
    image = ask("image/3?dataset=synthetic")
    assert image["photo"].startswith("data:image/jpeg;base64,")
    assert (image["path"], image["split"], image["called"], image["size"]) == ("3.png", "train", "7", [64, 128])
    assert set(image["labels"]) == {*LABELS, "pseudo_parts"}
    captions = {}
    for label in image["labels"]:
        found = ask(f"label/3?dataset=synthetic&label={label}")
        captions[label] = [picture["caption"] for picture in found["pictures"]]
        assert found["status"] == ("missing" if label == "pseudo_parts" else "ok")
    assert captions["pifpaf"] == ["joints", "limbs", "parts"]
    assert captions["heads"] == ["box", "head"]
    assert captions["schp"] == ["parsing", "person"]
    assert captions["pseudo_parts"] == ["label"]  # a plain picture that says why
    assert captions["poses"][0] == "skeleton"
    assert captions["poses"][1].startswith("cluster ")
    truth = ask(f"label/3?{PIFPAF}&a=truth")
    assert (truth["name"], truth["made"], truth["version"]) == ("truth", "made now", "7")


def test_all_images_are_compared_some_at_a_time(monkeypatch):
    monkeypatch.setattr(labels_comparison, "STEP", 4)
    lock, asked = threading.Lock(), []

    def agreement(_measure, _a, _b, rows):
        assert lock.locked()
        asked.append(rows.tolist())
        if asked == [[0, 1, 2, 3], [4, 5, 6, 7]] and damaged:
            raise UserError("the cache is damaged")
        return rows / 10

    def started():
        asked.clear()
        return labels_comparison.Comparison("pifpaf", None, None, 10, lock)

    monkeypatch.setattr(labels_comparison.diff, "agreement", agreement)
    damaged, whole = False, started()
    whole.wait()
    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    np.testing.assert_array_equal(whole.values, np.arange(10) / 10)
    assert (whole.done, whole.error) == (10, None)
    damaged, partly = True, started()
    partly.wait()
    np.testing.assert_array_equal(partly.values, [0, 0.1, 0.2, 0.3, *[np.nan] * 6])
    assert (partly.done, partly.error) == (4, "the cache is damaged")
    damaged = False
    with lock:
        left = started()
        left.stop()
    left.wait()
    assert left.done <= 4


def test_two_tools_stand_side_by_side(ask, monkeypatch):
    two, at_work = f"{PIFPAF}&a=cache&b=truth", []

    def noticed(*arguments):
        at_work.append(labels_comparison.Comparison(*arguments))
        return at_work[-1]

    monkeypatch.setattr(labels_shelf, "Comparison", noticed)
    assert ids(ask(f"rows?{two}&found=first")) == [5]
    assert ids(ask(f"rows?{two}&found=neither")) == [2, 1]
    at_work[0].wait()
    answer = ask(f"rows?{two}&order=agreement")
    assert len(at_work) == 1
    assert answer["compared"] == {"done": 6, "error": None}
    assert ids(answer) == [3, 0, 4, 1, 2, 5]  # what only one found has no agreement
    assert answer["rows"][0]["agreement"] < 0.9
    assert [row["agreement"] for row in answer["rows"][3:]] == [None, None, None]
    assert ask(f"rows?{two}&order=image")["rows"][5]["status"] == ["ok", "missing"]
    about = ask(f"about?{two}")
    assert about["agreement"].startswith("share of cells with the same part")


def test_a_record_says_where_labels_come_from(ask):
    lists = {each["title"]: dict(each["facts"]) for each in ask(f"record?{PIFPAF}")}
    assert lists["data/labels/pifpaf/synthetic.npz"]["tool"] == "blazepose"
    assert lists["what it was made of"]["file"] == "data/tools/blazepose/synthetic.npz"
    of_tool = {each["title"]: dict(each["facts"]) for each in ask(f"record?{PIFPAF}&a=truth")}
    assert list(of_tool) == ["data/tools/truth/synthetic.npz"]
    assert of_tool["data/tools/truth/synthetic.npz"]["label.parameters.width"] == "17"
    made_in_training = {each["title"]: dict(each["facts"]) for each in ask(f"record?{PSEUDO}")}
    assert list(made_in_training) == ["runs/pah-synthetic/labels/pseudo_parts.npz"]
    assert made_in_training["runs/pah-synthetic/labels/pseudo_parts.npz"]["parameters.epoch"] == "7"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("rows?dataset=nowhere&label=pifpaf", "unknown data set (`datasets` in params.yaml) 'nowhere'"),
        ("rows?dataset=../../etc&label=pifpaf", "unknown data set"),
        ("rows?dataset=market1501&label=pifpaf", "`dvc repro data/dvc.yaml:index@market1501` makes it"),
        ("rows?dataset=synthetic&label=nose", "unknown label 'nose'"),
        ("rows?dataset=synthetic&label=../pifpaf", "unknown label '../pifpaf'"),
        (f"rows?{PIFPAF}&a=consensus", "`dvc repro data/dvc.yaml:tool@consensus-synthetic` makes it"),
        (f"rows?{PIFPAF}&a=/etc/passwd.npz", "pifpaf labels cannot be made from '/etc/passwd.npz'"),
        (f"strip/0?{PIFPAF}&b=params.yaml", "pifpaf labels cannot be made from 'params.yaml'"),
        (f"rows?{PIFPAF}&b=cache", "cache is on both sides"),
        ("rows?dataset=synthetic&label=pseudo_parts&b=truth", "there is nothing to put beside it"),
        ("rows?label=pifpaf", "the address names no dataset"),
        (f"rows?{PIFPAF}&split=val", "unknown split 'val'"),
        (f"rows?{PIFPAF}&status=fine", "unknown status 'fine'"),
        (f"rows?{PIFPAF}&order=size", "unknown order 'size'"),
        (f"rows?{PIFPAF}&order=agreement", "choose a second tool"),
        (f"rows?{PIFPAF}&page=0", "page is a number from 1 on, found '0'"),
        (f"rows?{PIFPAF}&page=%C2%B2", "page is a number from 1 on"),
        (f"rows?{PIFPAF}&page=99999999999999999999", "page is a number from 1 on"),
        (f"rows?{PIFPAF}&low=nan", "a score lies between 0 and 1, found low='nan'"),
        (f"rows?{PIFPAF}&low=half", "a score lies between 0 and 1, found low='half'"),
        (f"rows?{PIFPAF}&high=1.5", "a score lies between 0 and 1, found high='1.5'"),
        (f"rows?{PIFPAF}&low=0.9&high=0.1", "no score is at least 0.9 and at most 0.1"),
        (f"about?{PIFPAF}&parts=7", "unknown number of parts '7'"),
        (f"strip/6?{PIFPAF}", "there is no image 6; the image table has 0..5"),
        ("image/99?dataset=synthetic", "there is no image 99"),
        (f"label/6?{PIFPAF}", "there is no image 6"),
    ],
)
def test_mistakes_are_one_message(ask, address, words):
    text = ask(address, 400)["error"]
    assert words in text
    assert "\n" not in text


@pytest.mark.parametrize("address", ["strip/-1", "strip/a", "strip/..%2f..%2fparams.yaml", "image/1.5", "nothing"])
def test_only_numbers_name_images(ask, address):
    assert set(ask(f"{address}?{PIFPAF}", 404)) == {"error"}


def test_static_files_are_those_of_a_list(ask):
    names = ["labels.css", *(name for name in labels_pages.FILES if name.endswith(".js"))]
    page = ask("")
    for name in names:
        ask(f"../static/{name}")
    assert b'src="/static/labels.js"' in page
    assert b"http" not in page  # nothing is loaded from elsewhere
    ask("../static/labels_pages.py", 404)


def test_many_threads_see_what_one_sees(ask):
    pages = [f"strip/{row}?dataset=synthetic&label={label}&b=truth" for label in LABELS for row in range(6)]
    one = asking()
    alone = [one(page) for page in pages]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, pages)) == alone


def test_only_a_few_labels_stay_open(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(labels_shelf, "OPEN", 2)
    monkeypatch.setattr(labels_shelf, "COMPARED", 1)
    stopped = []
    monkeypatch.setattr(labels_comparison.Comparison, "stop", lambda each: stopped.append(each))
    shelf = labels_shelf.Shelf(params.load())
    first = shelf.label("synthetic", "pifpaf", "cache")
    assert shelf.label("synthetic", "pifpaf", "cache") is first
    for label in ("heads", "poses"):
        shelf.label("synthetic", label, "cache")
    assert shelf.label("synthetic", "pifpaf", "cache") is not first
    pairs = [shelf.comparison("synthetic", label, "cache", "truth") for label in ("heads", "pifpaf")]
    assert stopped == pairs[:1]
    for pair in pairs:
        pair.wait()


def test_what_was_asked_for_last_is_kept_longest():
    given_up = []
    kept = labels_shelf._Kept(2, given_up.append)
    for key in "abac":
        kept.get(key, key.upper)
    assert given_up == ["B"]


# a folder in which something is missing


@pytest.fixture
def bare(tmp_path, monkeypatch):
    return labelled_project.entered(tmp_path, monkeypatch)


@pytest.mark.usefixtures("bare")
def test_without_any_labels_the_command_is_said():
    for path in Path("data/tools").rglob("*.npz"):
        path.unlink()
    found = asking()("catalogue")
    assert found["datasets"] == {}
    assert "`dvc repro data/dvc.yaml:pifpaf@synthetic` makes them" in found["nothing"]


@pytest.mark.usefixtures("bare")
def test_without_photos_the_labels_are_listed_all_the_same():
    labelled_project.make("heads")
    Path("data/synthetic").rename("data/elsewhere")
    ask = asking()
    about = ask("about?dataset=synthetic&label=heads")
    assert "no folder data/synthetic with the images of synthetic" in about["photos"]
    assert len(ids(ask("rows?dataset=synthetic&label=heads"))) == 6
    assert decoded(ask("strip/0?dataset=synthetic&label=heads")).shape == (HEIGHT, HEIGHT + 2, 3)


@pytest.mark.usefixtures("bare")
def test_a_label_of_two_tools_has_the_worse_status():
    index, (keypoints, _) = Path("data/index/synthetic.parquet"), labelled_project.detections(0)
    Path("params.yaml").write_text(labelled_project.PARAMS.replace("    person: blazepose", "    person: truth"))

    def work(_start, _stop):  # it says that it found somebody in image 1 too, where truth gives no mask
        found = {"status": np.array([0, 0, 2, 0, 0, 1], np.uint8), "score": np.full(6, 0.5, np.float32)}
        return {**found, "keypoints": keypoints}

    head = {**cache.header("tool/movenet", "movenet", "1", None, {}, sha256(index)), "gives": ["keypoints"]}
    pieces.write(native.file("movenet", "synthetic"), head, work, 6, processes=1)
    ask = asking()
    rows = ask("rows?dataset=synthetic&label=schp&a=movenet&order=image")["rows"]
    assert [row["status"] for row in rows] == [["ok"], ["missing"], ["failed"], ["ok"], ["ok"], ["missing"]]
    assert [ask(f"label/{n}?dataset=synthetic&label=schp&a=movenet")["status"] for n in (0, 1)] == ["ok", "missing"]
    own = ask("rows?dataset=synthetic&label=schp&a=blazepose&order=image")["rows"]  # it gives masks itself
    assert own[5]["status"] == ["ok"], "truth sees nobody there, but is not asked"


@pytest.mark.usefixtures("bare")
def test_a_damaged_cache_is_a_message_and_a_new_one_is_seen():
    path = labelled_project.make("pifpaf")
    ask = asking()
    assert len(ids(ask(f"rows?{PIFPAF}"))) == 6
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in ask(f"rows?{PIFPAF}", 400)["error"]
    path.write_bytes(whole)
    assert len(ids(ask(f"rows?{PIFPAF}"))) == 6
    path.unlink()
    assert "`dvc repro data/dvc.yaml:pifpaf@synthetic` makes them" in ask(f"rows?{PIFPAF}", 400)["error"]
