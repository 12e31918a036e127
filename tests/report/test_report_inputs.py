"""Reading a run's files, and what is said when one is missing or damaged."""

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.report import inputs


def test_reads_what_was_written(tmp_path, write_results):
    write_results(tmp_path / "results", tmp_path / "curves")
    found = inputs.results(tmp_path / "results")
    assert found.metrics["hard"]["mAP"] == 0.0731
    assert list(found.cmc) == ["general", "hard"]
    np.testing.assert_allclose(found.cmc["hard"], 0.5 + 0.01 * np.arange(1, 51))
    assert len(found.ranks) == 12
    assert found.record["seed"] == 1
    curves = inputs.curves(tmp_path / "curves")
    assert list(curves) == ["learning_rate", "loss"]
    assert curves["loss"][0].tolist() == [0, 1, 2]
    assert curves["loss"][1].tolist() == [3.5, 2.5, 2.0]


@pytest.mark.parametrize("name", ["metrics.json", "cmc.csv", "ranks.parquet", "record.json"])
def test_missing_result_names_the_file_and_its_maker(tmp_path, write_results, name):
    write_results(tmp_path / "results", tmp_path / "curves")
    (tmp_path / "results" / name).unlink()
    with pytest.raises(UserError, match=rf"no .*{name}; the evaluate stage makes it: run `dvc repro`"):
        inputs.results(tmp_path / "results")


@pytest.mark.parametrize("name", ["metrics.json", "cmc.csv", "ranks.parquet", "record.json"])
def test_damaged_result_names_the_file(tmp_path, write_results, name):
    write_results(tmp_path / "results", tmp_path / "curves")
    (tmp_path / "results" / name).write_text("rank,share\n1,2\n")
    with pytest.raises(UserError, match=rf"{name}.*`dvc repro`"):
        inputs.results(tmp_path / "results")


def test_missing_curves_name_the_folder(tmp_path):
    with pytest.raises(UserError, match=r"no .*curves; training makes it"):
        inputs.curves(tmp_path / "curves")
    (tmp_path / "curves").mkdir()
    with pytest.raises(UserError, match="holds no curves"):
        inputs.curves(tmp_path / "curves")
