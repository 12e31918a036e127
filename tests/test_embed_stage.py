"""stages/embed.py: what it asks of a label file that it does not depend on in the pipeline; kills; other machines."""

import os
import pickle
import runpy
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import coloured_persons
from partreid import embedding, inference, methods, params
from partreid.errors import UserError
from partreid.inputs import kinds
from partreid.labels.heads import CORNERS
from partreid.params import Label
from partreid.storage import cache, elsewhere, embeddings, files, image_table, pieces

STAGE = runpy.run_path(str(Path(__file__).parents[1] / "stages/embed.py"))
as_asked = STAGE["as_asked"]
FILE = Path("runs/bot-folder/embeddings.npz")
WANTED = Label("blazepose", 1, {"clusters": 3, "min_score": 0.1})
TOOLS = {"blazepose": {"looks": 1}, "consensus": {}}


def file_of(label):
    header = {"tool": label.tool, "version": label.version, "parameters": label.options}
    return SimpleNamespace(path=Path("data/labels/poses/mars.parquet"), header=header)


def test_a_label_of_todays_values_will_do():
    as_asked(file_of(WANTED), WANTED, TOOLS)
    as_asked(file_of(WANTED), replace(WANTED, options={**WANTED.options, "person": "schp"}), TOOLS)  # not this label's


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(WANTED, tool="alphapose"), "tool = 'alphapose', params.yaml has 'blazepose'"),
        (replace(WANTED, version=2), "version = 2, params.yaml has 1"),
        (replace(WANTED, options={"clusters": 4, "min_score": 0.1}), "clusters = 4, params.yaml has 3"),
    ],
)
def test_a_label_of_other_values_is_refused(other, said):
    with pytest.raises(UserError, match=rf"{said}.*dvc repro data/dvc\.yaml:poses@mars"):
        as_asked(file_of(other), WANTED, TOOLS)


def test_a_label_of_a_second_tool_or_of_a_tools_other_values_is_refused():
    options = {"height": 128}
    wanted = Label("consensus", 1, {**options, "person": "blazepose"})

    def schp(person, looks):
        beside = {"tool": person, "tool_version": "1", "weights": None, "parameters": {"looks": looks}}
        header = {"tool": "consensus", "version": 1, "parameters": options, "tool_parameters": {}, "person": beside}
        return SimpleNamespace(path=Path("data/labels/schp/mars.npz"), header=header)

    as_asked(schp("blazepose", 1), wanted, TOOLS)
    with pytest.raises(UserError, match=r"person = 'densepose', params\.yaml has 'blazepose'"):
        as_asked(schp("densepose", 1), wanted, TOOLS)
    with pytest.raises(UserError, match=r"tools\.blazepose\.looks = 3, params\.yaml has 1"):
        as_asked(schp("blazepose", 3), wanted, TOOLS)
    older = file_of(WANTED)
    older.header["tool_parameters"] = {"looks": 3, "of its own": 7}
    with pytest.raises(UserError, match=r"tools\.blazepose\.looks = 3, params\.yaml has 1"):
        as_asked(older, WANTED, TOOLS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project of 18 images, five pieces, and an untrained bot."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(elsewhere.VARIABLE, raising=False)
    monkeypatch.setattr(inference, "BATCH", 1)
    coloured_persons.project(tmp_path, 9)
    torch.manual_seed(1)
    _, options = params.load(tmp_path / "params.yaml").recipe_of("bot")
    about = {"model": "bot", "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    about |= {"recipe": "laptop", "seed": 1, "labels": {}, "precision": "float32", "revision": "0"}
    method = methods.build("bot", backbone="mobilenet_v2", identities=3, **options)
    methods.save((tmp_path / FILE).with_name("weights.safetensors"), method, {**about, "height": 64, "width": 32})
    return tmp_path


@pytest.fixture
def embed(folder, monkeypatch):
    """A function that runs the stage in `folder` and returns its file's bytes."""
    monkeypatch.chdir(folder)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["stages/embed.py", "bot", "folder", *words])
        STAGE["main"]()
        return FILE.read_bytes()

    return run


@pytest.fixture
def begun(monkeypatch):
    """The first images of the pieces that are made; to kill the process before one, set its number as `killed`."""
    starts, make = SimpleNamespace(made=[], killed=None), embedding.Embedding.__call__

    def watched(work, start, stop):
        if start == starts.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        starts.made.append(start)
        return make(work, start, stop)

    monkeypatch.setattr(embedding.Embedding, "__call__", watched)
    return starts


def test_a_killed_stage_goes_on_and_ends_with_the_same_bytes(embed, begun):
    torch.set_num_threads(1)  # the threads of a pool do not live in a fork
    begun.killed = 8
    pid = os.fork()
    if not pid:
        try:
            embed()
        finally:
            os._exit(70)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not FILE.exists()
    begun.killed = None
    resumed = embed()
    assert begun.made == [8, 12, 16]
    assert not list(Path("tmp/pieces").iterdir())
    FILE.unlink()
    assert embed() == resumed
    assert begun.made == [8, 12, 16, 0, 4, 8, 12, 16]


def test_pieces_hold_what_the_images_give_at_once_and_the_file_says_no_more(folder, embed):
    embed()
    found = embeddings.read(FILE)
    table = image_table.read(Path("data/index/folder.parquet"))
    trained = methods.load(FILE.with_name("weights.safetensors"))
    mixed = found.header["embedded_in"] == "bfloat16"
    every = inference.embed(trained, table, folder / "photos", {}, torch.device("cpu"), mixed)
    wanted = embeddings.joined(every)
    for name in ("image_id", "features", "visibility"):
        assert (getattr(found, name) == getattr(wanted, name)).all(), name
    embeddings.write(Path("same.npz"), found.header, [wanted])
    assert Path("same.npz").read_bytes() == FILE.read_bytes()
    assert not {"images", "ok", "missing", "failed"} & set(found.header)


def test_junk_is_not_embedded(embed):
    index = Path("data/index/folder.parquet")
    table = image_table.read(index)
    junk = image_table.integers(image_table.select(table, "gallery"), "image_id")[1]
    rows = [{**row, "pid": image_table.JUNK} if row["image_id"] == junk else row for row in table.to_pylist()]
    image_table.write(image_table.build(rows, image_table.about(table)), index)
    embed()
    tests = image_table.integers(image_table.select(table, "query", "gallery"), "image_id")
    assert embeddings.read(FILE).image_id.tolist() == [image for image in tests if image != junk]


def test_other_code_takes_no_finished_piece(embed, begun, monkeypatch):
    monkeypatch.setattr(embedding.embeddings, "write", lambda *_: os.close(-1))  # the disk fails at the end
    with pytest.raises(OSError, match="descriptor"):
        embed()
    with pytest.raises(OSError, match="descriptor"):
        embed()
    assert begun.made == [0, 4, 8, 12, 16]  # all were there
    monkeypatch.setattr(embedding.source, "code", lambda *_: "edited")
    with pytest.raises(OSError, match="descriptor"):
        embed()
    assert begun.made == 2 * [0, 4, 8, 12, 16]


def test_pieces_made_elsewhere_give_the_same_bytes(embed, monkeypatch):
    here = embed()
    FILE.unlink()
    sizes = []

    def by_others(task, **_):
        """As other machines do: with what comes out of a pickle, the last piece first."""
        for piece in reversed(task.todo):
            embedding._loaded.clear()
            task.make(pickle.loads(pickle.dumps(task.work)), [piece], 1)
            sizes.append(piece[2])

    monkeypatch.setitem(elsewhere.PLACES, "ray", by_others)
    assert embed("--on", "ray") == here
    assert sizes == [2, 4, 4, 4, 4]


def test_other_weights_where_the_pieces_are_made_are_refused(embed, monkeypatch):
    def by_others(task, **_):
        embedding._loaded.clear()
        task.make(replace(task.work, sha256="0" * 64), task.todo, 1)

    monkeypatch.setitem(elsewhere.PLACES, "ray", by_others)
    with pytest.raises(UserError, match=r"weights\.safetensors holds other weights here"):
        embed("--on", "ray")


def test_a_piece_takes_the_labels_of_its_own_images(folder, monkeypatch):
    monkeypatch.chdir(folder)
    index, file = Path("data/index/folder.parquet"), Path("data/labels/heads/folder.parquet")
    table, random = image_table.read(index), np.random.default_rng(0)
    boxes = (random.uniform(0, 30, (len(table), 4)) + (0, 0, 32, 32)).astype(np.float32)
    status = (np.arange(len(table)) == 5).astype(np.uint8)  # nobody in the sixth

    def work(start, stop):
        return {**{name: boxes[start:stop, i] for i, name in enumerate(CORNERS)}, "status": status[start:stop]}

    pieces.write(file, cache.header("label/heads", "truth", "1", None, {}, files.sha256(index)), work, len(table), 1)
    torch.manual_seed(1)
    _, options = params.load().recipe_of("pah")
    options |= {"head_box": "label"}
    about = {"model": "pah", "backbone": "mobilenet_v2", "identities": 3, "options": options, "height": 64, "width": 32}
    weights = FILE.with_name("pah.safetensors")
    methods.save(weights, methods.build("pah", backbone="mobilenet_v2", identities=3, **options), about)
    trained, sha256 = embedding.load(weights)
    assert trained.method.labels_at_test == ("heads",)
    label = {"heads": kinds.read("heads", file, index, image_table.integers(table, "image_id"))}
    every = inference.embed(trained, table, folder / "photos", label, torch.device("cpu"))
    wanted = embeddings.joined(every).features
    first = {"heads": kinds.read("heads", file, index, np.arange(5))}  # of other images
    (others,) = inference.embed(trained, table.slice(4, 5), folder / "photos", first, torch.device("cpu"))
    made = embedding.Embedding(weights, sha256, {}, table, index, folder / "photos", {"heads": file}, "cpu", "float32")
    assert (made(4, 9)["features"] == wanted[4:9]).all()
    assert (others.features != wanted[4:9]).any()
