import numpy as np
import pytest

from partreid.evaluation import pooling
from partreid.evaluation.pooling import groups, pool
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings, Stored, write


def _world(n=300, persons=7):
    random = np.random.default_rng(0)
    features = random.normal(size=(n, 3, 5)).astype(np.float32)
    visibility = (random.random((n, 3)) < 0.6).astype(np.float32)
    group = random.integers(0, persons, n)
    group[:persons] = np.arange(persons)
    return Embeddings(np.arange(100, 100 + n), features, visibility, {"distance": "parts"}), group


def test_groups_are_numbered_in_order_of_appearance():
    row = {"split": "query", "width": 1, "height": 1, "sha1": ""}
    pairs = [(3, 1), (3, 0), (1, 1), (3, 1), (1, None)]
    table = image_table.build([{**row, "path": "", "pid": pid, "camid": camid} for pid, camid in pairs], {})
    group, first = groups(table, ("pid", "camid"))
    assert group.tolist() == [0, 1, 2, 0, 3]
    assert first.tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize("how", pooling.POOLINGS)
def test_pooling_equals_the_obvious_loop(how, monkeypatch, tmp_path):
    monkeypatch.setattr(pooling, "BLOCK", 64)
    every, group = _world()
    file = tmp_path / "embeddings.npz"
    write(file, every.header, [every])
    for source in (every, Stored(file)):
        found = pool(source, every.image_id, group, how)
        assert found.image_id.tolist() == [100 + group.tolist().index(g) for g in range(7)]
        for g in range(7):
            for part in range(3):
                shown = every.features[(group == g) & (every.visibility[:, part] > 0), part]
                assert found.visibility[g, part] == (len(shown) > 0)
                expected = (shown.mean(0) if how == "average" else shown.max(0)) if len(shown) else np.zeros(5)
                np.testing.assert_allclose(found.features[g, part], expected, atol=1e-6)


def test_a_part_that_no_image_shows_stays_invisible():
    every, group = _world(20, 2)
    every.visibility[group == 1, 2] = 0
    for how in pooling.POOLINGS:
        found = pool(every, every.image_id, group, how)
        assert found.visibility[1, 2] == 0
        assert not found.features[1, 2].any()


def test_single_images_are_themselves():
    every, _ = _world(9)
    every.visibility[:] = 1
    for how in pooling.POOLINGS:
        found = pool(every, every.image_id, np.arange(9), how)
        np.testing.assert_array_equal(found.features, every.features)


def test_pooled_parts_can_have_unit_length_and_hidden_ones_stay_zero():
    features = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    visibility = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    embeddings = Embeddings(np.arange(4), features, visibility, {})
    group = np.array([0, 0, 1, 1])
    for how in ("average", "max"):
        plain = pool(embeddings, np.arange(4), group, how).features
        unit = pool(embeddings, np.arange(4), group, how, unit=True).features
        np.testing.assert_allclose(np.linalg.norm(unit[:, :2], axis=-1), 1, rtol=1e-6)
        np.testing.assert_allclose(
            unit[:, :2] * np.linalg.norm(plain[:, :2], axis=-1)[..., None], plain[:, :2], rtol=1e-5
        )
        assert not unit[:, 2].any()
