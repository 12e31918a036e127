"""PABR through the real `dvc` in both modes of its part stream."""

from pathlib import Path

import numpy as np
import pytest

from partreid.storage import embeddings
from pipeline.test_pipeline import TINY, Project


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, programs):
    project = Project(Path(__file__).parents[2], tmp_path_factory.mktemp("pabr"), programs)
    short = {"recipes__laptop__partmaps__epochs": 1, "recipes__laptop__partmaps__batches_per_epoch": 1}
    project.set(**TINY, **short, model="pabr", methods__pabr__embedding=32)
    return project


def embedded(project):
    found = embeddings.read(project.root / "runs/pabr-synthetic/embeddings.npz")
    assert found.features.shape[1:] == (1, 32)
    np.testing.assert_allclose(np.linalg.norm(found.features, axis=2), 1, rtol=1e-5)
    return found.features


def test_trained_then_cached_part_stream(tiny):
    stages = tiny.repro()
    assert set(stages) == {
        "check", "synthetic", "index-synthetic", "tool@blazepose-synthetic", "partmaps@synthetic", "pretrain@partmaps",
        "source", "train@pabr", "embed@pabr", "evaluate", "report",
    }  # fmt: skip
    trained = embedded(tiny)
    page = (tiny.root / "results/synthetic/pabr/report.html").read_text()
    assert "Appearance and part maps" in page
    tiny.set(methods__pabr__part_stream="cached")
    assert tiny.repro() == ["check", "train@pabr", "embed@pabr", "evaluate", "report"]
    assert np.abs(embedded(tiny) - trained).max() > 0.01
