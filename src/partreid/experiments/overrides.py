"""What experiments change in params.yaml: dotted path -> value, as `dvc exp run -S` takes it."""

import argparse
import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from partreid import params, strict_yaml
from partreid.errors import UserError
from partreid.storage.revision import committed

Changes = Mapping[str, Any]
# The rest (data sets, tools, labels) is made once for all experiments, from params.yaml as it is.
OPEN = ("recipe", "recipes", "methods", "pretraining", "at_test", "train", "evaluate")
CLOSED = {
    "model": "the experiments' own; see --help",
    "dataset": "--dataset says it",
    "train.seed": "--seeds says it",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what changes params.yaml's values."""
    parser.add_argument("--dataset", help="params.yaml's by default")
    parser.add_argument("-S", dest="set", action="append", default=[], metavar="PATH=VALUE", help="as of dvc exp run")


def asked(given: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any], params.Params]:
    """What params.yaml holds, what `arguments` were given to change in it, and the parameters that come of it."""
    values = params.read()
    params.parse(values)  # says what is wrong with the file
    changes = written(given.set, values) | ({"dataset": given.dataset} if given.dataset else {})
    result = changed(values, changes)
    for path, value in changes.items():
        in_force(result, path, value, f"-S {path}")
    return values, changes, params.parse(result)


def written(words: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Changes from words "path=value", where the value is YAML: one value, or a list of them.

    UserError for what is written otherwise, for what params.yaml, which holds `values`, does not have, and for what is
    not open to changes.
    """
    found = {}
    for each in words:
        path, sign, text = each.partition("=")
        if not sign:
            raise UserError(f"-S takes path=value, as recipes.laptop.epochs=8; found {each!r}")
        if path in CLOSED:
            raise UserError(f"-S {each}: {CLOSED[path]}")
        if block(at(values, path, f"-S {each}")):
            raise UserError(f"-S {each}: {path} is a block; change the values in it one by one")
        if path.partition(".")[0] not in OPEN:
            raise UserError(f"-S {each}: what is made once for all experiments is changed in params.yaml itself")
        value = params.told(text, f"-S {each}")
        if not all(map(plain, value if isinstance(value, list) else [value])):
            raise UserError(f"-S {each}: a value, or a list of them as [5,7], was expected")
        found[path] = value
    return found


def block(value: Any) -> bool:
    """Whether it holds values by name; values by data set (with one for `others`) may be replaced by one for all."""
    return isinstance(value, Mapping) and "others" not in value


def plain(value: Any) -> bool:
    """Whether DVC reads from an argument what is meant."""
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and value.isprintable())


def at(values: Mapping[str, Any], path: str, where: str) -> Any:
    """What params.yaml, which holds `values`, has at a dotted path; UserError if nothing."""
    place: Any = values
    for step in path.split("."):
        if not isinstance(place, Mapping) or step not in place:
            raise UserError(f"{where}: params.yaml has no {path}")
        place = place[step]
    return place


def in_force(values: Mapping[str, Any], path: str, value: Any, where: str) -> None:
    """UserError if the recipe of params.yaml, which holds `values`, takes `value`'s effect away."""
    way = path.split(".")
    if len(way) > 1 and way[0] == "recipes" and way[1] != values["recipe"]:
        raise UserError(f"{where}: the recipe is {values['recipe']}")
    if said := laid_over(values, path, value):
        raise UserError(f"{where}: {said}")


def laid_over(values: Mapping[str, Any], path: str, value: Any) -> str:
    """In words: what the recipe has in place of `value` of a method or pre-training; "" where it takes that."""
    *way, key = path.split(".")
    if len(way) != 2 or way[0] not in ("methods", "pretraining"):
        return ""
    over = values["recipes"].get(values["recipe"], {})
    laid = over.get(way[1], {}).get(key, over.get(key, value))
    return "" if laid == value else f"recipe {values['recipe']} has {key} = {laid} in place of {value}"


def idle(commit: str, values: Mapping[str, Any]) -> list[str]:
    """In words: the chosen model's values that are otherwise than at a commit, and have no effect by the recipe.

    values: what params.yaml holds. Blocks that are new are left out: a copied one has many such values.
    """
    found = []
    for each in apart(commit, values)[1]:
        path = each.removeprefix("+").partition("=")[0]
        kind, _, own = path.partition(".")
        if kind == "methods" and not own.startswith(f"{values['model']}."):
            continue
        if said := laid_over(values, path, at(values, path, path)):
            alone = f"recipes.{values['recipe']}.{own}"
            found.append(f"{path} has no effect: {said}; what holds is the recipe's, for it alone {alone}")
    return found


def changed(values: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """A copy of params.yaml's mapping with values at dotted paths changed."""
    result = copy.deepcopy(dict(values))
    for path, value in changes.items():
        *way, key = path.split(".")
        place = result
        for step in way:
            place = place[step]
        place[key] = value
    return result


def since(commit: str, values: Mapping[str, Any]) -> list[str] | None:
    """What `-S` has to be given at a commit to get params.yaml's mapping `values`; None where git lacks the commit."""
    before = committed("params.yaml", commit)
    return None if before is None else words(strict_yaml.loaded(before), values)


def apart(commit: str, values: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What `since` finds, in two: the dotted paths of whole blocks that are new, and the words of the rest."""
    before = committed("params.yaml", commit)
    if before is None:
        return [], []
    loaded = strict_yaml.loaded(before)
    blocks = new_blocks(loaded, values)
    inside = tuple(f"+{block}{end}" for block in blocks for end in ".=")
    return blocks, [each for each in words(loaded, values) if not each.startswith(inside)]


def new_blocks(before: Mapping[str, Any], values: Mapping[str, Any], way: str = "") -> list[str]:
    """Dotted paths of the mappings that `values` has and `before` lacks, the outermost of each."""
    found = []
    for key, value in values.items():
        if isinstance(value, Mapping) and key not in before:
            found.append(f"{way}{key}")
        elif isinstance(value, Mapping) and isinstance(before[key], Mapping):
            found += new_blocks(before[key], value, f"{way}{key}.")
    return found


def words(before: Mapping[str, Any], values: Mapping[str, Any], way: str = "") -> list[str]:
    """What `-S` has to be given to make params.yaml's mapping `before` into `values`: + adds a key, ~ takes one out."""
    found = [f"~{way}{key}" for key in before if key not in values]
    for key, value in values.items():
        path = f"{way}{key}"
        if isinstance(value, Mapping) and isinstance(before.get(key), Mapping):
            found += words(before[key], value, f"{path}.")
        elif key not in before and isinstance(value, Mapping) and value:
            found += words({}, value, f"{path}.")
        elif key not in before:
            found.append(f"+{word(path, value)}")
        elif value != before[key] or isinstance(value, bool) != isinstance(before[key], bool):
            found.append(word(path, value))
    return found


def word(path: str, value: Any) -> str:
    """A change as an argument of `dvc exp run -S`."""
    if isinstance(value, str) and (not re.fullmatch(r"[\w./-]+", value) or strict_yaml.loaded(value) != value):
        escaped = value.replace("'", r"\'")
        return f"{path}='{escaped}'"
    return f"{path}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"


def command(p: params.Params, changes: Changes) -> list[str]:
    """The data set and the changes as a program with `arguments` takes them."""
    settings = (each for path, value in changes.items() if path != "dataset" for each in ("-S", word(path, value)))
    return ["--dataset", p.dataset, *settings]


def recipe(p: params.Params, changes: Changes) -> str:
    """The recipe in words: its name and what is changed beside it."""
    beside = [word(path, value) for path, value in changes.items() if path != "dataset"]
    return f"{p.recipe} with {' '.join(beside)}" if beside else p.recipe
