"""The model card: a page of Markdown beside the weights for whoever is handed them.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019: what it is, what it learned from, how good it was
where, under which licences its ingredients are, what it is for and what not.
"""

from collections.abc import Mapping
from typing import Any

from partreid import backbones
from partreid.layers.unfilled import unfilled
from partreid.storage.published_weights import WEIGHTS

SHARES = {"mAP": "mAP", "rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10"}
# the networks that the label tools run, as storage.published_weights calls them; of the others docs/labels.md tells
NETWORKS = {
    "blazepose": ("blazepose_full",),
    "movenet": ("movenet_thunder",),
    "schp": ("schp_pascal",),
    "openpose": ("openpose_coco",),
    "openpifpaf": ("openpifpaf_shufflenetv2k16",),
    "densepose": ("densepose_R_50_FPN_s1x",),
}
USE = """\
To rank photos of people by likeness, where each photo shows one person, cut out, seen by cameras like those of the
training data: retrieval for a person who looks at the answers, tracking across cameras, research.

Not meant for: deciding alone that two photos show one person; identifying people, which it cannot (it knows clothes and
figure, not names); watching people who have not agreed to it, or where the law forbids it. Photos unlike the training
data (other cameras, climates, clothes, ages, skins than there) are ranked worse, by how much nobody has measured;
measure it before use."""


def card(
    header: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]], tested_on: str, labels: Mapping[str, Any]
) -> str:
    """The whole page.

    header: the weights'. metrics: as in metrics.json, measured on `tested_on`; none where nothing was measured. labels:
    label kind -> the header of the cache it was trained with, as far as it is at hand.
    """
    parts = [
        f"# {header['model']} trained on {header['dataset']}",
        _table(_about(header)),
        "## Trained on",
        _table(_data(header, labels)),
        "## Measured",
        _measured(metrics, tested_on),
        "## Licences of what went in",
        "\n".join(f"- {line}" for line in licences(header, labels)),
        "## Intended use, and misuse",
        USE,
    ]
    return "\n\n".join(parts) + "\n"


def _about(header: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "method": f"`{header['model']}` (src/partreid/methods/{header['model']}.py names paper and deviations)",
        "backbone": header["backbone"],
        "image": f"{header['height']} x {header['width']} pixels, RGB",
        "values": ", ".join(f"{key} {_text(value)}" for key, value in header["options"].items()),
        "revision of the code": header.get("revision"),
    }
    if "converted" in header:
        of = header["converted"]
        found["converted from"] = f"{of['file']} of {of['published by']}, SHA-256 {of['sha256']}"
    return found


def _data(header: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "data set": header["dataset"],
        "persons": header.get("identities"),
        "image table (SHA-256)": header.get("table"),
        "recipe": header.get("recipe"),
        "training": ", ".join(f"{key} {_text(value)}" for key, value in header.get("training", {}).items()),
        "seed": header.get("seed"),
        "precision": header.get("precision"),
        "started from": _text(header.get("start", "")),
    }
    for kind, tool in _tools(header, labels).items():
        found[f"label {kind}"] = f"made by {tool}; SHA-256 {header.get('labels', {}).get(kind, 'not recorded')}"
    return found


def _tools(header: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, str]:
    of_training = {kind: how["tool"] for kind, how in header.get("label_tools", {}).items()}
    return {**{kind: of["tool"] for kind, of in labels.items()}, **of_training}


def _measured(metrics: Mapping[str, Mapping[str, Any]], tested_on: str) -> str:
    if not metrics:
        return "Nothing yet: `stages/evaluate.py` and `stages/report.py` write this part."
    head = f"On {tested_on}, in per cent:\n\n| protocol | {' | '.join(SHARES.values())} | queries | gallery |"
    lines = [head, "|---" * (len(SHARES) + 3) + "|"]
    for protocol, values in metrics.items():
        shares = (f"{100 * values[key]:.1f}" if values.get(key) is not None else "–" for key in SHARES)
        lines.append(
            f"| {protocol} | {' | '.join(shares)} | {values.get('queries', '')} | {values.get('gallery', '')} |"
        )
    return "\n".join(lines)


def licences(header: Mapping[str, Any], labels: Mapping[str, Any]) -> list[str]:
    """What a user of the weights should have read, a line each."""
    found = [f"data set {header['dataset']}: the terms of its owners"]
    if "converted" in header:
        found.append(f"the released file: the terms of {header['converted']['published by']}")
    else:
        for name in dict.fromkeys((header["backbone"], header["options"].get("part_backbone", header["backbone"]))):
            with unfilled():
                started = backbones.build(name).weights or name
            if started in WEIGHTS:
                found.append(f"weights the backbone {name} started from: {WEIGHTS[started].licence}")
    for kind, tool in _tools(header, labels).items():
        of = [WEIGHTS[each].licence for each in NETWORKS.get(tool, ())]
        found.append(f"label {kind}, by {tool}: {'; '.join(of) or 'see docs/labels.md'}")
    return [*found, "the code: MIT"]


def _table(rows: Mapping[str, Any]) -> str:
    lines = [f"| {key} | {_text(value)} |" for key, value in rows.items() if value not in (None, "", {})]
    return "\n".join(["| | |", "|---|---|", *lines])


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return (f"{value:g}" if isinstance(value, float) else str(value)).replace("|", "\\|").replace("\n", " ")
