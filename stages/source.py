"""Write which source files decide each training and embedding: OUT/train-<method>.json and the like.

A stage that depends on such a file runs again when code that reaches it changes: stages/dvc.yaml. It lists what the
stage's script imports, the method or pre-training that it looks up, and all that these import in turn, less what only
hands on (partreid.storage.source). Usage: python stages/source.py OUT
"""

import json
from collections.abc import Mapping
from pathlib import Path

from partreid.methods import METHODS
from partreid.methods.base import Learner
from partreid.pretraining import PRETRAININGS
from partreid.program import arguments, run
from partreid.storage.files import write_text
from partreid.storage.source import digests

STAGES: dict[str, Mapping[str, type[Learner]]] = {"pretrain": PRETRAININGS, "train": METHODS, "embed": METHODS}


def main() -> None:
    (out,) = arguments(__doc__, "out")
    for stage, kinds in STAGES.items():
        for name, kind in kinds.items():
            listed = digests(kind.__module__, Path(__file__).with_name(f"{stage}.py"))
            write_text(Path(out) / f"{stage}-{name}.json", json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
