"""The benchmarks run and print their figures, on sizes that say nothing of speed."""

import re
import runpy

import numpy as np
import pytest


@pytest.fixture
def evaluation(project, monkeypatch, tmp_path):
    module = runpy.run_path(str(project / "benchmarks/evaluation.py"))
    small = {"QUERIES": 30, "PERSONS": 7, "MARKET": 200, "WIDTH": 16, "ANSWERS": 150, "GALLERIES": (160, 300)}
    scope = module["market"].__globals__
    for name, value in small.items():
        monkeypatch.setitem(scope, name, value)
    monkeypatch.setattr(module["features"], "__defaults__", (16,))
    monkeypatch.chdir(tmp_path)
    return module


def test_the_evaluator_against_product_and_sorting(evaluation, capsys):
    evaluation["market"](1)
    out = capsys.readouterr().out
    ours, theirs = map(float, re.search(r"mAP ([\d.]+); by sorting ([\d.]+)", out).groups())
    assert 0.1 < ours < 0.999
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert re.search(r"partreid / bare matrix product: [\d.]+ ", out)
    for name in ("toolboxes, lists", "NumPy alone"):
        assert re.search(rf"sorting \({name}\) / partreid: [\d.]+ in all, [\d.]+ beyond the matrix product", out), name


def test_streaming_and_parts(evaluation, capsys):
    evaluation["stream"](1)
    evaluation["parts"](1)
    out = capsys.readouterr().out
    assert re.search(r"160 images: mAP 0\.\d+", out)
    assert re.search(r"300 images: mAP 0\.\d+", out)
    assert re.search(r"same width: [\d.]+", out)


def test_sparse_and_dense_re_ranking_agree(project):
    module = runpy.run_path(str(project / "benchmarks/rerank.py"))
    images = module["features"](260)
    sparse, dense = (module[name](images, 40)[:40] for name in ("sparse", "dense"))
    assert sparse.shape == dense.shape == (40, 220)
    assert np.abs(sparse - dense).max() < 1e-5
