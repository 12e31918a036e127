"""Whether params.yaml fits the code: every name is registered, every option is an argument of what it configures."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from torch import nn

from partreid.backbones import BACKBONES
from partreid.datasets import DATASETS
from partreid.datasets.prospects import foreseen
from partreid.errors import UserError, choose
from partreid.evaluation import rerank
from partreid.evaluation.metrics import AVERAGE_PRECISION, UNMATCHED
from partreid.inputs.augmentation import FILLS
from partreid.labels import LABELS
from partreid.labels.base import Label
from partreid.layers.unfilled import unfilled
from partreid.methods import METHODS, outline
from partreid.methods.base import Learner, Method, meet
from partreid.methods.start import fitting, there
from partreid.params import RENDERED, Params, Recipe, Rerank, Synthetic, converted
from partreid.params import Label as LabelBlock
from partreid.pretraining import PRETRAININGS, labels_of
from partreid.storage import image_table, places
from partreid.synthetic.render import possible
from partreid.tools import TOOLS
from partreid.training.parallel import wanted
from partreid.training.precision import PRECISIONS, device_of
from partreid.training.sampler import SAMPLERS
from partreid.training.schedule import SCHEDULES
from partreid.training.step import COMPILE, FREEZE, OPTIMIZERS
from partreid.words import counted

# the tools of the papers, each of which takes a label from one alone
PAPERS = {
    "heads": "densepose",
    "pifpaf": "openpifpaf",
    "schp": "schp",
    "poses": "alphapose",
    "partmaps": "openpose",
}
# of values whose type an annotation says alone
KINDS: dict[str, Any] = {**{kind.__name__: kind for kind in (bool, int, float, str)}, "Sequence": list[Any]}
# an epoch's seed is 1,000,003 times the training's, and its number; torch takes 64 bits
SEEDS = 2**64 // 1_000_003 - 1
L = TypeVar("L", bound=Learner)


def names(params: Params) -> None:
    """Raise a UserError for the first name or key that the code does not know."""
    choose(METHODS, params.model, "model")
    for dataset in params.raw:
        choose(DATASETS, dataset, "data set reader")
    for name, given in params.tools.items():
        tool = choose(TOOLS, name, "tool")
        options(tool.build, given, f"tools.{name}")
        for key, values_of in tool.choices.items():
            choose(dict.fromkeys(values_of), given[key], f"{key} (tools.{name}.{key})")
    for name in RENDERED:
        rendered(getattr(params, name), name)
    for name, block in params.labels.items():
        label = choose(LABELS, name, "label")
        options(label.build, block.options, f"labels.{name}")
        sizes = {key: block.options[key] for key in ("height", "width") if key in block.options}
        at_least(1, {f"labels.{name}.{key}": size for key, size in sizes.items()})
        fed(label, block, name)
    wanted(params.train.processes, device_of(params.train.device))
    choose(PRECISIONS, params.train.precision, "precision (train.precision)")
    choose(COMPILE, params.train.compile, "compile (train.compile)")
    choose(AVERAGE_PRECISION, params.evaluate.average_precision, "formula (evaluate.average_precision)")
    choose(dict.fromkeys(UNMATCHED), params.evaluate.unmatched, "treatment (evaluate.unmatched)")
    at_least(0, {"train.seed": params.train.seed, "split": params.split})
    if params.train.seed >= SEEDS:
        raise UserError(f"params.yaml: train.seed must be below {SEEDS}, found {params.train.seed}")
    start = there(params.train.start_from)
    at_least(1, {"evaluate.ranks": params.evaluate.ranks})
    reranking(params.evaluate.rerank)
    for where, kind, written in blocks(params):
        by_data_set(written, where)
        typed(kind, written, where)
    pretrainings = {
        name: learner(PRETRAININGS[name], *params.pretraining_of(name), f"pretraining.{name}", params.recipe)
        for name in params.pretraining
    }
    methods: dict[str, Method] = {}
    for name in params.methods:
        recipe, own = params.recipe_of(name)
        method = methods[name] = learner(METHODS[name], recipe, own, f"methods.{name}", params.recipe)
        meet(method, recipe.images_per_id, name, params.recipe)
        for part, by in method.starts_from.items():
            alike(getattr(method, part), getattr(choose(pretrainings, by, "pre-training"), part), part, name, by)
        if name == params.model and start is not None:
            fitting(method.state_dict(), start, name, identities=2, backbone=recipe.backbone, **own)
        options(method.use, params.at_test.get(name, {}), f"at_test.{name}")
        method.use(**params.at_test.get(name, {}))
    for name in params.at_test:
        choose(METHODS, name, "model (at_test)")
    fsam = choose(methods, "fsam", "method")
    branched(params, fsam)
    preserved(params, fsam)


def blocks(params: Params) -> Iterator[tuple[str, type[Learner], Mapping[str, Any]]]:
    """Where each block of values stands, the method or pre-training that it is of, and what it holds.

    Not only what is in force: another recipe may lay nothing over a value.
    """
    kinds: dict[str, type[Learner]] = {}
    for name, block in params.pretraining.items():
        kinds[name] = choose(PRETRAININGS, name, "pre-training")
        yield f"pretraining.{name}", kinds[name], block
    for name, block in params.methods.items():
        kinds[name] = choose(METHODS, name, "model")
        yield f"methods.{name}", kinds[name], block
    for recipe, over in params.recipes.items():
        for name in (each for each in over if each in kinds):
            yield f"recipes.{recipe}.{name}", kinds[name], over[name]


def rendered(block: Synthetic, name: str) -> None:
    """Raise a UserError for numbers of which no set of rendered people can be."""
    numbers = {key: value for key, value in asdict(block).items() if key not in ("version", "seed")}
    try:
        possible(**numbers)
    except UserError as error:
        raise UserError(f"params.yaml: {name}: {error}") from error


def branched(params: Params, fsam: Learner) -> None:
    """Raise a UserError where FSAM is chosen and has another number of branches by pose than there are clusters."""
    _, own = params.recipe_of("fsam")
    clusters = params.labels["poses"].options["clusters"]
    if params.model == "fsam" and "poses" in fsam.labels and own["branches"] != clusters:
        raise UserError(
            f"params.yaml: methods.fsam.branches is {own['branches']}, labels.poses.clusters {clusters}; by pose "
            "there is a branch for each cluster: make them equal"
        )


def preserved(params: Params, fsam: Learner) -> None:
    """Raise a UserError where FSAM's published F_m would be held to what another tool than SCHP says."""
    _, own = params.recipe_of("fsam")
    _, parsing = params.pretraining_of("parsing")
    by_label = own["shape"] == "fine" and "schp" in fsam.labels
    tool = params.labels["schp"].tool
    if by_label and parsing["published"] and tool not in ("schp", "schp_files"):
        raise UserError(
            f"params.yaml with recipe {params.recipe}: F_m starts as SCHP's published network (pretraining.parsing."
            f"published), but methods.fsam.coarse: label would hold it to labels.schp of {tool}; take coarse: initial, "
            "or labels.schp.tool: schp"
        )


def other_tools(params: Params) -> list[str]:
    """In words: the chosen model's labels that, with a recipe of published networks, come from other tools than in its
    paper.
    """
    if params.recipe != "paper":
        return []
    recipe, own = params.recipe_of(params.model)
    method = outline(params.model, backbone=recipe.backbone, **own)
    idle = [by for by in method.starts_from.values() if not params.pretraining_of(by)[0].epochs]
    given = {kind: params.labels[kind].tool for kind in labels_of(method, idle)}
    return [
        f"recipe paper: {params.model} learns from {kind} of {tool}, its paper from {kind} of {PAPERS[kind]}: "
        f"-S labels.{kind}.tool={PAPERS[kind]}"
        for kind, tool in given.items()
        if tool.removesuffix("_files") != PAPERS[kind]
    ]


def tables(params: Params) -> list[str]:
    """Warnings of what the image tables say that are there already, of the sets that params.yaml chooses.

    UserError where nothing sensible can follow. A table whose images are no longer at `raw` is about to be made anew.
    """
    warnings = []
    for dataset in (params.dataset, *params.also_test_on):
        file = places.index(dataset)
        if not file.is_file():
            continue
        table = image_table.read(file)
        if not len(table) or not (params.root(dataset) / table["path"][0].as_py()).is_file():
            continue
        try:
            warnings += [f"{dataset}: {line}" for line in foreseen(dataset, table, params)]
        except UserError as error:
            raise UserError(f"{error}\n(if the images have changed since they were indexed: delete {file})") from error
    return warnings


def doubts(params: Params) -> list[str]:
    """What is allowed and may not be meant, in words, for the chosen model."""
    found = []
    schp = params.labels["schp"]
    recipe, own = params.recipe_of(params.model)
    method = outline(params.model, backbone=recipe.backbone, **own)
    if recipe.epochs == 0:
        found.append(f"{params.model} is trained for 0 epochs: its new layers stay as they were drawn at random")
    if 0 < recipe.epochs <= 2 * recipe.warmup_epochs:
        found.append(
            f"{params.model} is trained for {counted(recipe.epochs, 'epoch')}, of which the learning rate rises for "
            f"{recipe.warmup_epochs}; lower warmup_epochs with epochs"
        )
    if params.model == "mpn" and method.labels and schp.options["person"] == schp.tool:
        found.append(
            f"labels.schp.tool and labels.schp.person are both {schp.tool}: MPN's prior is the union of what two "
            "networks that err differently call body (section 3.2), and one network adds nothing to itself"
        )
    found += [
        f"recipes.{params.recipe}.epochs is {epochs}, and the pre-training {name} has no more either"
        for name in method.starts_from.values()
        if (epochs := params.cut(name)) is not None
    ]
    return found


def learner(kind: type[L], recipe: Recipe, own: Mapping[str, Any], where: str, recipe_name: str) -> L:
    """A method or pre-training without its weights. UserError when the values of its block cannot build or train it."""
    options(kind, own, where, given=("backbone", "identities"))
    values(recipe, f"{where} with recipe {recipe_name}")
    try:
        with unfilled():  # builds without memory or time: shows values that no network can have
            made = kind(backbone=recipe.backbone, identities=2, **own)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"params.yaml: {where} cannot be built: {error}") from error
    except UserError as error:
        if where in str(error):
            raise
        alone = f"a recipe's value for it alone stands under recipes.{recipe_name}.{where.rpartition('.')[2]}"
        raise UserError(f"params.yaml: {where}: {error} ({alone})") from error
    choose(FREEZE, recipe.freeze, f"layers ({where}.freeze)")(made)
    return made


def alike(module: nn.Module, pretrained: nn.Module, part: str, method: str, by: str) -> None:
    """Raise a UserError when a method's part cannot start from that of its pre-training."""
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (module, pretrained)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"params.yaml: {part} of methods.{method} starts from pretraining.{by}, whose {part} is another network; "
            "give both the same one, in the recipe too"
        )


def by_data_set(block: Mapping[str, Any], where: str) -> None:
    """Raise a UserError for an unknown data set in a value that is given by data set."""
    for key, value in block.items():
        for dataset in value if isinstance(value, Mapping) else ():
            choose({**DATASETS, "synthetic": None, "others": None}, dataset, f"data set ({where}.{key})")


def typed(function: Callable[..., Any], block: Mapping[str, Any], where: str) -> None:
    """Raise a UserError for a value, of any data set, of another type than Recipe or the function's argument has."""
    kinds = {**plain(function), **{field.name: field.type for field in fields(Recipe)}}
    for key, given in block.items():
        if key in kinds:
            for value in given.values() if isinstance(given, Mapping) else [given]:
                converted(value, kinds[key], f"{where}.{key}")


def plain(function: Callable[..., Any]) -> dict[str, Any]:
    """The function's arguments of KINDS, with these."""
    found = {}
    for name, argument in inspect.signature(function).parameters.items():
        kind = getattr(argument.annotation, "__name__", argument.annotation)  # a text under annotations of the future
        if kind in KINDS:
            found[name] = KINDS[kind]
    return found


def fed(label: Label, block: LabelBlock, name: str) -> None:
    """Raise a UserError when a tool that the label's block names is unknown or cannot feed the label."""
    tool = choose(TOOLS, block.tool, f"tool (labels.{name}.tool)")
    if not label.fed_by(tool.gives):
        able = ", ".join(sorted(other for other in TOOLS if label.fed_by(TOOLS[other].gives)))
        raise UserError(f"params.yaml: labels.{name}.tool is {block.tool}, which cannot feed it; these can: {able}")
    for member in label.beside:
        known = {other: tool for other, tool in TOOLS.items() if member in tool.gives}
        choose(known, block.options[member], f"tool that gives `{member}` (labels.{name}.{member})")


def reranking(block: Rerank) -> None:
    """Raise a UserError for values of `evaluate.rerank` that make no sense, even while it is off."""
    choose({"none": None, **rerank.HALVES}, block.code, "code (evaluate.rerank.code)")
    rerank.check(block.k1, block.k2, block.original, next(iter(rerank.HALVES)))


def values(recipe: Recipe, where: str) -> None:
    """Raise a UserError for a value that no training can have."""
    choose(BACKBONES, recipe.backbone, "backbone")
    choose(OPTIMIZERS, recipe.optimizer, "optimizer")
    choose(SCHEDULES, recipe.schedule, "schedule")
    choose(SAMPLERS, recipe.sampler, "sampler")
    choose(FILLS, recipe.erase_fill, "fill of erased holes (erase_fill)")
    counts = ("height", "width", "ids_per_batch", "images_per_id", "repeats")
    at_least(1, {f"{where}: {name}": getattr(recipe, name) for name in counts})
    if recipe.ids_per_batch * recipe.images_per_id < 2:
        raise UserError(
            f"params.yaml: {where}: ids_per_batch x images_per_id is 1, but a batch norm needs two images a batch"
        )
    amounts = ("epochs", "pad", "weight_decay", "warmup_epochs", "batches_per_epoch")
    at_least(0, {f"{where}: {name}": getattr(recipe, name) for name in amounts})
    if recipe.schedule == "cosine" and recipe.decay_at:
        raise UserError(
            f"params.yaml: {where}: decay_at is {recipe.decay_at}, which schedule cosine has no use for; "
            "leave it empty, or choose schedule: steps"
        )
    if not 0 < recipe.learning_rate < math.inf:
        raise UserError(f"params.yaml: {where}: learning_rate must be above 0, found {recipe.learning_rate}")
    probabilities = dict.fromkeys(("flip", "erase", "jitter"), "a probability")
    factors = dict.fromkeys(("warmup_start", "decay", "final_rate"), "a factor of the learning rate, 0 to 1")
    for name, what in {**probabilities, **factors}.items():
        if not 0 <= getattr(recipe, name) <= 1:
            raise UserError(f"params.yaml: {where}: {name} is {what}, found {getattr(recipe, name)}")


def at_least(least: int, numbers: Mapping[str, float]) -> None:
    """Raise a UserError for the first number below `least`."""
    for name, number in numbers.items():
        if not number >= least:  # NaN is not
            raise UserError(f"params.yaml: {name} must be {least} or more, found {number}")


def options(
    function: Callable[..., Any], given_options: Mapping[str, Any], where: str, given: tuple[str, ...] = ()
) -> None:
    """Compare options with the function's keyword-only arguments, their names and, where these are plain, their types.

    given: the arguments that the stage passes itself.
    """
    wanted = {
        name: argument
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY and name not in given
    }
    known, kinds = ", ".join(sorted(wanted)), plain(function)
    for name in given_options:
        if name not in wanted:
            raise UserError(f"params.yaml: unknown key {where}.{name}; known: {known}")
    for name, argument in wanted.items():
        if argument.default is argument.empty and name not in given_options:
            raise UserError(f"params.yaml: missing key {where}.{name}; known: {known}")
        if name in given_options and name in kinds:
            converted(given_options[name], kinds[name], f"{where}.{name}")
