"""YAML: libyaml reads it as PyYAML does, says where it is wrong, and survives what is nested deep."""

import pytest
import yaml

from partreid import params, strict_yaml
from partreid.errors import UserError


def test_both_loaders_read_the_projects_files_alike(project):
    for name in ("params.yaml", "ablations.yaml", "published.yaml", "data/dvc.yaml", "stages/dvc.yaml"):
        text = (project / name).read_text(encoding="utf-8")
        assert yaml.load(text, strict_yaml.Quick) == yaml.load(text, strict_yaml.Loader) == strict_yaml.loaded(text), (
            name
        )


def test_small_numbers_are_numbers():
    found = strict_yaml.loaded("[1e-05, 1E5, .5e3, 1e, e5, 010]")
    assert list(map(repr, found)) == ["1e-05", "100000.0", "500.0", "'1e'", "'e5'", "8"]


def test_an_error_shows_the_line(tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1\nmodel: bot: pcb\n")
    with pytest.raises(UserError, match=r"line 2, column 11:\n    model: bot: pcb\n"):
        params.read(tmp_path / "params.yaml")


@pytest.mark.parametrize("levels", [1500, 7000, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_what_is_nested_deep_is_an_error(tmp_path, levels, begin, end):
    (tmp_path / "params.yaml").write_text(f"{begin * levels}1{end * levels}\n")
    with pytest.raises(UserError, match="is not valid YAML: maximum recursion depth"):
        params.read(tmp_path / "params.yaml")
