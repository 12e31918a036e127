"""A data set goes through a graph some images at a time, and nothing of it is lost or mixed up."""

import numpy as np
import torch

import coloured_persons
import small_networks
from export.test_checking import Session
from partreid.export import graph, sets
from partreid.inference import Reader, assembled


def test_every_image_has_its_own_vector(tmp_path, monkeypatch):
    coloured_persons.project(tmp_path, 4)
    paths = sorted((tmp_path / "photos").iterdir())
    of = small_networks.trained("bot")
    reader = Reader(tmp_path / "photos", [path.name for path in paths], {}, of.height, of.width)
    ids = 10 + np.arange(8)
    sizes = []
    session = Session(of, lambda f, v: sizes.append(len(f)) or (f, v))
    monkeypatch.setattr(sets, "BATCH", 3)
    found = sets.embedded(session, reader, ids, "cosine")
    assert sizes == [3, 3, 2]
    with torch.inference_mode():
        wanted, visibility = of.method.embed(assembled(reader.stored(np.arange(8))))
    np.testing.assert_allclose(found.features, wanted.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found.visibility, visibility.numpy())
    np.testing.assert_array_equal(found.image_id, ids)
    assert found.header["distance"] == "cosine"
    some = sets.example(reader, np.array([5, 2]))
    torch.testing.assert_close(some, graph.pixels_of(assembled(reader.stored(np.array([5, 2])))))
