"""Ablation tables: the project's own file and the Markdown."""

import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from partreid import methods, params, strict_yaml
from partreid.errors import UserError
from partreid.evaluation.protocols import PROTOCOLS
from partreid.experiments import ablation, overrides
from partreid.experiments.ablation import Row, Table
from partreid.experiments.overrides import changed


@pytest.fixture
def table():
    rows = [
        Row("plain", {"methods.mpn.alignment": "none"}, {"M": {"rank1": 90.0, "mAP": 80.0}}),
        Row("better", {"methods.mpn.alignment": "class"}, {"M": {"rank1": 95.0, "mAP": 85.0}}),
        Row("best", {"methods.mpn.alignment": "sum"}, {"M": {"rank1": 96.0, "mAP": 86.0}}),
        Row("other", {"methods.mpn.alignment": "batch"}, {}),
    ]
    return Table("mpn", "1", "Title", "mpn", rows)


def test_a_file_that_somebody_got_wrong_is_one_message(tmp_path):
    file = tmp_path / "ablations.yaml"
    file.write_text("mpn: {model: mpn, tables: {1: [}}")
    with pytest.raises(UserError, match=r"ablations\.yaml is not valid YAML"):
        ablation.read(file, "mpn", "1")
    file.write_text("mpn: {model: mpn, tables: {'1': {title: T, rows: [{name: plain}]}}}")
    with pytest.raises(UserError, match=r"ablations\.yaml: mpn, table 1: there is no 'set'"):
        ablation.read(file, "mpn", "1")
    row = "{name: plain, set: {}, paper: {Market: {rank1: 90.0, mAP: 80.0}}}"
    file.write_text(f"mpn: {{model: mpn, tables: {{'1': {{title: T, rows: [{row}]}}}}}}")
    with pytest.raises(UserError, match=r"unknown measurement \(.*table 1, plain\) 'Market'; .*Market-1501"):
        ablation.read(file, "mpn", "1")


def test_every_row_of_every_paper_is_a_set_of_parameters_that_the_code_has(project, values):
    path = project / "ablations.yaml"
    papers = strict_yaml.loaded(path.read_text())
    for paper, block in papers.items():
        for name in block["tables"]:
            table = ablation.found(papers, path, paper, name)
            assert table.rows
            assert len({row.name for row in table.rows}) == len(table.rows)
            for row in table.rows:
                changes = ablation.experiment({**values, "recipe": "paper"}, table, row, 3)
                content = changed(values, changes)
                params.parse(content)
                assert content["train"]["seed"] == 3
                for numbers in row.paper.values():
                    assert "rank1" in numbers
                    assert all(0 < number <= 100 for number in numbers.values())


def test_the_rows_of_mpns_first_table_differ(project):
    rows = ablation.read(project / "ablations.yaml", "mpn", "1").rows
    assert [row.name for row in rows][:3] == ["Baseline", "Baseline (UB)", "MT Only"]
    assert len({tuple(sorted(row.values.items())) for row in rows}) == len(rows) == 10


def test_an_unknown_table_is_named(project):
    with pytest.raises(UserError, match="unknown table of mpn '7'; known: 1, 2, 3, 4, 5, figure7, figure10, tools"):
        ablation.read(project / "ablations.yaml", "mpn", "7")


def test_some_rows(table):
    name = table.rows[-1].name
    assert [row.name for row in table.only([name]).rows] == [name]
    assert table.only(None).rows == table.rows
    assert [row.name for row in table.only([name, name]).rows] == [name]
    with pytest.raises(UserError, match="unknown row of table"):
        table.only(["Nothing"])


def test_an_unknown_parameter_is_named(values, table):
    with pytest.raises(UserError, match=r"params.yaml has no methods.mpn.aligment"):
        ablation.experiment(values, table, Row("x", {"methods.mpn.aligment": "none"}, {}), 1)


@pytest.mark.parametrize(("path", "value"), [("methods.mpn.backbone", "resnet50"), ("methods.mpn.embedding", 512)])
def test_a_parameter_that_the_recipe_overrides_is_named(values, table, path, value):
    row = Row("x", {path: value}, {})
    with pytest.raises(UserError, match=f"recipe laptop has {path.split('.')[-1]} = .* in place of {value}"):
        ablation.experiment(values, table, row, 1)
    assert ablation.experiment({**values, "recipe": "paper"}, table, row, 1)[path] == value


def test_the_table(table):
    def run(mAP, rank1):
        return {"general": {"mAP": mAP, "rank1": rank1}}

    results = {"plain": [run(0.2, 0.4), run(0.3, 0.5)], "better": [run(0.6, 0.7)], "best": [run(0.5, 0.7)], "other": []}
    lines = ablation.markdown(table, results, 2).splitlines()
    assert lines[0] == "|  | general | paper: M |"
    assert lines[2] == "| plain | 25.0 ± 7.1 / 45.0 ± 7.1 | 80.0 / 90.0 |"
    assert lines[3] == "| better (1 of 2 seeds) | 60.0 / 70.0 | 85.0 / 95.0 |"
    assert lines[5] == "| other | - / - | - |"
    rows = [replace(row, paper={"Market-1501": row.paper["M"]} if row.paper else {}) for row in table.rows]
    table = replace(table, rows=rows)
    words = ablation.inequalities(table, results, "synthetic")
    assert words.startswith(
        "2 of the paper's 3 orderings of two rows by mAP (Market-1501) hold here by mean mAP (general)"
    )
    assert "not: better < best." in words
    assert ablation.inequalities(table, {}, "synthetic") == ""
    assert ablation.text(table, results, 2, "synthetic") == f"{ablation.markdown(table, results, 2)}\n{words}"
    assert ablation.text(table, {}, 2, "synthetic") == ablation.markdown(table, {}, 2)  # no blank line at its end


LTCC, PRCC = "LTCC, cross-clothes", "PRCC, cross-clothes"


@pytest.fixture
def clothes():
    """FSAM's second table in small: of PRCC the paper gives rank-1 and rank-5 alone."""
    rows = [
        Row("a", {}, {PRCC: {"rank1": 40.0, "rank5": 60.0}, LTCC: {"rank1": 20.0, "mAP": 10.0}}),
        Row("b", {}, {PRCC: {"rank1": 50.0, "rank5": 70.0}, LTCC: {"rank1": 30.0, "mAP": 20.0}}),
    ]
    return Table("fsam", "2", "Title", "fsam", rows, "cross-clothes")


def of(**protocols):
    """mAP, rank-1 and rank-5 by protocol."""
    names = ("mAP", "rank1", "rank5")
    return {name.replace("_", "-"): dict(zip(names, values, strict=True)) for name, values in protocols.items()}


def test_a_papers_own_protocol_is_set_against_its_own_column(clothes):
    ltcc = {
        "a": [of(standard=(0.9, 0.9, 0.9), cloth_changing=(0.1, 0.1, 0.1))],
        "b": [of(standard=(0.8, 0.9, 0.9), cloth_changing=(0.2, 0.1, 0.1))],
    }
    one = "1 of the paper's 1 orderings of two rows by"
    assert (
        ablation.inequalities(clothes, ltcc, "ltcc") == f"{one} mAP ({LTCC}) hold here by mean mAP (cloth-changing).\n"
    )
    prcc = {
        "a": [of(cross_clothes_single_shot=(0.4, 0.1, 0.3), cross_clothes_multi_shot=(0.2, 0.9, 0.9))],
        "b": [of(cross_clothes_single_shot=(0.3, 0.2, 0.4), cross_clothes_multi_shot=(0.1, 0.8, 0.9))],
    }
    words = f"{one} rank-1 ({PRCC}) hold here by mean rank-1 (cross-clothes-single-shot).\n"
    assert ablation.inequalities(clothes, prcc, "prcc") == words
    rendered = {
        "a": [of(general=(0.9, 0, 0), cross_clothes=(0.1, 0, 0))],
        "b": [of(general=(0, 0, 0), cross_clothes=(0.2, 0, 0))],
    }
    words = f"{one} mAP ({LTCC}) hold here by mean mAP (cross-clothes).\n"
    assert ablation.inequalities(clothes, rendered, "synthetic") == words


def test_further_ranks_stand_where_the_paper_prints_them(clothes, table):
    lines = ablation.markdown(clothes, {"a": [of(cross_clothes=(0.1, 0.2, 0.3))]}, 1).splitlines()
    assert lines[2] == "| a | 10.0 / 20.0 (rank-5: 30.0) | - / 40.0 (rank-5: 60.0) | 10.0 / 20.0 |"
    assert lines[3] == "| b | - / - | - / 50.0 (rank-5: 70.0) | 20.0 / 30.0 |"
    assert "rank-5" not in ablation.markdown(table, {"plain": [of(general=(0.1, 0.2, 0.3))]}, 1)


def test_every_column_of_every_paper_has_its_data_set_and_protocol(project):
    content = strict_yaml.loaded((project / "ablations.yaml").read_text())
    tables = [table for block in content.values() for table in block["tables"].values()]
    columns = {name for table in tables for row in table["rows"] for name in row.get("paper", {})}
    assert columns == ablation.MEASURED.keys()
    for dataset, protocol in ablation.MEASURED.values():
        assert protocol in PROTOCOLS[dataset]


def test_pahs_tables_have_the_rank_5_that_its_paper_prints_for_celeb_alone(project):
    for name in ("4", "5", "6"):
        for row in ablation.read(project / "ablations.yaml", "pah", name).rows:
            assert [of for of, numbers in row.paper.items() if "rank5" in numbers] == ["Celeb-reID"]
            assert row.paper["Celeb-reID"]["rank1"] < row.paper["Celeb-reID"]["rank5"] < 83


def test_one_training_of_fsam_serves_three_rows_of_its_third_table(project):
    rows = ablation.read(project / "ablations.yaml", "fsam", "3").rows
    trainings = [{path: value for path, value in row.values.items() if "at_test" not in path} for row in rows]
    assert trainings[0] == trainings[1] == trainings[2] != trainings[3] == trainings[4] == trainings[5]


def test_a_table_and_a_row_may_be_of_another_model(project, values):
    path = project / "ablations.yaml"
    baseline, own = ablation.read(path, "bpbreid", "2").rows[:2]
    table = ablation.read(path, "bpbreid", "4-pcb")
    assert table.model == "pcb"
    found = [ablation.experiment(values, table, row, 1)["model"] for row in (baseline, own, table.rows[0])]
    assert found == ["bot", "bpbreid", "pcb"]
    assert set(table.rows[0].values) == {"methods.pcb.identity_on", "methods.pcb.triplet_on"}


def test_every_row_of_bpbreids_paper_builds_and_no_two_are_alike(project, values):
    path = project / "ablations.yaml"
    for name, rows in (("1", 4), ("2", 7), ("3", 11), ("4", 14), ("4-pcb", 12), ("5", 7), ("labels", 3), ("code", 11)):
        table = ablation.read(path, "bpbreid", name)
        contents = []
        for row in table.rows:
            changes = ablation.experiment({**values, "recipe": "paper"}, table, row, 1)
            content = changed(values, changes)
            p = params.parse(content)
            recipe, own = p.recipe_of(p.model)
            method = methods.outline(p.model, backbone=recipe.backbone, **own)
            method.use(**p.at_test.get(p.model, {}))
            contents.append(json.dumps(content, sort_keys=True))
        assert len(set(contents)) == len(contents) == rows


def test_the_rows_of_bpbreids_third_table_share_one_training(project):
    rows = ablation.read(project / "ablations.yaml", "bpbreid", "3").rows
    trainings = [{path: value for path, value in row.values.items() if "at_test" not in path} for row in rows]
    assert all(training == {"methods.bpbreid.parts": 6} for training in trainings)


def test_the_make_target_and_the_stage_name_each_other(project):
    assert "stages/ablation.py" in (project / "Makefile").read_text()
    assert Path(project / "stages/ablation.py").is_file()


def test_a_seed_named_twice_is_run_once_on_an_image_table_made_before(project, tmp_path, monkeypatch):
    stage = runpy.run_path(str(project / "stages/ablation.py"))
    for name in ("params.yaml", "ablations.yaml"):
        shutil.copy(project / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    asked = []

    def complete(experiments, _, before, dry):
        assert not dry
        asked.extend(each.name for each in experiments)
        before()
        return [{"general": {"mAP": 0.2, "rank1": 0.3}}] * len(experiments)

    monkeypatch.setattr(stage["queue"], "complete", complete)
    monkeypatch.setattr(stage["dvc"], "repro", asked.extend)
    monkeypatch.setattr(sys, "argv", ["ablation.py", "mpn", "1", "--rows", "Baseline", "--seeds", "2", "2", "1"])
    stage["main"]()
    assert asked == ["mpn-1-Baseline-s2", "mpn-1-Baseline-s1", "data/dvc.yaml:index-synthetic"]
    assert "seeds 2, 1;" in (tmp_path / "results/ablation/mpn-1-synthetic.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-S", "methods.mpn.alignment=none"], "methods.mpn.alignment: the row .* has a value of its own"),
        (["-S", "train.device=gpu"], "unknown device .* 'gpu'"),
        (["-S", "train.seed=3"], "--seeds"),
    ],
)
def test_what_a_table_cannot_be_run_with(project, monkeypatch, words, message):
    stage = runpy.run_path(str(project / "stages/ablation.py"))
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["ablation.py", "mpn", "1", "--dry", *words])
    with pytest.raises(UserError, match=message):
        stage["main"]()


def test_every_table_that_docs_send_a_reader_to_is_there(project):
    papers = strict_yaml.loaded((project / "ablations.yaml").read_text())
    text = (project / "docs/methods.md").read_text()
    sections = {"BPBreID": "bpbreid", "MPN": "mpn", "Part-Aligned": "pabr", "FSAM": "fsam", "PAH-Net": "pah"}
    for section in text.split("\n### ")[1:]:
        tables = papers[sections[section.split()[0]]]["tables"]
        named = set(re.findall(r"table=([\w-]+)", section)) | set(re.findall(r", `(figure\w+|\d)`", section))
        assert named <= set(tables), section[:20]
        assert set(tables) <= named, section[:20]


def test_the_docs_baseline_of_mpns_table_8_is_that_of_table_1(project, values):
    text = (project / "docs/methods.md").read_text()
    words = re.search(r"Table 8's \*Our Baseline\*: `set=\"([^\"]+)\"`", text)[1]
    table = ablation.read(project / "ablations.yaml", "mpn", "1")
    asked = changed(values, {"model": "mpn", **overrides.written(words.split(), values)})
    row = ablation.experiment(asked, table, table.only(["Baseline"]).rows[0], 1)

    def network(content):
        p = params.parse(content)
        recipe, own = p.recipe_of("mpn")
        method = methods.outline("mpn", backbone=recipe.backbone, **own)
        return {name: tuple(value.shape) for name, value in method.state_dict().items()}

    assert network(asked) == network(changed(asked, row))


def test_the_commands_of_the_docs_change_what_params_has(project, values):
    text = (project / "docs/methods.md").read_text()
    settings = re.findall(r'set="([^"]+)"', text)
    assert len(settings) > 15
    for words in settings:
        changes = overrides.written(words.split(), values)
        result = changed(values, changes)
        for path, value in changes.items():
            overrides.in_force(result, path, value, words)
        params.parse(result)
    for path in re.findall(r"-S '?([\w.]+)=", text):
        overrides.at(values, path, path)
