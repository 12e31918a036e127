"""Turn a checkpoint that its authors released into weights of ours.

    python stages/convert.py bpbreid bpbreid_market1501_hrnet32.pth.tar --dataset market1501
    python stages/convert.py pabr FILE --set dilated=true

Writes weights/<name of the file>.safetensors, or OUT, and a model card beside it. Nothing in the file is run. It says
what was taken, what is ours alone and what of theirs has no place; whatever the published network computes otherwise
is set by its name in the header. Values of the method that the file does not tell are the paper's, or --set name=value.

With --out runs/<method>-<dataset>/weights.safetensors, stages/embed.py, evaluate.py and report.py take it, stages/
search.py with --weights; in weights/ it is a value of train.start_from.
"""

import argparse
import dataclasses
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from partreid import methods, params
from partreid.checkpoints.conversion import Converted, convert
from partreid.checkpoints.families import FAMILIES
from partreid.checkpoints.families.base import Family
from partreid.errors import UserError, choose
from partreid.program import run
from partreid.report.card import card
from partreid.storage import weights
from partreid.storage.files import sha256, writable, write_text
from partreid.storage.revision import revision

ENDINGS = re.compile(r"(\.(pth|pt|pkl|ckpt|bin|tar|safetensors))+$")  # of released files


def main() -> None:
    given = parsed()
    family = choose(FAMILIES, given.family, "family of checkpoints")
    out = given.out or Path("weights") / f"{ENDINGS.sub('', given.file.name)}{weights.ENDING}"
    if out.exists() and out.samefile(given.file):
        raise UserError(f"{out} is the released file itself; say with --out where the weights go")
    if out.suffix == ".md":
        raise UserError(f"--out {out} is where the model card goes; name a file that ends in {weights.ENDING}")
    writable(out)
    paper = dataclasses.replace(params.load(), recipe="paper")
    recipe, options = paper.recipe_of(family.method)
    found = convert(family, given.file, options, changes(given.set))
    height, width = size(given.size) or found.described.size or (recipe.height, recipe.width)
    told = header(family, found, given.file, given.dataset, height, width)
    told["converted"]["command"] = shlex.join(["python", *sys.argv])
    methods.save(out, found.method, told)
    write_text(out.with_suffix(".md"), card(told, {}, told["dataset"], {}))
    report(found, out, told)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", help=", ".join(f"{name} ({of.published})" for name, of in FAMILIES.items()))
    parser.add_argument("file", type=Path, help="the released file")
    parser.add_argument("--dataset", default="unknown", help="what it was trained on")
    parser.add_argument("--size", default="", help="height x width of its images, as 384x128; else the file's")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="keys of the method's block")
    parser.add_argument("--out", type=Path, help="where the weights go")
    given = parser.parse_args()
    if not given.file.is_file():
        raise UserError(f"no file {given.file}; it is to be a checkpoint that its authors released")
    if (model := ours(given.file)) is not None:
        raise UserError(f"{given.file} is partreid's own already, weights of {model}; there is nothing to convert")
    return given


def ours(file: Path) -> str | None:
    """The method whose weights of ours a file holds; None for any other file."""
    try:
        return str(weights.header(file)["model"]) if file.suffix == weights.ENDING else None
    except (UserError, KeyError):
        return None


def changes(words: list[str]) -> dict[str, Any]:
    """Values by name, written as in params.yaml."""
    for word in words:
        if "=" not in word:
            raise UserError(f"--set takes NAME=VALUE, found {word!r}")
    return {
        name: params.told(value, f"--set {name}={value}") for name, _, value in (each.partition("=") for each in words)
    }


def size(word: str) -> tuple[int, int] | None:
    """Height and width."""
    height, x, width = word.partition("x")
    if word and not (x and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UserError(f"--size is height x width, as 384x128; found {word!r}")
    return (int(height), int(width)) if word else None


def header(family: Family, found: Converted, file: Path, dataset: str, height: int, width: int) -> dict[str, Any]:
    """Of the weights: enough to build the method again, and where it is from."""
    return {
        "model": family.method,
        "backbone": found.described.backbone,
        "identities": found.described.identities or 2,
        "options": dict(found.options),
        "height": height,
        "width": width,
        "dataset": dataset,
        "recipe": "published",
        "seed": 0,
        "precision": "float32",
        "labels": {},
        "training": {},
        "at_test": dict(family.at_test),
        "converted": {
            "published by": family.published,
            "file": file.name,
            "sha256": sha256(file),
            "taken": len(found.taken),
            "without a place": list(found.unused),
            "ours alone": list(found.ours_alone),
            "notes": list(found.described.notes),
        },
        "revision": revision(),
    }


def report(found: Converted, out: Path, told: dict[str, Any]) -> None:
    """Say what was done."""
    print(f"taken: {len(found.taken)} tensors")
    print(f"theirs without a place: {listed(found.unused)}")
    print(f"ours alone, random here: {listed(found.ours_alone)}")
    for note in found.described.notes:
        print(f"note: {note}")
    print(f"{told['model']} on {told['backbone']}, {told['height']} x {told['width']}; {told['options']}")
    if told["at_test"]:
        print(f"in a test, as published: {told['at_test']}")
    print(f"wrote {out}")


def listed(names: Any) -> str:
    """All of few names, the first of many."""
    names = list(names)
    return f"{len(names)} ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})" if names else "none"


if __name__ == "__main__":
    run(main)
