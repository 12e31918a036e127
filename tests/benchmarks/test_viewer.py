"""The benchmark of the label viewer runs and prints its figures, on a size that says nothing of speed."""

import re
import runpy


def test_the_viewers_answers_are_measured(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    module = runpy.run_path(str(project / "benchmarks/viewer.py"))
    scope = module["measured"].__globals__
    monkeypatch.setitem(scope, "ROUNDS", 1)
    monkeypatch.setitem(scope, "PHOTOS", 2)
    module["project"](tmp_path, 130)
    lines = "\n".join(module["measured"](tmp_path))
    for name in ("first page", "a page in the middle", "of one person", "low scores", "a picture of such a page"):
        assert re.search(rf"{name} +\d+\.\d ms", lines), name
    assert re.search(r"drawing it alone \d+\.\d ms", lines)
    assert re.search(r"memory after ten pages +\d+ MiB", lines)
    assert re.search(r"comparing two tools, all images +\d+\.\d s", lines)
