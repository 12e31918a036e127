import copy

import pytest
import yaml

from partreid import check, params
from partreid.errors import UserError


@pytest.fixture
def values(project):
    return yaml.safe_load((project / "params.yaml").read_text())


def changed(values, key, value):
    values = copy.deepcopy(values)
    *way, last = key.split(".")
    place = values
    for step in way:
        place = place[step]
    place[last] = value
    return values


def test_the_projects_own_file_is_valid(values):
    check.names(params.parse(values))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("modle", "bot", "unknown key modle"),
        ("train.sed", 1, "unknown key train.sed"),
        ("train.seed", "one", "train.seed must be int"),
        ("train.seed", True, "train.seed must be int"),
        ("dataset", "market", "unknown data set 'market'; known: "),
        ("recipe", "large", "unknown recipe 'large'; known: laptop, paper"),
        ("model", "bott", "unknown model 'bott'; known: bot, bpbreid"),
        ("methods.bot.parts", 3, "unknown key methods.bot.parts"),
        ("methods.bpbreid.decay_at", 3, "methods.bpbreid.decay_at must be list"),
        ("recipes.laptop.hight", 3, "recipes.laptop: unknown keys ['hight']"),
        ("labels.pifpaf.tool", "openpose9", "unknown tool (labels.pifpaf.tool) 'openpose9'"),
        ("labels.pifpaf.sigma", 1.0, "unknown key labels.pifpaf.sigma"),
        ("raw.markt", "/x", "unknown data set reader 'markt'"),
    ],
)
def test_a_wrong_name_or_key_is_named(values, key, value, message):
    with pytest.raises(UserError) as error:
        check.names(params.parse(changed(values, key, value)))
    assert message in str(error.value)


def test_a_missing_key_is_named(values):
    del values["methods"]["bpbreid"]["margin"]
    with pytest.raises(UserError, match=r"missing key methods\.bpbreid\.margin"):
        check.names(params.parse(values))


def test_a_recipe_lies_over_every_method_and_its_block_over_one(values):
    values["recipes"]["mine"] = {"epochs": 3, "bpbreid": {"parts": 8, "epochs": 4}}
    values["recipe"] = "mine"
    p = params.parse(values)
    assert p.recipe_of("bot")[0].epochs == 3
    recipe, own = p.recipe_of("bpbreid")
    assert (recipe.epochs, own["parts"]) == (4, 8)
    assert recipe.learning_rate == values["methods"]["bpbreid"]["learning_rate"]


def test_the_paper_recipe_adds_nothing(values):
    values["recipe"] = "paper"
    recipe, own = params.parse(values).recipe_of("bpbreid")
    assert {**vars(recipe), **own} == values["methods"]["bpbreid"]
