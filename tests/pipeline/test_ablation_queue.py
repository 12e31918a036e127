"""An ablation table through the real queue of DVC, on a tiny rendered data set."""

from pathlib import Path

import pytest
import yaml

from pipeline.test_pipeline import TINY, Project

TABLES = {
    "bot": {
        "model": "bot",
        "tables": {
            "1": {
                "title": "Margins",
                "rows": [
                    {"name": "small", "set": {"margin": 0.1}, "paper": {"Market-1501": {"rank1": 90.0, "mAP": 80.0}}},
                    {"name": "large", "set": {"margin": 0.5}},
                ],
            }
        },
    }
}


@pytest.mark.slow
def test_a_table_is_run_once_and_then_known(tmp_path):
    source = Path(__file__).parents[2]
    project = Project(source, tmp_path / "project")
    project.set(**TINY, model="bot", recipes__laptop__warmup_epochs=0)
    (project.root / "ablations.yaml").write_text(yaml.safe_dump(TABLES))
    command = ("python", "stages/ablation.py", "bot", "1", "--seeds", "1", "2")

    dry = project.run(*command, "--dry").stdout
    assert dry.count("dvc exp run --queue") == 4
    assert "-S methods.bot.margin=0.5 evaluate" in dry
    project.commit("tables")

    out = project.run(*command).stdout
    assert "4 runs, 0 done, 0 queued, 4 new" in out
    table = (project.root / "results/ablation/bot-1-synthetic.md").read_text()
    small, large = [line for line in table.splitlines() if line.startswith(("| small", "| large"))]
    assert "±" in small
    assert small.endswith("| 80.0 / 90.0 |")
    assert large.endswith("| - |")

    again = project.run(*command)
    assert "4 runs, 4 done, 0 queued, 0 new" in again.stdout
    assert (project.root / "results/ablation/bot-1-synthetic.md").read_text() == table

    (project.root / "stages/check.py").write_text("# changed\n")
    refused = project.run(*command[:-1], "3", check=False)
    assert refused.returncode == 1
    assert "error: commit first, since results belong to a commit: stages/check.py changed" in refused.stderr
