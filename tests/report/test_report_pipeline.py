"""The reader of dvc.yaml files against dvc itself, and the order and lanes of the drawing."""

import shutil
from pathlib import Path

import pytest
import yaml

from partreid.errors import UserError
from partreid.report import page, pipeline
from partreid.report.pipeline import Lane, Stage

ROOT = Path(__file__).parents[2]


def _stage(name, deps=(), outs=()):
    return Stage(name, "dvc.yaml", name, tuple(deps), tuple(outs), ())


def test_resolves_the_project_as_dvc_does(tmp_path):
    from dvc.repo import Repo

    for name in (*pipeline.FILES, "params.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    repo = Repo.init(str(tmp_path), no_scm=True)
    theirs = {}
    for stage in repo.index.stages:
        paths = [{Path(each.fs_path).relative_to(tmp_path).as_posix() for each in side if not _is_params(each)}
                 for side in (stage.deps, stage.outs)]  # fmt: skip
        theirs[Path(stage.path).relative_to(tmp_path).as_posix(), stage.name] = (*paths, stage.cmd)
    ours = {(each.file, each.name): (set(each.deps), set(each.outs), each.cmd) for each in pipeline.read(tmp_path)}
    assert len(ours) > 5
    assert ours == theirs


def _is_params(dependency):
    return type(dependency).__name__ == "ParamsDependency"


def test_upstream_follows_the_chosen_model():
    def names(model):
        values = {**yaml.safe_load((ROOT / "params.yaml").read_text()), "model": model, "dataset": "market1501"}
        stages = []
        for file in pipeline.FILES:
            content = yaml.safe_load((ROOT / file).read_text())
            own = [each for each in content.get("vars", []) if isinstance(each, dict)]
            known = values | {key: value for each in own for key, value in each.items()}
            stages += pipeline.parse(content, known, file)
        return [stage.name for stage in pipeline.upstream(stages, "report")]

    bot, bpbreid = names("bot"), names("bpbreid")
    assert bot[-4:] == ["train@bot", "embed@bot", "evaluate", "report"]
    assert "index@market1501" in bot
    assert not any("pifpaf" in name for name in bot)
    assert bpbreid.index("pifpaf@market1501") < bpbreid.index("train@bpbreid")
    assert len(set(bpbreid)) == len(bpbreid)


def test_templates_foreach_and_matrix():
    content = yaml.safe_load(
        """
        stages:
          each:
            foreach: ${sets}
            do:
              wdir: ..
              cmd: make ${item}
              outs:
                - data/${item}.npz:
                    cache: false
          keyed:
            foreach: ${raw}
            do:
              cmd: look ${key} ${item}
          grid:
            matrix:
              tool: [x, y]
              dataset: ${sets}
            cmd: [first, "${item.tool} ${deep.er}"]
            deps:
              - ${item.dataset}/${item.tool}
        """
    )
    values = {"sets": ["a", "b"], "raw": {"k": "/v"}, "deep": {"er": 3}}
    stages = {stage.name: stage for stage in pipeline.parse(content, values, "sub/dvc.yaml")}
    assert list(stages) == ["each@a", "each@b", "keyed@k", "grid@x-a", "grid@x-b", "grid@y-a", "grid@y-b"]
    assert stages["each@b"].outs == ("data/b.npz",)
    assert stages["keyed@k"].cmd == "look k /v"
    assert stages["grid@y-a"].cmd == "first && y 3"
    assert stages["grid@y-a"].deps == ("sub/a/y",)


def test_folders_feed_what_reads_inside_them_and_names_that_only_begin_alike_do_not():
    maker = _stage("maker", outs=["data/images"])
    assert pipeline.feeds(maker, _stage("reader", deps=["data/images/a.jpg"]))
    assert pipeline.feeds(maker, _stage("reader", deps=["data"]))
    assert not pipeline.feeds(maker, _stage("reader", deps=["data/images2"]))


def test_outs_of_one_folder_share_its_name():
    assert _stage("a", outs=["runs/a/weights.safetensors", "data/x.npz", "runs/a/curves"]).written == (
        "runs/a/{weights.safetensors, curves}, data/x.npz"
    )


def test_lanes_stand_side_by_side_where_they_overlap():
    stages = [
        _stage("a", outs=["a"]),
        _stage("b", deps=["a"], outs=["b"]),
        _stage("c", deps=["a", "b"], outs=["c"]),
        _stage("d", deps=["b"], outs=["d"]),
        _stage("e", deps=["c"]),
    ]
    # c's lane may use column 1 again, which a's left at row 2
    assert pipeline.lanes(stages) == [Lane(0, (1, 2), 1), Lane(1, (2, 3), 2), Lane(2, (4,), 1)]
    drawing = page.drawing(pipeline.lanes(stages), len(stages))
    assert drawing.count("<circle") == 5
    assert drawing.count("<path") == 5  # one for each reader of each stage


def test_missing_pipeline_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data/dvc\.yaml"):
        pipeline.read(tmp_path)
