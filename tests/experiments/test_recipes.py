"""The recipes that compare methods: alike for all, but for what is listed here."""

import dataclasses

import pytest

from partreid import params
from partreid.errors import UserError
from partreid.experiments import check
from partreid.experiments.particulars import otherwise

NEEDED = {
    "laptop": {
        "ids_per_batch": {"pcb"},  # without a triplet loss, and with a classifier for each strip
        "images_per_id": {"pcb"},
        "backbone": {"mpn", "pabr"},  # a finer map, for parts cut out of it and for what is pooled cell by cell
    },
    "workstation": {
        "height": {"pcb", "mpn"},  # their strips need the rows
        "ids_per_batch": {"pcb"},
        "images_per_id": {"pcb"},
    },
}


@pytest.fixture(params=NEEDED)
def chosen(request, project):
    return dataclasses.replace(params.load(project / "params.yaml"), recipe=request.param)


def images_seen(recipe):
    return recipe.epochs * recipe.batches_per_epoch * recipe.ids_per_batch * recipe.images_per_id


def test_methods_differ_only_in_what_their_papers_need(chosen):
    recipes = {method: vars(chosen.recipe_of(method)[0]) for method in chosen.methods}
    for method, recipe in recipes.items():
        needed = {key for key, methods in NEEDED[chosen.recipe].items() if method in methods}
        differs = {key for key in recipe if recipe[key] != recipes["bot"][key]}
        assert differs - {"decay"} == needed, method  # decay: of the schedule by steps, which neither has


def test_all_methods_see_as_many_images(chosen):
    seen = {method: images_seen(chosen.recipe_of(method)[0]) for method in chosen.methods}
    assert len({*seen.values()}) == 1, seen
    assert seen["bot"] > 0


def test_what_a_method_has_otherwise_is_told(chosen):
    told = {method: otherwise(chosen, method) for method in chosen.methods}
    for method, text in told.items():
        block = chosen.recipes[chosen.recipe].get(method, {})
        assert all(f"{key} {value}" in text for key, value in block.items()), method
    assert ("height 384" in told["mpn"]) == ("height" in NEEDED[chosen.recipe])
    assert told["mpn"].endswith(f"; before it ide, {chosen.pretraining_of('ide')[0].epochs} epochs")
    del chosen.recipes[chosen.recipe]["bot"]
    assert otherwise(chosen, "bot") == "-"
    assert otherwise(dataclasses.replace(chosen, recipe="paper"), "bot") == "all its own"


def test_every_recipe_can_be_built(project):
    p = params.load(project / "params.yaml")
    for recipe in p.recipes:
        check.names(dataclasses.replace(p, recipe=recipe))


def test_pre_trainings_of_a_taller_method_are_as_tall(chosen):
    assert chosen.pretraining_of("ide")[0].height == chosen.recipe_of("mpn")[0].height


def test_a_schedule_without_steps_takes_none(chosen):
    chosen.recipes[chosen.recipe]["decay_at"] = [5]
    with pytest.raises(UserError, match=r"decay_at is \[5\], which schedule cosine has no use for"):
        check.names(chosen)


def test_a_shorter_training_shortens_what_goes_before_and_says_so(chosen):
    mpn = dataclasses.replace(chosen, model="mpn")
    written = chosen.recipes[chosen.recipe]["ide"]["epochs"]
    assert chosen.pretraining_of("ide")[0].epochs == written <= chosen.recipe_of("mpn")[0].epochs
    for epochs in (1, written):
        chosen.recipes[chosen.recipe]["epochs"] = epochs
        assert chosen.pretraining_of("ide")[0].epochs == chosen.recipe_of("mpn")[0].epochs == epochs
        said = [line for line in check.doubts(mpn) if "the pre-training ide has no more" in line]
        assert len(said) == (epochs < written)
