"""A lab's DVC remote: what one has made, a colleague pulls, and no tool runs again (docs/scale.md)."""

from pathlib import Path

import pytest

from pipeline.test_pipeline import TINY, Project, executed

LABEL = "data/dvc.yaml:pifpaf@synthetic"


@pytest.mark.slow
def test_a_colleague_pulls_and_no_tool_runs(tmp_path):
    lab = Project(Path(__file__).parents[2], tmp_path / "lab")
    lab.set(**TINY)
    lab.dvc("remote", "add", "-d", "lab", str(tmp_path / "remote"))
    ran = executed(lab.dvc("repro", LABEL).stdout)
    assert {"synthetic", "index-synthetic", "tool@blazepose-synthetic", "pifpaf@synthetic"} <= set(ran)
    lab.run("git", "add", "-f", "data/dvc.lock")  # the lock file says which contents belong to which stage
    lab.commit("labels made")
    lab.dvc("push", LABEL, "--with-deps")

    lab.run("git", "clone", "-q", str(lab.root), str(tmp_path / "colleague"))
    colleague = object.__new__(Project)
    colleague.root = tmp_path / "colleague"
    colleague.environment = {**lab.environment, "PYTHONPATH": str(colleague.root / "src")}
    assert not (colleague.root / "data/labels").exists()
    colleague.dvc("pull", LABEL, "--with-deps")
    assert executed(colleague.dvc("repro", LABEL).stdout) == []
    for name in ("labels/pifpaf/synthetic.npz", "tools/blazepose/synthetic.npz", "index/synthetic.parquet"):
        assert (colleague.root / "data" / name).read_bytes() == (lab.root / "data" / name).read_bytes()

    # another label of the same tool: cheap, the tool's output is there
    heads = LABEL.replace("pifpaf", "heads")
    assert executed(colleague.dvc("repro", heads).stdout) == ["heads@synthetic"]
