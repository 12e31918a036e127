"""Whether params.yaml fits the code: every name is registered, every option is an argument of what it configures."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from partreid.datasets import READERS
from partreid.errors import UserError, choose
from partreid.labels import LABELS
from partreid.methods import METHODS
from partreid.params import Params
from partreid.tools import TOOLS


def names(params: Params) -> None:
    """Raise a UserError for the first name or key that the code does not know."""
    choose(METHODS, params.model, "model")
    for dataset in params.raw:
        choose(READERS, dataset, "data set reader")
    for name, label in params.labels.items():
        build = choose(LABELS, name, "label")
        choose(TOOLS, label.tool, f"tool (labels.{name}.tool)")
        options(build, label.options, f"labels.{name}")
    for name in params.methods:
        method = choose(METHODS, name, "model")
        _, own = params.recipe_of(name)
        options(method, own, f"methods.{name}", given=("backbone", "identities"))


def options(
    function: Callable[..., Any], given_options: Iterable[str], where: str, given: tuple[str, ...] = ()
) -> None:
    """Compare option names with the function's keyword-only arguments; `given` are those the stage passes itself."""
    wanted = {
        name: argument
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY and name not in given
    }
    known = ", ".join(sorted(wanted))
    for name in given_options:
        if name not in wanted:
            raise UserError(f"params.yaml: unknown key {where}.{name}; known: {known}")
    for name, argument in wanted.items():
        if argument.default is argument.empty and name not in given_options:
            raise UserError(f"params.yaml: missing key {where}.{name}; known: {known}")
