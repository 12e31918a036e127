"""stages/dvc.yaml, read without DVC: who learns from what, and which source files decide it."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from partreid import methods, params, pretraining
from partreid.labels import LABELS
from partreid.methods import METHODS
from partreid.pretraining import PRETRAININGS
from partreid.report import pipeline
from partreid.storage import places, source

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages():
    return {stage.name: stage for stage in pipeline.read(ROOT)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What stages/source.py writes, by its file's name."""
    out = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["source.py", str(out)])
        runpy.run_path(str(ROOT / "stages/source.py"))["main"]()
    return {file.stem: json.loads(file.read_text()) for file in out.iterdir()}


def embed_on():
    """The stages where a model is tested on another set too; by default it is on none."""
    content = pipeline._yaml(ROOT / "stages/dvc.yaml")
    values = {**pipeline._yaml(ROOT / "params.yaml"), "also_test_on": ["folder"]}
    for each in content["vars"][1:]:
        values |= each
    return {stage.name: stage for stage in pipeline.parse(content, values, "stages/dvc.yaml")}


def test_every_method_and_pretraining_has_its_stages(stages):
    for kind, names in (("train", METHODS), ("embed", METHODS), ("pretrain", PRETRAININGS)):
        assert {f"{kind}@{name}" for name in names} == {name for name in stages if name.startswith(f"{kind}@")}
    on = [stage for name, stage in embed_on().items() if name.startswith("embed-on@")]
    assert [stage.cmd.split()[2] for stage in on] == list(METHODS)


def test_every_image_table_has_the_stage_that_messages_name(stages):
    p = params.load(ROOT / "params.yaml")
    made = {f"{stage.file}:{name}": stage.outs for name, stage in stages.items() if name.startswith("index")}
    assert made == {places.index_stage(name): (str(places.index(name)),) for name in (*params.RENDERED, *p.raw)}


def test_the_code_a_stage_depends_on_is_what_its_script_and_method_import(stages, written):
    cells = {**stages, **embed_on()}
    for stage in cells.values():
        script = Path(stage.cmd.split()[1])
        if script.name not in ("train.py", "embed.py", "pretrain.py"):
            continue
        name = stage.cmd.split()[2]
        kind = (PRETRAININGS if script.stem == "pretrain" else METHODS)[name]
        listed = written[f"{script.stem}-{name}"]
        assert f"data/source/{script.stem}-{name}.json" in stage.deps
        assert not [dep for dep in stage.deps if dep.startswith("src/")]  # nothing is listed by hand
        reached = source.reached(kind.__module__, ROOT / script)
        assert {source.ROOT / file for file in listed} == set(reached)


def test_nothing_is_left_out_but_what_hands_on_and_what_only_that_imports(written, monkeypatch):
    hands_on = {file for file in source.ROOT.rglob("*.py") if source._hands_on(file)}
    names = {f"partreid.{name.replace('/', '.').removesuffix('.__init__')}" for name in source.HANDS_ON}
    monkeypatch.setattr(source, "HANDS_ON", ())
    beyond = {*hands_on, *source.reached(*names)}
    for stage, kinds in (("train", METHODS), ("embed", METHODS), ("pretrain", PRETRAININGS)):
        for name, kind in kinds.items():
            everything = set(source.reached(kind.__module__, ROOT / f"stages/{stage}.py"))
            assert everything - {source.ROOT / file for file in written[f"{stage}-{name}"]} <= beyond


@pytest.mark.parametrize("method", METHODS)
def test_a_method_depends_on_no_other_method(written, method):
    for stage in ("train", "embed"):
        listed = written[f"{stage}-{method}"]
        assert f"methods/{method}.py" in listed
        assert not {f"methods/{other}.py" for other in METHODS if other != method} & set(listed)


@pytest.mark.parametrize("method", METHODS)
def test_a_training_depends_on_what_the_method_learns_from(stages, method):
    p = params.load(ROOT / "params.yaml")
    recipe, options = p.recipe_of(method)
    wanted = methods.outline(method, backbone=recipe.backbone, **options)
    files = {LABELS[label].file(label, p.dataset).as_posix() for label in wanted.labels}
    files |= {f"runs/pretrain-{by}-{p.dataset}/weights.safetensors" for by in wanted.starts_from.values()}
    assert files <= set(stages[f"train@{method}"].deps)


@pytest.mark.parametrize("method", METHODS)
def test_another_set_has_the_labels_that_the_embedding_needs(method):
    p = params.load(ROOT / "params.yaml")
    recipe, options = p.recipe_of(method)
    trained = methods.outline(method, backbone=recipe.backbone, **options)
    cell = next(each for each in embed_on().values() if f"embed.py {method} " in each.cmd and "-on@" in each.name)
    assert {LABELS[label].file(label, "folder").as_posix() for label in trained.labels_at_test} <= set(cell.deps)


@pytest.mark.parametrize("name", PRETRAININGS)
def test_a_pretraining_depends_on_its_labels(stages, name):
    p = params.load(ROOT / "params.yaml")
    labels = {LABELS[label].file(label, p.dataset).as_posix() for label in pretraining.PRETRAININGS[name].labels}
    assert labels <= set(stages[f"pretrain@{name}"].deps)


def test_the_project_itself_brings_no_lock_file():
    # a lock of the machine it was run on would send everybody else to a cache that they do not have
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "params.yaml" in listed.splitlines()
    assert not [name for name in listed.splitlines() if name.endswith("dvc.lock")]


def test_git_ignores_what_stages_make(stages):
    outs = sorted({out for stage in stages.values() for out in stage.outs})
    inside = "\n".join(f"{out}/x" for out in outs)  # a pattern for a folder fits what lies in it
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    told = subprocess.run(command, cwd=ROOT, input=inside, capture_output=True, text=True, check=False).stdout
    assert told.split() == inside.split()


def test_while_one_trains_a_second_runs_check_is_not_kept_waiting_by_dvc(stages):
    checked = "data/params.checked"
    long = [stage for name, stage in stages.items() if name.startswith(("train@", "pretrain@"))]
    assert len(long) == len(METHODS) + len(PRETRAININGS)
    assert not any(checked in stage.deps for stage in long)  # DVC lets nobody write what a running stage depends on
    assert checked in stages["source"].deps  # so `check` comes first
