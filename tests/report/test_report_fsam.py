import numpy as np
import pytest

from methods.test_methods import build
from partreid.body.parsing import PARSING
from partreid.drawing.colours import PART_COLOURS
from partreid.labels import LABELS
from partreid.methods.base import Trained
from partreid.report import fsam
from partreid.report.context import Context
from partreid.storage import cache, files, image_table, pieces

PROJECT_SIZE = (64, 32)


def test_classes_are_painted_in_their_colours_and_mixed():
    classes = np.zeros((7, 1, 3), np.float32)
    classes[0, 0, 0] = 1
    classes[1, 0, 1] = 1
    classes[0, 0, 2], classes[2, 0, 2] = 0.5, 0.5
    painted = fsam.painted(classes)
    assert painted[0, 0].tolist() == [0, 0, 0]
    assert tuple(painted[0, 1]) == PART_COLOURS[PARSING[1]]
    assert painted[0, 2].tolist() == np.rint(np.array(PART_COLOURS["torso"]) / 2).tolist()


def test_change_is_white_where_there_is_none_blue_lost_and_orange_gained():
    before, after = np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 1.0]])
    same, lost, gained = fsam.changed(before, after)[0].tolist()
    assert same == [255, 255, 255]
    assert lost[2] > lost[0]
    assert gained[0] > gained[2]


def test_sheets_have_a_row_each():
    image = np.zeros((64, 32, 3), np.uint8)
    maps = np.zeros((2, 7, 64, 32), np.float32)
    one, two = fsam.masks([image], maps[:1], maps[:1]), fsam.masks([image] * 2, maps, maps)
    assert two.shape[0] > 1.5 * one.shape[0]
    centres = np.random.default_rng(0).normal(0, 0.1, (3, 17, 2))
    drawn = fsam.clusters(centres, [5, 0, 2], {0: [image] * 2, 1: [], 2: [image]})
    assert drawn.dtype == np.uint8


@pytest.fixture
def context(project, table, album, tmp_path, monkeypatch):
    """A function that makes the context of an untrained method; labels are written on the way."""
    monkeypatch.chdir(tmp_path)
    index = tmp_path / "data/index/folder.parquet"
    image_table.write(table, index)

    def make(**changes):
        method = build("fsam", project, **changes).eval()
        trained = Trained(method, *PROJECT_SIZE, {})
        return Context(trained, album, table, index, np.array([0, 6, 7]), "folder", 1)

    return make


def write_label(context, kind, header, members):
    members = {**members, "status": np.zeros(36, np.uint8), "score": np.ones(36, np.float32)}
    head = cache.header(f"label/{kind}", "blazepose", "1", "e" * 64, {"clusters": 3}, files.sha256(context.index))

    def work(start, stop):
        return {name: values[start:stop] for name, values in members.items()}

    pieces.write(LABELS[kind].file(kind, "folder"), {**head, **header}, work, 36, processes=1)


def test_without_labels_there_is_nothing_to_show(context):
    assert fsam.figures(context()) == []


def test_both_figures_are_made_of_the_labels(context, monkeypatch):
    made = context()
    parsing = np.zeros((36, 128, 64), np.uint8)
    parsing[6] = 1
    parsing[7, :, 32:] = 2
    write_label(made, "schp", {}, {"parsing": parsing, "person": np.zeros_like(parsing)})
    cluster = np.arange(36, dtype=np.int8) % 3
    centres = np.random.default_rng(0).normal(0, 0.1, (3, 17, 2)).tolist()
    keypoints = np.zeros((36, 17, 3), np.float32)
    write_label(made, "poses", {"centres": centres}, {"cluster": cluster, "keypoints": keypoints})
    seen = {}
    monkeypatch.setattr(fsam, "masks", lambda *given: seen.setdefault("masks", given)[0][0])
    monkeypatch.setattr(fsam, "clusters", lambda *given: seen.setdefault("clusters", given) and np.zeros((2, 2, 3)))
    masks, clusters = fsam.figures(made)
    assert "figure 3" in masks.caption
    assert "figure 4" in clusters.caption
    _, before, after = seen["masks"]
    assert before.argmax(1)[:, 0, 0].tolist() == [0, 1, 0]
    assert before.argmax(1)[:, 0, -1].tolist() == [0, 1, 2]
    np.testing.assert_allclose(after.sum(1), 1, rtol=1e-5)  # F_m's own
    np.testing.assert_allclose(seen["clusters"][0], centres)
    assert list(seen["clusters"][1]) == [0, 0, 0]  # the table of these tests has no training images
    assert len(fsam.figures(context(shape="coarse"))) == 1
    assert fsam.figures(context(shape="coarse", branches=1)) == []
    assert fsam.figures(context(streams="appearance")) == []  # the baseline, which has neither masks nor poses
