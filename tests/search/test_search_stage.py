"""stages/search.py as a program, in a project of one tiny data set and an untrained model."""

import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

import coloured_persons
from partreid import methods, params
from partreid.errors import UserError
from partreid.inference import embed
from partreid.search.calibration import calibrated
from partreid.storage import embeddings, image_table, published_weights
from partreid.storage.files import sha256
from partreid.tools import blazepose

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """`folder`: 8 persons in plain colours by 2 cameras, embedded by an untrained bot."""
    root = tmp_path_factory.mktemp("search")
    coloured_persons.project(root, 8)
    index, run = root / "data/index/folder.parquet", root / "runs/bot-folder"
    torch.manual_seed(1)
    _, options = params.load(PROJECT / "params.yaml").recipe_of("bot")
    method = methods.build("bot", backbone="mobilenet_v2", identities=3, **options)
    about = {"model": "bot", "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    methods.save(run / "weights.safetensors", method, {**about, "height": 64, "width": 32})
    trained, table = methods.load(run / "weights.safetensors"), image_table.read(index)
    header = {"model": "bot", "dataset": "folder", "target": "folder", "distance": "cosine"}
    header |= {"table": sha256(index), "weights": sha256(run / "weights.safetensors")}
    batches = embed(trained, table, root / "photos", {}, torch.device("cpu"))
    embeddings.write(run / "embeddings.npz", header, batches)
    (root / "photos/broken.jpg").write_bytes(b"no image")
    return root


@pytest.fixture
def search(project, monkeypatch, capsys):
    """A function that runs the program in the project and returns what it printed; errors are raised."""
    monkeypatch.chdir(project)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["stages/search.py", *map(str, arguments)])
        runpy.run_path(str(PROJECT / "stages/search.py"))["main"]()
        return capsys.readouterr().out

    return run


def test_a_folder_is_ranked_and_its_embeddings_are_a_gallery_too(project, search):
    printed = search("--query", "photos/3_0.png", "photos/5_0.png", "--gallery", "photos", "--top", 4)
    assert "left out: " in printed
    assert "broken.jpg: not an image" in printed
    out = project / "results/search"
    result = json.loads((out / "search.json").read_text())
    for query, name in zip(result["queries"], ("3", "5"), strict=True):
        names = [Path(found["path"]).name for found in query["found"]]
        assert names[:2] == [f"{name}_0.png", f"{name}_1.png"]  # itself, then the same colours
        assert [found["rank"] for found in query["found"]] == [1, 2, 3, 4]
        distances = [found["distance"] for found in query["found"]]
        assert distances == sorted(distances)
    html = (out / "search.html").read_text()
    sources = re.findall(r"""src=["']([^"']*)""", html)
    assert len(sources) == 10
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)  # nothing is loaded from elsewhere
    links = [link for link in re.findall(r"""href=["']([^"']*)""", html) if not link.startswith("#")]
    assert links[0] == (project / "photos/3_0.png").as_uri()
    assert len(links) == 10

    for index in ("whole", "exact", "approximate"):
        search(
            "--query", "photos/3_0.png", "photos/5_0.png", "--gallery", out / "gallery.npz", "--top", 4,
            "--index", index, "--out", f"results/{index}",
        )  # fmt: skip
        found = json.loads((project / f"results/{index}/search.json").read_text())["queries"]
        for ours, theirs in zip(found, result["queries"], strict=True):
            assert [hit["path"] for hit in ours["found"]] == [hit["path"] for hit in theirs["found"]]
            assert np.allclose(
                [hit["distance"] for hit in ours["found"]], [hit["distance"] for hit in theirs["found"]], atol=1e-5
            )


def test_a_data_sets_embeddings_are_searched_in_the_gallery_split_and_give_the_threshold(project, search):
    printed = search(
        "--query", "photos/3_0.png", "--gallery", "runs/bot-folder/embeddings.npz", "--out", "results/set",
        "--false-match-rate", 0.2,
    )  # fmt: skip
    result = json.loads((project / "results/set/search.json").read_text())
    hits = result["queries"][0]["found"]
    assert sorted(Path(hit["path"]).name for hit in hits) == [f"{person}_1.png" for person in range(8)]
    assert Path(hits[0]["path"]).name == "3_1.png"
    limit = result["threshold"]
    assert (limit["wanted"], limit["split"]) == (0.2, "test")
    assert (limit["persons"], limit["images"]) == (7, 14)  # without the photo, and so without its person
    assert [hit["same"] for hit in hits] == [hit["distance"] <= limit["distance"] for hit in hits]
    assert hits[0]["same"]
    assert f"Threshold {limit['distance']:.4f}" in printed


def test_where_the_image_table_is_not_there_is_no_threshold_and_that_is_said(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    limit, told = calibrated(project / "runs/bot-folder/weights.safetensors", "", {}, set(), 0.1, 1)
    assert limit is None
    assert "no file data/index/folder.parquet; `dvc repro data/dvc.yaml:index@folder` makes it" in told


def test_a_parquet_file_is_searched_as_the_embeddings_it_was_made_of(project, search, monkeypatch, tmp_path):
    monkeypatch.chdir(project)
    for source, query in (("runs/bot-folder/embeddings.npz", 3), ("results/search/gallery.npz", 5)):
        if not Path(source).is_file():
            search("--query", "photos/3_0.png", "--gallery", "photos")
        out = tmp_path / f"{query}.parquet"
        monkeypatch.setattr("sys.argv", ["stages/vectors.py", source, str(out)])
        runpy.run_path(str(PROJECT / "stages/vectors.py"))["main"]()
        monkeypatch.setattr("sys.argv", ["stages/vectors.py", str(out), "again.parquet"])
        with pytest.raises(UserError, match=rf"{query}\.parquet is Parquet already"):
            runpy.run_path(str(PROJECT / "stages/vectors.py"))["main"]()
        found = []
        for gallery in (source, out):
            search("--query", f"photos/{query}_0.png", "--gallery", gallery, "--out", "results/parquet")
            hits = json.loads((project / "results/parquet/search.json").read_text())["queries"][0]["found"]
            found.append([(hit["path"], round(hit["distance"], 5), hit["itself"]) for hit in hits])
        assert found[0] == found[1]
        assert found[0][0][2] == (query == 5)  # the other is no image of the gallery
    table = pq.read_table(tmp_path / "3.parquet")
    assert table["path"].to_pylist()[:2] == ["0_0.png", "0_1.png"]
    assert table["pid"].to_pylist()[:4] == [0, 0, 1, 1]
    assert table["camid"].to_pylist()[:4] == [0, 1, 0, 1]


def test_photos_are_embedded_as_the_gallery_was(project, search):
    _, options = params.load(PROJECT / "params.yaml").recipe_of("bpbreid")
    method = methods.build("bpbreid", backbone="mobilenet_v2", identities=3, **options)
    weights = project / "runs/bpbreid-folder/weights.safetensors"
    about = {"model": "bpbreid", "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    methods.save(weights, method, {**about, "height": 64, "width": 32})
    before = (project / "params.yaml").read_text()
    values = yaml.safe_load(before)
    values["at_test"]["bpbreid"] |= {"embeddings": ["global", "torso"], "visibility": "all"}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    arguments = ["--query", "photos/3_0.png", "--weights", weights, "--top", 3, "--out", "results/other"]
    search(*arguments, "--gallery", "photos")
    (project / "params.yaml").write_text(before)  # foreground and parts again: the gallery stays what it is
    search(*arguments[:-1], "results/again", "--gallery", "results/other/gallery.npz")
    found = [
        json.loads((project / out / "search.json").read_text())["queries"][0]["found"]
        for out in ("results/other", "results/again")
    ]
    assert found[0] == found[1]
    assert found[0][0]["distance"] == pytest.approx(0, abs=1e-3)
    kept = embeddings.Stored(project / "results/other/gallery.npz").header
    assert kept["at_test"]["embeddings"] == ["global", "torso"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--query", "photos/none.png", "--gallery", "photos"], "cannot search by photos/none.png: cannot be read"),
        (["--query", "photos/broken.jpg", "--gallery", "photos"], "cannot search by photos/broken.jpg: not an image"),
        (["--query", "photos/3_0.png", "--gallery", "nowhere"], "no gallery nowhere"),
        (["--query", "photos/3_0.png", "--gallery", "data"], "no readable image below data"),
        (["--query", "photos/3_0.png", "--gallery", "params.yaml"], "params.yaml is damaged"),
        (["--query", "photos/3_0.png", "--gallery", "photos", "--weights", "no.pt"], "no weights no.pt; --weights is"),
        (["--query", "photos/3_0.png", "--gallery", "photos", "--index", "tree"], "unknown index (--index) 'tree'"),
        (["--query", "photos/3_0.png", "--gallery", "photos", "--out", "params.yaml"], "so nothing was begun"),
        (["--query", "photos/3_0.png", "--gallery", "photos", "--false-match-rate", "2"], "a share between 0 and 1"),
        (["--query", "photos/3_0.png", "--gallery", "other.npz"], "was made with other weights"),
    ],
)
def test_bad_inputs_are_one_line(project, search, arguments, message):
    stored = embeddings.read(project / "runs/bot-folder/embeddings.npz")
    embeddings.write(project / "other.npz", {**stored.header, "weights": "0" * 64}, [stored])
    with pytest.raises((UserError, OSError)) as error:  # program.run prints these as one line
        search(*arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_people_in_folders_and_of_a_data_set_are_named(project, search):
    for source in project.glob("photos/*_1.png"):
        there = project / "people" / f"Ann {source.stem[0]}" / "hall" / "photo.png"
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(source.read_bytes())
    (project / "people/.cache").mkdir()
    (project / "people/.cache/x.png").write_bytes(there.read_bytes())
    (project / "people/IMG.HEIC").touch()
    printed = search("--query", "photos/3_0.png", "--gallery", "people", "--out", "results/people")
    assert "left out: 1 .heic, 1 hidden folders" in printed
    assert "Ann 3/hall/photo.png" in printed
    hits = json.loads((project / "results/people/search.json").read_text())["queries"][0]["found"]
    assert len(hits) == 8
    assert hits[0]["name"] == "Ann 3/hall/photo.png"
    html = (project / "results/people/search.html").read_text()
    assert 'alt="Ann 3/hall/photo.png: rank 1' in html
    assert ">Ann 3/hall/photo.png<" in html
    search("--query", "photos/3_0.png", "--gallery", "runs/bot-folder/embeddings.npz", "--out", "results/set")
    hits = json.loads((project / "results/set/search.json").read_text())["queries"][0]["found"]
    assert hits[0]["name"] == "3 · cam 1"


def test_what_trained_the_model_and_the_photo_itself_are_told(project, search):
    index = project / "data/index/folder.parquet"
    before = index.read_bytes()
    rows = image_table.read(index).drop_columns("image_id").to_pylist()
    image_table.write(image_table.build([{**row, "split": "train"} for row in rows if row["pid"] < 4], {}), index)
    try:
        weights = project / "runs/bot-folder/weights.safetensors"
        trained = methods.load(weights)
        other = project / "runs/trained.safetensors"
        methods.save(other, trained.method, {**trained.header, "table": sha256(index)})
        arguments = ["--query", "photos/3_0.png", "--gallery", "photos", "--weights", other, "--out", "results/learned"]
        printed = search(*arguments)
        again = search(*arguments[:3], "results/learned/gallery.npz", *arguments[4:])
    finally:
        index.write_bytes(before)
    result = json.loads((project / "results/learned/search.json").read_text())
    assert (result["images"], result["images_that_trained"], result["trained_on"]) == (16, 8, "folder")
    assert [hit["itself"] for hit in result["queries"][0]["found"]] == [True] + [False] * 15
    html = (project / "results/learned/search.html").read_text()
    for text in (printed, again, html):
        assert "8 of the gallery" in text
        assert "s 16 images trained this model: their persons are found more easily" in text
        assert text.count("the photo itself") == (2 if text is html else 1)  # and in the picture's text
    printed = search("--query", "photos/3_0.png", "--gallery", "photos", "--out", "results/learned")
    assert "cannot be told here" in printed  # these weights know of no image table
    assert json.loads((project / "results/learned/search.json").read_text())["images_that_trained"] is None


def test_a_name_takes_one_line_of_what_is_printed(project, search, tmp_path):
    file = tmp_path / "a\nb.png"
    shutil.copy(project / "photos/3_0.png", file)
    printed = search("--query", file, "--gallery", tmp_path, "--out", tmp_path / "out").splitlines()
    assert f"{tmp_path}/a\\nb.png" in printed
    assert any(line.endswith("a\\nb.png the photo itself") for line in printed)


def test_names_are_shown_to_their_end():
    style = (PROJECT / "src/partreid/search/search.css").read_text()
    (name,) = re.findall(r"\.found \.name \{([^}]*)\}", style)
    assert "ellipsis" not in name
    assert "overflow-wrap: anywhere" in name


def test_pah_is_searched_with_heads_that_its_tool_finds(project, search, monkeypatch):
    _, options = params.load(PROJECT / "params.yaml").recipe_of("pah")
    method = methods.build("pah", backbone="mobilenet_v2", identities=3, **options)
    weights = project / "runs/pah-folder/weights.safetensors"
    about = {"model": "pah", "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    methods.save(weights, method, {**about, "height": 128, "width": 64})
    looked = []

    def network(_model, _square):  # one person upright in the middle
        looked.append(1)
        landmarks = np.concatenate([np.tile([128, 128, 0, 5, 5], 33), np.zeros(30)]).astype(np.float32)
        landmarks[1:165:5] = np.linspace(40, 220, 33)
        landmarks[:165:5] = np.linspace(110, 150, 33)
        return landmarks, 0.95, np.full((256, 256), 5, np.float32)

    monkeypatch.setattr(blazepose, "_run", network)
    monkeypatch.setattr(published_weights, "path", lambda _name: Path("params.yaml"))
    arguments = ["--query", "photos/3_0.png", "--gallery", "photos", "--weights", weights, "--out", "results/pah"]
    search(*arguments)
    found = json.loads((project / "results/pah/search.json").read_text())["queries"][0]["found"]
    assert (found[0]["name"], found[0]["distance"]) == ("3_0.png", pytest.approx(0, abs=1e-3))
    once = len(looked)
    assert once >= 17
    search(*arguments)
    assert len(looked) == once, "the tool looked again at photos that it had seen"
