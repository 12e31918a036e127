"""What is said of a data set or a method of which something is still missing."""

import copy

import pytest

from partreid import methods, params
from partreid.datasets import DATASETS
from partreid.errors import UserError
from partreid.evaluation.protocols import PROTOCOLS
from partreid.experiments import additions
from partreid.methods.bot import BagOfTricks


def test_nothing_is_missing_of_what_there_is(values):
    p = params.parse(values)
    assert additions.data_sets(p) == []
    for recipe in values["recipes"]:
        assert additions.recipe_blocks(params.parse({**values, "recipe": recipe}), methods.METHODS) == []
    additions.protocols_of(p)


def test_a_model_that_no_stage_trains_is_refused(values, project, tmp_path):
    written = (project / "stages/dvc.yaml").read_text()
    p = params.parse(values)
    additions.stages_of(p, project / "stages/dvc.yaml")
    file = tmp_path / "dvc.yaml"
    file.write_text(written.replace("*bpbreid, ", ""))
    with pytest.raises(UserError, match=r"^no stage trains bpbreid: it lacks its name in `embed-on` of .*dvc.yaml$"):
        additions.stages_of(p, file)
    mine = params.parse({**values, "model": "mine", "methods": {**values["methods"], "mine": values["methods"]["bot"]}})
    with pytest.raises(
        UserError,
        match=r"^no stage trains mine: it lacks a block `mine: \{\}` under `at_test` of params.yaml; an entry mine of "
        "`learns` in .*; its name in `embed-on`",
    ):
        additions.stages_of(mine, project / "stages/dvc.yaml")


def test_of_a_reader_alone_all_is_told_that_is_missing(values, monkeypatch):
    monkeypatch.setitem(DATASETS, "toyset", None)
    (told,) = additions.data_sets(params.parse(values))
    assert told.startswith("the data set toyset has a reader, but is not in `raw` of params.yaml (raw.toyset: '')")
    assert told.endswith("nor in `datasets` of params.yaml, nor in PROTOCOLS of src/partreid/evaluation/protocols.py")
    values["raw"]["toyset"] = ""
    values["datasets"].append("toyset")
    monkeypatch.setitem(PROTOCOLS, "toyset", {})
    assert additions.data_sets(params.parse(values)) == []


def test_a_chosen_data_set_without_protocols_is_refused(values):
    values["raw"]["toyset"] = "/toys"
    values["datasets"].append("toyset")
    for chosen in ({"dataset": "toyset"}, {"also_test_on": ["toyset"]}):
        with pytest.raises(UserError, match=r"toyset has no protocols.* PROTOCOLS in src/partreid/evaluation/proto"):
            additions.protocols_of(params.parse({**values, **chosen}))


def test_a_copied_method_whose_recipes_block_was_left_behind_is_told(values, monkeypatch):
    monkeypatch.setitem(methods.METHODS, "bob", BagOfTricks)
    values["methods"]["bob"] = copy.deepcopy(values["methods"]["bot"])
    (told,) = additions.recipe_blocks(params.parse(values), ["bot", "bob"])
    assert "recipe laptop gives bot, bpbreid, pcb, fsam triplet_distance 'root_mean_square', and not bob" in told
    assert told.endswith("To add: recipes.laptop.bob.triplet_distance")
    assert additions.recipe_blocks(params.parse({**values, "recipe": "paper"}), ["bob"]) == []
    values["recipes"]["laptop"]["bob"] = {"triplet_distance": "euclidean"}  # said on purpose
    assert additions.recipe_blocks(params.parse(values), ["bob"]) == []
