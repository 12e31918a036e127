"""What the report prints under "to make this run again", done in a clean clone, gives the same numbers."""

import html
import re
from pathlib import Path

import pytest

from pipeline.test_pipeline import TINY, Project

CHOSEN = {**TINY, "model": "bot", "recipes__laptop__warmup_epochs": 0, "train__seed": 5, "evaluate__ranks": 7}
METRICS = "results/synthetic/bot/metrics.json"


@pytest.mark.slow
def test_the_printed_words_make_the_run_again_in_a_clean_clone(tmp_path):
    lab = Project(Path(__file__).parents[2], tmp_path / "lab")
    values = [f"{key.replace('__', '.')}={value}" for key, value in CHOSEN.items()]
    lab.dvc("exp", "run", "dvc.yaml", *(word for value in values for word in ("-S", value)))
    page = (lab.root / METRICS).with_name("report.html").read_text()
    printed = re.search(r"<pre[^>]*>(git checkout .*?)</pre>", page, re.DOTALL)
    assert printed is not None
    commands = html.unescape(printed[1])
    assert all(value in commands for value in values)

    lab.run("git", "clone", "-q", str(lab.root), str(tmp_path / "clone"))
    clone = object.__new__(Project)
    clone.root = tmp_path / "clone"
    clone.environment = {**lab.environment, "PYTHONPATH": str(clone.root / "src")}
    assert not (clone.root / "results").exists()
    clone.run("sh", "-ec", commands)
    for name in (METRICS, "results/synthetic/bot/ranks.parquet"):
        assert (clone.root / name).read_bytes() == (lab.root / name).read_bytes(), name
