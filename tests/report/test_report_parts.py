"""Parts against the truth: the measures by loops, and the figure on a rendered set."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from methods.test_methods import build
from partreid.body.skeleton import FIELDS
from partreid.labels import LABELS
from partreid.methods.base import Trained
from partreid.report import parts
from partreid.report.context import Context
from partreid.report.gather import Album
from partreid.report.parts import Seen, measure
from partreid.storage import cache, files, image_table, pieces
from partreid.synthetic.render import render
from partreid.tools.base import Images


def test_precision_recall_f1_and_overlap_by_loops():
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(0, 3, (12, 6, 4), generator=generator)
    true[:5][true[:5] == 2] = 0  # the second part is not in five images
    maps = torch.rand(12, 3, 6, 4, generator=generator)
    said = torch.rand(12, 2, generator=generator) < 0.6
    found = measure(Seen(("a", "b"), said, maps), true)
    ours = maps.argmax(1)
    for part in (1, 2):
        tp = fp = fn = both = either = 0
        for n in range(12):
            there = int((true[n] == part).sum()) >= parts.PRESENT * 24
            tp += bool(said[n, part - 1]) and there
            fp += bool(said[n, part - 1]) and not there
            fn += not bool(said[n, part - 1]) and there
            for a, b in zip(ours[n].flatten().tolist(), true[n].flatten().tolist(), strict=True):
                both += a == b == part
                either += part in (a, b)
        expected = [tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn), both / either, (tp + fn) / 12]
        assert found[part - 1] == pytest.approx(expected)


def test_without_a_rule_of_visibility_there_is_overlap_alone():
    maps = torch.tensor([[[[0.0, 1.0]], [[1.0, 0.0]]]])
    found = measure(Seen(("person",), None, maps), torch.tensor([[[1, 1]]]))
    assert np.isnan(found[0, :3]).all()
    assert found[0, 3] == 0.5


def test_bars_that_are_not_there_leave_the_picture_whole():
    values = np.array([[0.5, 0.5, 0.5, 0.5], [np.nan, np.nan, np.nan, 0.2]])
    assert parts.picture(("a", "b"), values).shape[2] == 3


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    """A function that makes the context of a method on a tiny rendered set with its label of the truth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    root, index = tmp_path / "data/synthetic", tmp_path / "data/index/synthetic.parquet"
    render(root, seed=1, train_identities=1, test_identities=2, images=8, height=64, width=32, processes=1)
    files_of = sorted(path.relative_to(root) for path in root.rglob("*.jpg"))
    rows = [
        {"path": str(path), "split": path.parts[0], "pid": number, "width": 32, "height": 64, "sha1": f"{number:040d}"}
        for number, path in enumerate(files_of)
    ]
    table = image_table.build(rows, {})
    image_table.write(table, index)

    def make(method):
        trained = Trained(method.eval(), 64, 32, {"model": "bpbreid"})
        return Context(trained, Album(table, root), table, index, np.array([0]), "synthetic", 1)

    return make


def test_the_renderers_own_maps_are_right(project, rendered, monkeypatch):
    """A method that says what the truth says has 1 everywhere, and one that says nothing 0."""
    method = build("pah", project, streams=["parts"])
    context = rendered(method)
    (figure,) = parts.figures(parts.compared(context))
    assert figure.title == "Parts against the truth"
    assert figure.picture.dtype == np.uint8
    split = np.array(context.table["split"].to_pylist())
    count = int(np.isin(split, ("query", "gallery")).sum())
    tested = context.table.take(np.flatnonzero(split != "train"))
    images = Images("synthetic", tested, "", context.album.root, context.index)
    known = parts.truth.build(images)[1](0, count)
    person = torch.from_numpy((known["person"] >= parts.HALF).astype(np.float32))[:, None]
    said = {"right": torch.cat([1 - person, person], 1), "nobody": torch.cat([torch.ones_like(person), 0 * person], 1)}
    for word, value in (("right", 1.0), ("nobody", 0.0)):
        view = (lambda *_, word=word: Seen(("person",), None, said[word])), parts.true_person
        monkeypatch.setitem(parts.VIEWS, type(method), view)
        _, values = parts.measured(context, method)
        assert values[0, 3] == value


def test_bpbreids_parts_are_those_of_its_label(project, rendered, monkeypatch):
    method = build("bpbreid", project, parts=5, embedding=8)
    context = rendered(method)
    assert parts.compared(context) is None  # without the label nobody knows how its parts are drawn
    options = {"height": 33, "width": 17, "thickness": 1.0, "min_score": 0.1, "mask": True}
    head = cache.header("label/pifpaf", "truth", "1", None, options, files.sha256(context.index))
    count = len(context.table)
    members = {"status": np.zeros(count, np.uint8), "score": np.ones(count, np.float32)}
    members["fields"] = np.zeros((count, len(FIELDS), 33, 17), np.uint8)

    def work(start, stop):
        return {name: values[start:stop] for name, values in members.items()}

    pieces.write(LABELS["pifpaf"].file("pifpaf", "synthetic"), head, work, count, processes=1)
    seen = parts.compared(context)
    (figure,) = parts.figures(seen)
    share = seen.values[:-1, -1]
    assert f"in all images: F1 {(2 * share / (1 + share)).mean():.2f})" in figure.caption
    written = parts.numbers(seen)
    assert list(written) == [*method.groups, "mean"]
    json.dumps(written, allow_nan=False)
    overlaps = [written[name]["overlap"] for name in method.groups if "overlap" in written[name]]
    assert written["mean"]["overlap"] == pytest.approx(sum(overlaps) / len(overlaps))

    def right(context, method, known, sizes):
        regions = torch.from_numpy(parts.true_groups(context, method, known, sizes))
        maps = torch.nn.functional.one_hot(regions.long(), 6).movedim(-1, 1).float()
        says = Seen(method.groups, parts.present(regions, 5), maps)
        monkeypatch.setitem(parts.VIEWS, type(method), (lambda *_: says, parts.true_groups))
        return regions.numpy()

    monkeypatch.setitem(parts.VIEWS, type(method), (parts.bpbreid, right))
    parts.measured(context, method)
    names, values = parts.measured(context, method)
    assert names == method.groups
    assert np.nanmin(values[:, :4]) == 1.0


def test_fsams_classes_are_the_truths(project, rendered):
    method = build("fsam", project)
    names, values = parts.measured(rendered(method), method)
    assert names == parts.PARSING[1:]
    assert values.shape == (6, 5)
    alone = build("fsam", project, streams="appearance")
    assert parts.measured(rendered(alone), alone) is None


def test_a_set_that_was_not_rendered_has_no_figure(project, rendered):
    context = rendered(build("pah", project))
    (context.album.root / "truth.npz").unlink()
    for each in (context, dataclasses.replace(context, trained=Trained(build("bot", project), 64, 32, {}))):
        assert parts.compared(each) is None
    assert parts.figures(None) == []
    assert parts.numbers(None) == {}
