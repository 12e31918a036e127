"""What may be changed for experiments, how it is written, and that DVC reads the same."""

import argparse
import copy
import shutil

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from partreid import params, strict_yaml
from partreid.errors import UserError
from partreid.experiments import overrides


@pytest.fixture
def asked(values, tmp_path, monkeypatch):
    """What comes of a program's arguments, beside a params.yaml with the project's values."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    overrides.arguments(parser)
    return lambda words: overrides.asked(parser.parse_args(words))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0.01, "0.01"),
        (1e-5, "1e-05"),
        ("class", "class"),
        ([1, 2], "[1,2]"),
        (["a", "b c"], '["a","b c"]'),
        ("a b", "'a b'"),
        ("it's", r"'it\'s'"),
        ("123", "'123'"),
        ("true", "'true'"),
        (None, "null"),
        ([], "[]"),
    ],
)
def test_dvc_reads_what_is_meant(tmp_path, value, text):
    assert overrides.word("a.b", value) == f"a.b={text}"
    file = tmp_path / "params.yaml"
    file.write_text("a: {b: 1}\n")
    apply_overrides(file, [overrides.word("a.b", value)])
    assert strict_yaml.loaded(file.read_text()) == {"a": {"b": value}}
    assert overrides.changed({"a": {"b": 1}}, {"a.b": value}) == {"a": {"b": value}}


def test_changes_are_written_as_for_dvc_exp_run(values):
    words = ["recipes.laptop.decay_at=[5,7]", "recipes.laptop.learning_rate=1.0e-3", "recipe=paper"]
    changes = overrides.written(words, values)
    assert changes == {
        "recipes.laptop.decay_at": [5, 7],
        "recipes.laptop.learning_rate": 0.001,
        "recipe": "paper",
    }
    result = overrides.changed(values, changes)
    assert result["recipes"]["laptop"]["decay_at"] == [5, 7]
    assert values["recipes"]["laptop"]["decay_at"] != [5, 7]  # a copy


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("recipe", "takes path=value, .*; found 'recipe'"),
        ("recipes.laptop.epoch=3", r"params.yaml has no recipes\.laptop\.epoch$"),
        ("recipe.laptop.epochs=3", r"params.yaml has no recipe\.laptop\.epochs$"),
        ("recipe=[", "not valid YAML"),
        ("recipes.laptop.epochs=2026-13-45", r"not valid YAML: month must be in 1\.\.12"),
        ("recipes.laptop.mpn={}", "is a block; change the values in it"),
        ("recipes.laptop.epochs={a: 1}", "a value, or a list of them"),
        ("recipes.laptop.epochs=2024-01-01", "a value, or a list of them"),
        ("recipes.laptop.decay_at=[[1]]", "a value, or a list of them"),
        ("model=bot", "the experiments' own"),
        ("train.seed=2", "--seeds"),
        ("dataset=market1501", "--dataset"),
        ("synthetic.images=4", "changed in params.yaml itself"),
        ("labels.pifpaf.tool=truth", "changed in params.yaml itself"),
        ("split=3", "changed in params.yaml itself"),
    ],
)
def test_what_cannot_be_changed_is_named(values, word, message):
    with pytest.raises(UserError, match=message):
        overrides.written([word], values)


@pytest.mark.parametrize(
    ("words", "expected", "arguments"),
    [
        ([], {}, ["--dataset", "synthetic"]),
        (["--dataset", "market1501"], {"dataset": "market1501"}, ["--dataset", "market1501"]),
        (
            ["-S", "evaluate.ranks=5", "-S", "recipe=paper", "-S", "recipe=laptop"],
            {"evaluate.ranks": 5, "recipe": "laptop"},
            ["--dataset", "synthetic", "-S", "evaluate.ranks=5", "-S", "recipe=laptop"],
        ),
    ],
)
def test_what_is_asked_for_can_be_asked_for_again(asked, values, words, expected, arguments):
    found, changes, p = asked(words)
    assert (found, changes) == (values, expected)
    assert p == params.parse(overrides.changed(values, expected))
    assert overrides.command(p, changes) == arguments
    assert asked(arguments)[2] == p


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "market"], "unknown data set 'market'"),
        (["-S", "recipes.laptop.epochs=many"], "epochs must be int, found 'many'"),
        (["-S", "methods.bot.epochs=5"], r"methods.bot.epochs: recipe laptop has epochs = \d+ in place of 5"),
        (["-S", "recipe=paper", "-S", "recipes.laptop.epochs=5"], "recipes.laptop.epochs: the recipe is paper"),
        (["-S", "pretraining.ide.epochs=5"], r"pretraining.ide.epochs: recipe laptop has epochs = \d+ in place of 5"),
    ],
)
def test_what_would_come_of_it_is_checked(asked, words, message):
    with pytest.raises(UserError, match=message):
        asked(words)


def test_the_recipe_in_words(project, monkeypatch):
    monkeypatch.chdir(project)
    p = params.load()
    assert overrides.recipe(p, {"dataset": "x"}) == "laptop"
    assert overrides.recipe(p, {"evaluate.ranks": 5, "recipes.laptop.decay_at": [5, 7]}) == (
        "laptop with evaluate.ranks=5 recipes.laptop.decay_at=[5,7]"
    )


def test_values_by_data_set_may_be_replaced_by_one_for_all(values):
    changes = overrides.written(["methods.bpbreid.parts=8"], values)
    assert params.parse(overrides.changed(values, changes)).recipe_of("bpbreid")[1]["parts"] == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"seed": 7}, "dataset": "folder", "raw": {"folder": "/a b/it's"}},
        {"recipes": {"laptop": {"epochs": 1, "learning_rate": 1e-05, "decay_at": []}}},
        {"at_test": {"bpbreid": {"embeddings": ["parts"], "normalize": False}}},
        {"also_test_on": ["folder", "prcc"], "tools": {"schp_files": {"folders": {"prcc": "/x", "ltcc": "/y"}}}},
        {"recipes": {"mine": {"epochs": 2, "bot": {"margin": 0.5}}}, "recipe": "mine"},
    ],
)
def test_the_words_between_two_states_are_what_dvc_needs_to_go_from_one_to_the_other(
    project, tmp_path, values, changes
):
    def lay(block, over):
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(block.get(key), dict):
                lay(block[key], value)
            else:
                block[key] = value

    wanted = copy.deepcopy(values)
    lay(wanted, changes)
    given = overrides.words(values, wanted)
    assert len(given) <= 4
    file = tmp_path / "params.yaml"
    shutil.copy(project / "params.yaml", file)
    apply_overrides(file, given)
    assert params.read(file) == wanted
    assert overrides.words(wanted, params.read(file)) == []
    apply_overrides(file, overrides.words(wanted, values))  # and back, with what is taken out
    assert params.read(file) == values


def lists(block, way=""):
    for key, value in block.items():
        if isinstance(value, dict):
            yield from lists(value, f"{way}{key}.")
        elif isinstance(value, list):
            yield f"{way}{key}"


def test_dvc_can_empty_and_fill_every_list_and_leaves_the_rest_of_params_yaml_as_it_is(project, tmp_path, values):
    # a comment on the line of a list's key, and DVC breaks the file when the list is emptied: comments stand above it
    file = tmp_path / "params.yaml"
    shutil.copy(project / "params.yaml", file)
    paths = list(lists(values))
    assert len(paths) > 20
    apply_overrides(file, ["train.seed=1"])
    assert file.read_text() == (project / "params.yaml").read_text()  # it lies in the form that DVC writes
    comments = [line.partition("#")[2] for line in file.read_text().splitlines() if "#" in line]
    for content in ("[]", "[x,y]", "[]"):
        apply_overrides(file, [f"{path}={content}" for path in paths])
        found = params.read(file)
        assert all(len(overrides.at(found, path, "")) == len(content.split(",")) - (content == "[]") for path in paths)
        assert [line.partition("#")[2] for line in file.read_text().splitlines() if "#" in line] == comments


def test_a_value_that_the_recipe_takes_the_effect_of_is_told(monkeypatch, project):
    before = params.read(project / "params.yaml")
    monkeypatch.setattr(overrides, "committed", lambda _file, _commit: yaml.safe_dump(before))
    changes = {"methods.bpbreid.backbone": "resnet50_ibn_a", "methods.bpbreid.parts": 8, "methods.bot.epochs": 3}
    assert overrides.idle("HEAD", before) == []
    (said,) = overrides.idle("HEAD", overrides.changed(before, changes))
    assert said == (
        "methods.bpbreid.backbone has no effect: recipe laptop has backbone = mobilenet_v2 in place of resnet50_ibn_a; "
        "what holds is the recipe's, for it alone recipes.laptop.bpbreid.backbone"
    )
    assert overrides.idle("HEAD", overrides.changed(before, {**changes, "recipe": "paper"})) == []
    new = {**before, "model": "mine", "methods": {**before["methods"], "mine": before["methods"]["bot"]}}
    assert overrides.idle("HEAD", new) == []


def test_new_blocks_are_told_apart_from_changed_values(monkeypatch):
    before = {"methods": {"bot": {"margin": 0.3}}, "at_test": {}, "train": {"seed": 1}}
    after = {"methods": {"bot": {"margin": 0.5}, "bob": {"margin": 0.3, "x": {"y": 1}}}, "at_test": {"bob": {}}}
    assert overrides.new_blocks(before, after) == ["methods.bob", "at_test.bob"]
    monkeypatch.setattr(overrides, "committed", lambda _file, _commit: yaml.safe_dump(before))
    after["train"] = {"seed": 1, "sed": 2}
    blocks, values = overrides.apart("HEAD", after)
    assert sorted(blocks) == ["at_test.bob", "methods.bob"]
    assert sorted(values) == ["+train.sed=2", "methods.bot.margin=0.5"]
