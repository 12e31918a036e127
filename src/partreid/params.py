"""params.yaml as frozen dataclasses. Strict: an unknown, missing or mistyped key is a UserError that names it.

Only stages read parameters; functions take plain arguments. A method's block holds the keys of `Recipe` plus the
keyword arguments of the method's class; a label's block holds `version`, `tool`, `drop` and the keyword arguments
of the label's function; a tool's block those of the tool's function. They are checked against the signatures by
`stages/check.py`, before any work starts; numbers that a key's name rules out (BOUNDS) are refused as the file is read.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import float_info
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import yaml

from partreid.errors import UserError, choose
from partreid.strict_yaml import loaded

T = TypeVar("T")
PARAMS = Path("params.yaml")
RENDERED = ("synthetic", "synthetic_large")  # the data sets that a stage renders, each with a block of its own
EXPORTS = dict.fromkeys(("float32", "int8"))
# what a number can be by its key's name, in whatever block that stands: from, to, and in words
SHARE, AMOUNT, SIZE = (0, 1, "0 to 1"), (0, float_info.max, "0 or more"), (float_info.min, float_info.max, "above 0")
BOUNDS = {
    **dict.fromkeys(("min_score", "smoothing", "background_threshold", "visibility_threshold"), SHARE),
    **dict.fromkeys(("head_share", "leg_share", "coverage", "dropout"), SHARE),
    **dict.fromkeys(("seed", "embedding", "margin", "mining", "backbone_rate"), AMOUNT),
    **dict.fromkeys(("batch", "thickness", "sigma", "limb_width", "alpha_positive", "alpha_negative"), SIZE),
}


@dataclass(frozen=True)
class Synthetic:
    """A rendered data set: see partreid.synthetic.

    outfits: of a person; some have one more. images: of a test person, and, where train_images is 0, of a training
    person. first_test: the number of the first test person, so that the test set stays what it is however many train;
    0: after the training persons.
    """

    version: int
    seed: int
    train_identities: int
    test_identities: int
    images: int
    height: int
    width: int
    outfits: int = 2
    train_images: int = 0
    first_test: int = 0


@dataclass(frozen=True)
class Recipe:
    """How a method is trained: what every method's block holds, and what an entry of `recipes` may override.

    Keys that few methods use have a default here: the schedule (training.schedule), the sampler (training.sampler), how
    often an epoch goes over the training set, and `batches_per_epoch`, which makes an epoch that many batches however
    large the set is (0: as many as its passes give), so that training has a length in iterations; what stands in
    erased holes, and the probability of another brightness and contrast (inputs.augmentation); which of the backbone's
    layers keep their weights (training.step.FREEZE).
    """

    backbone: str
    height: int
    width: int
    epochs: int
    ids_per_batch: int
    images_per_id: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    warmup_epochs: int
    warmup_start: float
    decay_at: list[int]
    decay: float
    flip: float
    pad: int
    erase: float
    schedule: str = "steps"
    final_rate: float = 0.001
    sampler: str = "published"
    repeats: int = 1
    batches_per_epoch: int = 0
    erase_fill: str = "mean"
    jitter: float = 0.0
    freeze: str = "none"


@dataclass(frozen=True)
class Train:
    """What does not belong to a method."""

    seed: int
    device: str
    precision: str
    compile: str
    start_from: str
    processes: str | int = "auto"


@dataclass(frozen=True)
class Rerank:
    """k-reciprocal re-ranking: see partreid.evaluation.rerank. code: none, or whose rounding of k1 / 2 is meant."""

    code: str
    k1: int
    k2: int
    original: float


@dataclass(frozen=True)
class Evaluate:
    """How results are counted and how much of a ranking is kept for the report."""

    average_precision: str
    unmatched: str
    ranks: int
    rerank: Rerank


@dataclass(frozen=True)
class Label:
    """One label stage: which tool feeds it, the version of our code, and the label function's keyword arguments.

    drop: share of the images whose label is taken away (partreid.labels.dropping).
    """

    tool: str
    version: int
    options: dict[str, Any]
    drop: float = 0.0


@dataclass(frozen=True)
class Coverage:
    """Shares of the training images that have a label: below `min_coverage` training stops, below the other warns."""

    min_coverage: float
    warn_coverage: float


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml."""

    model: str
    dataset: str
    also_test_on: list[str]
    export: list[str]
    recipe: str
    split: int
    raw: dict[str, str]
    datasets: list[str]
    synthetic: Synthetic
    synthetic_large: Synthetic
    tools: dict[str, dict[str, Any]]
    labels: dict[str, Label]
    coverage: Coverage  # of `labels` in the file
    methods: dict[str, dict[str, Any]]
    pretraining: dict[str, dict[str, Any]]
    recipes: dict[str, dict[str, Any]]
    at_test: dict[str, dict[str, Any]]
    train: Train
    evaluate: Evaluate

    def root(self, dataset: str) -> Path:
        """The folder that the `path` column of a data set's image table is relative to."""
        if dataset in RENDERED:
            return Path("data") / dataset
        root = choose(self.raw, dataset, "data set (the keys of `raw` in params.yaml)")
        if not root:
            raise UserError(f"raw.{dataset} is empty in params.yaml; say where the data lies: -S raw.{dataset}=/path")
        return home(root)

    def recipe_of(self, method: str) -> tuple[Recipe, dict[str, Any]]:
        """The method's training recipe and its class's own keyword arguments, with the chosen `recipe` laid over them.

        A recipe entry holds Recipe keys, which apply to every method and pre-training, and may hold a block under the
        name of one, which applies to it alone and may name its own arguments too.
        """
        return self._recipe_of("methods", self.methods, method, "model")

    def pretraining_of(self, name: str) -> tuple[Recipe, dict[str, Any]]:
        """The same for a pre-training, which has no more epochs than the recipe gives to all; see `cut`."""
        recipe, own = self._recipe_of("pretraining", self.pretraining, name, "pre-training")
        return dataclasses.replace(recipe, epochs=self._cut(recipe) or recipe.epochs), own

    def cut(self, name: str) -> int | None:
        """The epochs of a pre-training where fewer than written: a recipe's shorter training shortens what precedes."""
        return self._cut(self._recipe_of("pretraining", self.pretraining, name, "pre-training")[0])

    def _cut(self, recipe: Recipe) -> int | None:
        given = self._here(self.recipes[self.recipe].get("epochs"), f"recipes.{self.recipe}.epochs")
        return given if given is not None and 0 < given < recipe.epochs else None

    def _recipe_of(
        self, kind: str, blocks: Mapping[str, Mapping[str, Any]], name: str, what: str
    ) -> tuple[Recipe, dict[str, Any]]:
        block = choose(blocks, name, what)
        over = choose(self.recipes, self.recipe, "recipe (`recipe` in params.yaml)")
        alone = {*self.methods, *self.pretraining}
        common = {key: value for key, value in over.items() if key not in alone}
        if not isinstance(over.get(name, {}), Mapping):
            raise UserError(f"params.yaml: recipes.{self.recipe}.{name} must be a mapping, found {over[name]!r}")
        kinds = {field.name: field.type for field in dataclasses.fields(Recipe)}
        written = {
            f"{kind}.{name}": block,
            f"recipes.{self.recipe}": common,
            f"recipes.{self.recipe}.{name}": over.get(name, {}),
        }
        for where, given in written.items():  # each said of where it stands, also where another is laid over it
            for key in given.keys() & kinds.keys():
                converted(self._here(given[key], f"{where}.{key}"), kinds[key], f"{where}.{key}")
        merged = {**block, **common, **over.get(name, {})}
        merged = {key: self._here(value, f"{kind}.{name}.{key}") for key, value in merged.items()}
        recipe = _build(Recipe, {key: merged[key] for key in kinds if key in merged}, f"{kind}.{name}")
        return recipe, {key: value for key, value in merged.items() if key not in kinds}

    def _here(self, value: Any, where: str) -> Any:
        """A value as it is, or, of a mapping from data sets to values, the one for the chosen data set."""
        if not isinstance(value, Mapping):
            return value
        if "others" not in value:
            raise UserError(f"params.yaml: {where} lists data sets, so it needs a value for `others` too")
        return value.get(self.dataset, value["others"])


def home(path: str) -> Path:
    """A path of params.yaml, where ~ is somebody's home folder. UserError when the system knows no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"params.yaml: {path}: {error}; write the whole path") from error


def start_file(start_from: str) -> Path | None:
    """The file that training starts from by train.start_from; None for ImageNet's weights.

    UserError for a path from the root, which DVC, unlike Python, would look for below weights/.
    """
    if Path(start_from).is_absolute():
        raise UserError(
            f"params.yaml: train.start_from is {start_from}, expected the name of a file in weights/; copy it there"
        )
    return None if start_from == "imagenet" else Path("weights") / start_from


def load(path: Path = PARAMS) -> Params:
    """Read and check params.yaml."""
    return parse(read(path))


def read(path: Path = PARAMS) -> Any:
    """What params.yaml holds, unchecked."""
    if not path.is_file():
        raise UserError(f"no {path} here; run from the project's root folder")
    return told(path)


def told(source: Path | str, what: str = "") -> Any:
    """What a YAML file, or a text, which is called `what`, holds. UserError when it is not valid YAML."""
    try:
        return loaded(source if isinstance(source, str) else source.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UserError(f"{what or source} is not valid YAML: {error}") from error


def parse(values: Mapping[str, Any]) -> Params:
    """Build Params from the mapping that params.yaml holds."""
    if not isinstance(values, Mapping):
        raise UserError(f"params.yaml must be a mapping, found {type(values).__name__}")
    _bounded(values, "")
    values = dict(values)
    if "coverage" in values:
        raise UserError("params.yaml: unknown key coverage; what coverage must be stands under `labels`")
    if isinstance(values.get("labels"), dict):
        shares = {field.name for field in dataclasses.fields(Coverage)}
        own = {name: share for name, share in values["labels"].items() if name in shares}
        blocks = {name: block for name, block in values["labels"].items() if name not in shares}
        values["labels"] = {name: _label(name, block) for name, block in blocks.items()}
        values["coverage"] = _coverage(own)
    params = _build(Params, values, "")
    for tool, block in params.tools.items():
        for key in ("folders", "results"):
            if not isinstance(block.get(key, {}), Mapping):
                raise UserError(
                    f"params.yaml: tools.{tool}.{key} maps data sets to where their files lie, as "
                    f"{{market1501: /path}}; {{}} where there are none; found {block[key]!r}"
                )
    known = [*RENDERED, *params.raw]
    for dataset in [params.dataset, *params.datasets, *params.also_test_on]:
        choose(dict.fromkeys(known), dataset, "data set")
    if params.dataset not in params.datasets:
        raise UserError(f"dataset {params.dataset!r} is not listed under `datasets` in params.yaml; add it there")
    if params.dataset in params.also_test_on:
        raise UserError(f"also_test_on names {params.dataset!r}, which is the data set itself; take it out there")
    choose(params.methods, params.model, "model")
    for precision in params.export:
        choose(EXPORTS, precision, "precision (export)")
    for recipe in {params.recipe, *params.recipes}:
        with_it = dataclasses.replace(params, recipe=recipe)
        for method in params.methods:
            with_it.recipe_of(method)
        for name in params.pretraining:
            with_it.pretraining_of(name)
    for name, over in params.recipes.items():
        allowed = {field.name for field in dataclasses.fields(Recipe)} | {*params.methods, *params.pretraining}
        if unknown := set(over) - allowed:
            raise UserError(f"recipes.{name}: unknown keys {sorted(unknown)}; known: {', '.join(sorted(allowed))}")
    return params


def _bounded(value: Any, where: str, name: str = "") -> None:
    """Raise a UserError for a number out of its key's BOUNDS; weights of losses are 0 or more.

    name: the key, also of a value that is given by data set.
    """
    if isinstance(value, Mapping):
        for key, each in value.items():
            own = str(key) in BOUNDS or str(key).endswith("_weight")
            _bounded(each, f"{where}.{key}" if where else str(key), str(key) if own else name)
    elif name and isinstance(value, int | float) and not isinstance(value, bool):
        least, most, words = BOUNDS.get(name, AMOUNT)
        if not least <= value <= most:  # NaN is not
            raise UserError(f"params.yaml: {where} must be {words}, found {value}")


def _coverage(values: Mapping[str, Any]) -> Coverage:
    made = _build(Coverage, values, "labels")
    if not 0 <= made.min_coverage <= made.warn_coverage <= 1:
        raise UserError(
            "params.yaml: labels.min_coverage and labels.warn_coverage are shares of 0 to 1, the first not above the "
            f"second, found {made.min_coverage:g} and {made.warn_coverage:g}"
        )
    return made


def _label(name: str, block: Any) -> Label:
    if not isinstance(block, Mapping):
        raise UserError(f"params.yaml: labels.{name} must be a mapping, found {block!r}")
    own = ("tool", "version", "drop")
    options = {key: value for key, value in block.items() if key not in own}
    given = {key: value for key, value in block.items() if key in own}
    made = _build(Label, {**given, "options": options}, f"labels.{name}")
    if not 0 <= made.drop < 1:
        raise UserError(
            f"params.yaml: labels.{name}.drop is {made.drop:g}, expected the share of the images whose label is taken "
            "away, from 0 to below 1"
        )
    return made


def _build(kind: type[T], values: Any, where: str) -> T:
    """Make dataclass `kind` of a mapping, converting nested dataclasses; every problem is named with its dotted key."""
    dot = f"{where}." if where else ""
    if not isinstance(values, Mapping):
        raise UserError(f"params.yaml: {where or 'the file'} must be a mapping, found {values!r}")
    all_fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    fields = {field.name: field.type for field in all_fields}
    if unknown := sorted(set(values) - set(fields)):
        raise UserError(f"params.yaml: unknown key {dot}{unknown[0]}; known: {', '.join(sorted(fields))}")
    needed = [field.name for field in all_fields if field.default is dataclasses.MISSING]
    if missing := [name for name in needed if name not in values]:
        raise UserError(f"params.yaml: missing key {dot}{missing[0]}")
    return kind(**{name: converted(value, fields[name], f"{dot}{name}") for name, value in values.items()})


def converted(value: Any, kind: Any, where: str) -> Any:
    """The value at `where` as one of a kind, a type or a dataclass. UserError when it is of another."""
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, kind) else _build(kind, value, where)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin is dict and isinstance(value, Mapping):
        _, inner = get_args(kind)
        return {key: converted(item, inner, f"{where}.{key}") for key, item in value.items()}
    if origin is list and isinstance(value, list):
        return [converted(item, get_args(kind)[0], f"{where}[{number}]") for number, item in enumerate(value)]
    if origin is UnionType and isinstance(value, get_args(kind)) and not isinstance(value, bool):
        return value
    if kind is Any or (
        isinstance(kind, type) and isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    ):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise UserError(f"params.yaml: {where} must be {getattr(kind, '__name__', kind)}, found {value!r}")
