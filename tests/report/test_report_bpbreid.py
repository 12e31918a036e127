"""What each part finds: rankings of known features, and the picture of them."""

from dataclasses import replace

import numpy as np
import pytest

from methods.test_methods import build
from partreid.errors import UserError
from partreid.methods.base import Trained
from partreid.report import bpbreid, gather
from partreid.report.attention import Looks
from partreid.report.context import Context
from partreid.storage import embeddings, image_table
from partreid.storage.places import Run

EACH = 6  # images of a person


@pytest.fixture
def context(project, table, album, tmp_path, monkeypatch):
    """A function that makes the context of an untrained method with embeddings of the given values (36, P) on disk."""
    monkeypatch.chdir(tmp_path)
    index = tmp_path / "data/index/folder.parquet"
    image_table.write(table, index)

    def make(values=None, visibility=None, **changes):
        method = build("bpbreid", project, embedding=16, **changes).eval()
        header = {"parts": method.part_names(), "distance": "parts"}
        if values is not None:
            run = tmp_path / "runs/bpbreid-folder/embeddings.npz"
            batch = embeddings.Embeddings(np.arange(36), values[..., None], visibility, header)
            embeddings.write(run, header, [batch])
        trained = Trained(method, 64, 32, {"model": "bpbreid", "dataset": "folder"})
        return Context(trained, album, table, index, np.array([0, 7, 6, 12, 18]), "folder", 1)

    return make


def test_without_embeddings_there_is_nothing_to_show(context):
    assert bpbreid.figures(context()) == []


def test_every_part_ranks_by_itself_and_by_the_rule_of_the_protocol(context, monkeypatch):
    image = np.arange(36)
    values, visibility = np.zeros((36, 6), np.float32), np.ones((36, 6), np.float32)
    values[:, 0] = image // EACH  # the foreground knows the person
    values[:, 1] = image % EACH  # the head tells cameras apart
    values[:, 2] = -np.arange(36)  # arms: the later an image, the farther
    visibility[18, 3] = 0  # a torso that the query does not show
    visibility[24:, 4] = 0  # legs that two persons of the gallery do not show
    seen, look = {}, gather.looks

    def looks_of(*given):
        found = look(*given)
        return replace(found, visible=np.stack([np.arange(6) < 6 - image_id // 7 for image_id in found.image_id]))

    monkeypatch.setattr(gather, "looks", looks_of)
    monkeypatch.setattr(bpbreid, "picture", lambda *given: seen.setdefault("given", given) and np.zeros((2, 2, 3)))
    (figure,) = bpbreid.figures(context(values, visibility))
    assert "figure 3" in figure.caption
    looks, found, _ = seen["given"]
    assert looks.image_id.tolist() == [0, 18]  # queries only, the first and that of the most invisible parts
    by_name = {answer.name: answer.hits for answer in found[0]}
    assert list(by_name) == [bpbreid.ALL, "foreground", "head", "arms", "torso", "legs", "feet"]
    assert [hit.match for hit in by_name["foreground"]] == [True] * 5 + [False] * 5
    head = [hit.image_id for hit in by_name["head"]]  # six images as near as each other, and as many behind them
    assert sorted(head[:6]) == [1, 7, 13, 19, 25, 31]
    assert set(head[6:]) < {2, 8, 14, 20, 26, 32}
    assert [hit.image_id for hit in by_name["arms"]] == [i for i in range(1, 13) if i % EACH][:10]
    assert [hit.distance for hit in by_name["arms"]][:2] == pytest.approx([1, 2], abs=1e-3)
    assert all(hit.image_id < 24 for hit in by_name["legs"])
    together = {answer.name: answer.hits for answer in found[1]}
    assert together["torso"] == []  # nothing to compare
    assert len(together[bpbreid.ALL]) == 10


def test_one_embedding_has_one_ranking(context):
    values = np.random.default_rng(0).normal(size=(36, 1)).astype(np.float32)
    made = context(values, np.ones((36, 1), np.float32))
    made.trained.method.use(embeddings=["global"])
    file = Run("bpbreid", "folder", "folder").embeddings
    header = {"parts": ["global"], "distance": "parts"}
    embeddings.write(
        file, header, [embeddings.Embeddings(np.arange(36), values[..., None], np.ones((36, 1), np.float32), header)]
    )
    (figure,) = bpbreid.figures(made)
    assert figure.picture.dtype == np.uint8


def test_attention_that_is_fixed_asks_for_its_label(context):
    made = context(np.zeros((36, 6), np.float32), np.ones((36, 6), np.float32), attention="fixed")
    with pytest.raises(UserError, match="pifpaf"):
        bpbreid.figures(made)


def test_what_is_not_visible_shares_a_row():
    image = np.full((64, 32, 3), 90, np.uint8)
    names = ("foreground", "head", "left_arm")
    maps = np.zeros((1, 3, 4, 2), np.float32)
    hits = [bpbreid.Hit(1, 1, 0.5, True), bpbreid.Hit(2, 2, 0.7, False)]
    found = [[bpbreid.Answer(name, hits) for name in (bpbreid.ALL, *names)]]
    shown = [
        bpbreid.picture(Looks(names, np.array([0]), maps, np.array([visible])), found, lambda _: image)
        for visible in ([True, True, True], [True, True, False], [True, False, False])
    ]
    heights = [picture.shape[0] for picture in shown]
    assert heights[0] == heights[1] > heights[2]  # four rows, the hidden part's among them; then three
