"""What the page to search with asks for: photos, rankings, images, marks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

import search_server
from partreid.evaluation.distances import DISTANCES, tensors
from partreid.serving import asking, photos, search_page
from partreid.serving.app import application

N = 2 * search_server.PERSONS


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def asked(root):
    def find(image):  # as search_server.several puts them, in another order
        found = [[20 + 90 * n, 30, 84 + 90 * n, 158] for n in (1, 0, 2) if image.shape[1] >= 110 + 90 * n]
        return np.array(found, np.float32).reshape(-1, 4), np.ones(len(found))

    return search_server.asked(root, "bot", find)


@pytest.fixture(scope="module")
def client(asked):
    return TestClient(application([search_server.part(asked)]), "http://127.0.0.1", raise_server_exceptions=False)


def give(client, image):
    return client.post("/search/photos", content=search_server.png(image)).json()


def rank(client, **wanted):
    return client.post("/search/rankings", json=wanted)


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/", follow_redirects=True)
    assert page.status_code == 200
    assert page.url.path == "/search/"
    assert "nearer images are called the same person" in page.text
    assert "<option>cam 1</option>" in page.text
    for word in ("http://", "https://", "style=", "onclick", "<script>"):
        assert word not in page.text
    for name in search_page.FILES:
        assert f"/static/{name}" in page.text or name.startswith("search_")
        found = client.get(f"/static/{name}")
        assert found.status_code == 200
        assert "http" not in found.text
    assert client.get("/static/search.js").headers["content-type"].startswith("text/javascript")


def test_a_photo_of_several_is_searched_by_box(client, root):
    image, boxes = search_server.several(root, (3, 5, 8))
    seen = give(client, image)
    assert (seen["width"], seen["height"], seen["meant"]) == (290, 180, None)
    assert seen["boxes"] == boxes.tolist()  # from left to right
    for person, box in zip((3, 5, 8), seen["boxes"], strict=True):
        found = rank(client, photo=seen["photo"], box=box, top=4).json()
        assert [each["path"] for each in found["found"][:2]] == [f"{person}_0.png", f"{person}_1.png"]
        assert found["found"][0]["distance"] == pytest.approx(0, abs=1e-3)
        assert found["found"][0]["name"] == f"{person} · cam 0"
        assert found["found"][0]["same"] is True
        assert found["among"] == N
        assert len(found["found"]) == 4
    whole = client.get(f"/search/photos/{seen['photo']}")
    assert whole.headers["content-type"] == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(whole.content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown.shape == image.shape


def test_the_ranking_is_that_of_the_model_and_its_distance(client, asked, root):
    image = cv2.imread(str(root / "photos/6_0.png"))[..., ::-1]
    seen = give(client, image)
    found = rank(client, photo=seen["photo"], box=None, top=N).json()["found"]
    people = asked.model.embed(image)
    gallery = asked.model.embed([root / "photos" / place for place in asked.gallery.places])
    exact = DISTANCES["cosine"](tensors(people), tensors(gallery))[0].numpy()
    np.testing.assert_allclose([each["distance"] for each in found], np.sort(exact), atol=1e-5)
    assert [each["same"] for each in found] == [each["path"][:2] == "6_" for each in found]
    assert all(each["parts"] == [] for each in found)  # one part tells nothing of its own


@pytest.mark.parametrize(("size", "found", "plain"), [
    ((200, 100), [[10, 10, 90, 190]], "all"),
    ((200, 100), [[10, 10, 40, 60]], 0),  # somebody small in a tall photo
    ((200, 100), [], "all"),
    ((200, 100), [[5, 5, 95, 195], [0, 0, 20, 40]], "all"),  # a passer-by beside the person
    ((100, 200), [[10, 10, 50, 90]], 0),
    ((100, 200), [[10, 10, 50, 90], [60, 10, 90, 90]], None),
    ((100, 200), [], None),
])  # fmt: skip
def test_who_is_plainly_meant(size, found, plain):
    assert asking.meant(size[1], size[0], np.array(found, float).reshape(-1, 4)) == plain


def test_filters_leave_what_they_say(client, root):
    seen = give(client, cv2.imread(str(root / "photos/6_0.png"))[..., ::-1])
    ask = {"photo": seen["photo"], "box": None, "top": N}
    found = rank(client, **ask, camera="cam 1").json()
    assert found["among"] == search_server.PERSONS
    assert {each["camera"] for each in found["found"]} == {"cam 1"}
    assert found["found"][0]["path"] == "6_1.png"
    found = rank(client, **ask, words=" 7_0.P ").json()
    assert [each["path"] for each in found["found"]] == ["7_0.png"]
    assert rank(client, **ask, words="png 7_").json()["among"] == 0  # as it stands there, not word by word
    found = rank(client, **ask, camera="cam 1", words="7_0").json()
    assert (found["among"], found["found"], found["comparable"]) == (0, [], None)


@pytest.mark.parametrize(("wanted", "status", "said"), [
    ({"top": 0}, 400, "from 1 to 200, found 0"), ({"top": 201}, 400, "found 201"), ({"top": "5"}, 400, "found '5'"),
    ({"box": [0, 0, 3, 3]}, 400, "too small"), ({"box": "x"}, 400, "four numbers"),
    ({"box": [1e400, 0, 9, 9]}, 400, "four"),
    ({"photo": "nobody"}, 404, "no longer kept"), ({"photo": None}, 404, "no longer kept"),
])  # fmt: skip
def test_what_cannot_be_ranked_is_one_clear_error(client, root, wanted, status, said):
    seen = give(client, cv2.imread(str(root / "photos/6_0.png"))[..., ::-1])
    sent = json.dumps({"photo": seen["photo"], "box": None, "top": 5, **wanted})
    found = client.post("/search/rankings", content=sent)
    assert found.status_code == status
    assert said in found.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_question_is_refused(client, body):
    for path in ("rankings", "marks"):
        if (path, body) != ("marks", b"[]"):
            found = client.post(f"/search/{path}", content=body)
            assert found.status_code == 400
            assert found.json()["error"]


def test_uploads_are_bounded(client, monkeypatch):
    monkeypatch.setattr(search_page, "MOST_BYTES", 1000)
    assert client.post("/search/photos", content=bytes(1001)).status_code == 413
    found = client.post("/search/photos", content=bytes(1000))
    assert (found.status_code, "no JPEG" in found.json()["error"]) == (400, True)
    assert client.post("/search/rankings", content=bytes(search_page.MOST_JSON + 1)).status_code == 413


def test_nothing_that_was_sent_is_on_disk(client, root):
    before = sorted(path for path in root.rglob("*"))
    seen = give(client, cv2.imread(str(root / "photos/6_0.png"))[..., ::-1])
    rank(client, photo=seen["photo"], box=None, top=5)
    client.post("/search/marks", json=[])
    assert sorted(path for path in root.rglob("*")) == before


def test_images_are_asked_for_by_row_never_by_path(client, asked):
    for row in (0, N - 1):
        small = client.get(f"/search/images/{row}")
        found = cv2.imdecode(np.frombuffer(small.content, np.uint8), cv2.IMREAD_COLOR)
        theirs = cv2.imread(str(asked.gallery.paths[row]))
        assert np.abs(found.astype(int) - theirs).mean() < 3
    for row in (
        N,
        "-1",
        "1.0",
        "..%2f..%2fparams.yaml",
        "../params.yaml",
        "0%00",
        "%2fetc%2fpasswd",
        "１",
        "9" * 400,
        "9" * 5000,
    ):
        assert client.get(f"/search/images/{row}").status_code == 404
    assert client.get("/search/images/0", params={"large": "1"}).status_code == 200


def test_an_image_whose_file_is_gone_is_said(client, asked):
    file = Path(asked.gallery.paths[4])
    data = file.read_bytes()
    file.unlink()
    try:
        found = client.get("/search/images/4")
        assert (found.status_code, found.json()["error"]) == (404, "the image's file is gone or damaged")
    finally:
        file.write_bytes(data)


def test_marks_come_back_as_a_file(client):
    mark = {
        "photo": "=q.jpg",
        "box": [0, 0, 64, 128],
        "row": 2,
        "rank": 1,
        "distance": 0.1,
        "same": True,
        "mark": "right",
    }
    found = client.post("/search/marks", json=[mark])
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="marks.csv"' in found.headers["content-disposition"]
    assert found.content.decode("utf-8-sig").splitlines()[1].startswith("'=q.jpg,0,0,64,128,")


def test_parts_say_what_matched_best_and_worst(tmp_path):
    asked = search_server.asked(tmp_path, "bpbreid", visibility="all")
    client = TestClient(application([search_server.part(asked)]), "http://127.0.0.1")
    seen = give(client, cv2.imread(str(tmp_path / "photos/6_0.png"))[..., ::-1])
    assert (seen["boxes"], seen["meant"]) == ([], "all")  # without weights that find persons
    found = rank(client, photo=seen["photo"], box=None, top=6).json()
    assert [part["name"] for part in found["parts"]] == list(asked.model.parts)
    assert all(part["seen"] for part in found["parts"])
    for each in found["found"]:
        assert len(each["parts"]) == len(asked.model.parts) > 2
        assert each["distance"] == pytest.approx(np.mean(each["parts"]), abs=1e-3)


def test_photos_that_are_no_longer_kept_are_said(client, root, monkeypatch):
    monkeypatch.setattr(photos, "KEPT", 1)
    image = cv2.imread(str(root / "photos/6_0.png"))[..., ::-1]
    first, _ = give(client, image), give(client, image)
    assert rank(client, photo=first["photo"], box=None, top=5).status_code == 404
    assert client.get(f"/search/photos/{first['photo']}").status_code == 404
