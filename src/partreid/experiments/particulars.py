"""In what a method's training differs from the others' by the same recipe, for whoever compares their results."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from partreid import methods
from partreid.params import Params, Recipe


def otherwise(p: Params, model: str) -> str:
    """What the chosen recipe asks of this method alone, and what goes before its training; "-" if nothing.

    Where the recipe asks nothing of all, as `paper`, every method has its own.
    """
    whole = p.recipes[p.recipe]
    recipe, options = p.recipe_of(model)
    common = [field.name for field in fields(Recipe) if field.name in whole]
    if not common:
        return "all its own"
    found = [_told(whole.get(model, {}))] if whole.get(model) else []
    for name in dict.fromkeys(methods.outline(model, backbone=recipe.backbone, **options).starts_from.values()):
        before, _ = p.pretraining_of(name)
        found.append(
            f"before it {name}, {before.epochs} epochs" if before.epochs else f"before it {name}, as published"
        )
    return "; ".join(found) or "-"


def _told(block: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_word(value)}" for key, value in block.items())


def _word(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
