"""Seed, revision, hashes and parameters of a run as lists to read, and the commands that make it again."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from partreid.report.page import Facts
from partreid.words import counted

RUN = (
    "model", "dataset", "start", "recipe", "backbone", "identities", "height", "width", "seed", "device",
)  # fmt: skip
EVALUATION = ("distance", "average_precision", "average_precision_formula", "ties", "version")


def subtitle(trained: Mapping[str, Any]) -> str:
    """What the model is, in a line. trained: the weights' header."""
    about = f"recipe {trained['recipe']} · {trained['backbone']} · {trained['height']} × {trained['width']}"
    if "converted" in trained:
        return f"{about} · converted from {trained['converted']['file']} of {trained['converted']['published by']}"
    return f"{about} · {counted(trained['training']['epochs'], 'epoch')} · seed {trained['seed']}"


def facts(
    trained: Mapping[str, Any], record: Mapping[str, Any], labels: Mapping[str, Mapping[str, Any]]
) -> list[Facts]:
    """All facts. trained: the weights' header. record: record.json. labels: label kind -> the cache's header."""
    hashes = {"image table": record.get("table"), "weights": record.get("weights")}
    hashes.update({f"label {kind}": value for kind, value in (record.get("labels") or {}).items()})
    groups = {
        "Run": {
            **{key: trained.get(key) for key in RUN},
            "trained in": trained.get("precision"),
            "embedded in": (record.get("embeddings") or {}).get("embedded_in"),  # by a rule of its own
            "trained by": trained.get("revision"),
            "evaluated by": record.get("revision"),
        },
        "Hashes (SHA-256)": hashes,
        "Evaluation": {key: record.get(key) for key in EVALUATION},
        "Converted": trained.get("converted", {}),
        "Method": trained.get("options", {}),
        "Training": {key: value for key, value in trained.get("training", {}).items() if key not in RUN},
    }
    for kind, header in labels.items():
        counts = ", ".join(f"{header[key]:,} {key}" for key in ("ok", "missing", "failed") if key in header)
        about = {key: header.get(key) for key in ("tool", "tool_version", "weights")}
        share = trained.get("coverage", {}).get(kind)
        learned = {} if share is None else {"known of the training images": f"{100 * share:.1f} %"}
        groups[f"Label {kind}"] = {**about, **header.get("parameters", {}), "images": counts, **learned}
    return [Facts(title, _told(values)) for title, values in groups.items() if _told(values)]


def commands(trained: Mapping[str, Any], changes: Sequence[str] | None) -> list[str]:
    """Shell lines that make the run again in a clone of the project.

    trained: the weights' header. changes: what `-S` has to be given at the header's commit; None where git lacks it.
    """
    if "converted" in trained:
        return [trained["converted"]["command"]]
    commit, _, dirty = str(trained.get("revision", "unknown")).partition("-")
    again = [f"git checkout {commit}" + ("  # other files than params.yaml had been changed" if dirty else "")]
    if changes is None:  # what the header says, which is not all
        changes = [f"{key}={trained[key]}" for key in ("model", "dataset", "recipe")] + [
            f"train.seed={trained['seed']}"
        ]
        again = ["# git does not know the commit here: other values may have been changed too", *again]
    if "start" in trained:
        again.append(f"# weights/{trained['start']['file']}: SHA-256 {trained['start']['sha256']}")
    return [*again, " ".join(["dvc exp run dvc.yaml", *(f"-S {shlex.quote(each)}" for each in changes)])]


def _told(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), _text(value)) for key, value in values.items() if value not in (None, "", {})]


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
