"""What stages/embed.py asks of a label file that it does not depend on in the pipeline."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from partreid.errors import UserError
from partreid.params import Label

as_asked = runpy.run_path(str(Path(__file__).parents[1] / "stages/embed.py"))["as_asked"]
WANTED = Label("blazepose", 1, {"clusters": 3, "min_score": 0.1})


def file_of(label):
    header = {"tool": label.tool, "version": label.version, "parameters": label.options}
    return SimpleNamespace(path=Path("data/labels/poses/mars.parquet"), header=header)


def test_a_label_of_todays_values_will_do():
    as_asked(file_of(WANTED), WANTED)
    as_asked(file_of(WANTED), replace(WANTED, options={**WANTED.options, "person": "schp"}))  # a tool, not the label's


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
        as_asked(file_of(other), WANTED)
