"""Reading a network in TensorFlow.js's form: a graph as JSON, and its constants one after the other in a file.

Format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter ("graph-model"; "weightsManifest" lists names,
shapes and types, float16 where they are quantised). Nothing is executed; only what `Step` can say is understood.
"""

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from partreid.errors import UserError


@dataclass(frozen=True)
class Step:
    """One operation of a network. All maps are (batch, rows, columns, channels)."""

    name: str  # also of its result
    kind: str  # TensorFlow's name of the operation
    inputs: tuple[str, ...]  # of steps or constants
    stride: int = 1
    padding: str = "SAME"
    fused: tuple[str, ...] = ()  # what follows a convolution at once: BiasAdd, Relu6, ...
    half_pixel: bool = False  # of a resize: the corners, and not the centres, of the corner cells lie on each other
    times: bool = False  # of a resize: its second input is how many times larger the result is, not its size


def read(graph: Path, constants: Path) -> tuple[dict[str, Step], dict[str, np.ndarray]]:
    """The steps by name and the constants, float32 or int32. UserError when the files are not what they should be."""
    try:
        model = json.loads(graph.read_text(encoding="utf-8"))
        steps = {node["name"]: _step(node) for node in model["modelTopology"]["node"] if node["op"] != "Const"}
        values = _constants(model["weightsManifest"], constants.read_bytes())
        return {name: _enlarging(step, steps, values) for name, step in steps.items()}, values
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{graph} and {constants} are no network of TensorFlow.js ({error!r}); delete both") from error


def _step(node: Mapping[str, Any]) -> Step:
    attributes = node.get("attr", {})
    strides = attributes.get("strides", {}).get("list", {}).get("i", ["1", "1", "1", "1"])
    dilations = attributes.get("dilations", {}).get("list", {}).get("i", ["1", "1", "1", "1"])
    if strides[1] != strides[2] or set(dilations) != {"1"}:
        raise ValueError(f"{node['name']}: strides {strides}, dilations {dilations}")
    if attributes.get("align_corners", {}).get("b", False):
        raise ValueError(f"{node['name']}: a resize that aligns corners")
    return Step(
        node["name"],
        node["op"],
        tuple(name for name in node.get("input", []) if not name.startswith("^")),
        int(strides[1]),
        _text(attributes["padding"]["s"]) if "padding" in attributes else "SAME",
        tuple(_text(word) for word in attributes.get("fused_ops", {}).get("list", {}).get("s", [])),
        attributes.get("half_pixel_centers", {}).get("b", False),
    )


def _enlarging(step: Step, steps: Mapping[str, Step], constants: Collection[str]) -> Step:
    """A resize to its input's size times a constant, as UpSampling2D of Keras makes it, says so itself."""
    size = steps.get(step.inputs[1]) if step.kind == "ResizeBilinear" else None
    if size is None or size.kind != "Mul" or size.inputs[1] not in constants:
        return step
    return replace(step, inputs=(step.inputs[0], size.inputs[1]), times=True)


def _text(word: str) -> str:
    return base64.b64decode(word).decode("ascii")


def _constants(manifest: list[dict[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    found, at = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = entry.get("quantization", {"dtype": entry["dtype"]})
        if stored["dtype"] not in ("float16", "float32", "int32") or "scale" in stored:
            raise ValueError(f"{entry['name']} is stored as {stored}")
        kind, shape = np.dtype(stored["dtype"]).newbyteorder("<"), tuple(entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        found[entry["name"]] = np.frombuffer(data, kind, count, at).reshape(shape).astype(entry["dtype"])
        at += count * kind.itemsize
    if at != len(data):
        raise ValueError(f"{len(data)} bytes of constants, the list names {at}")
    return found


def between(steps: Mapping[str, Step], constants: Collection[str], start: str, outputs: Collection[str]) -> list[Step]:
    """The steps that lead from the result of step `start` (not in the list) to `outputs`, each after what it needs."""
    order: list[Step] = []
    done = {start, *constants}

    def visit(name: str) -> None:
        if name in done:
            return
        done.add(name)
        for needed in steps[name].inputs:
            visit(needed)
        order.append(steps[name])

    for name in outputs:
        visit(name)
    return order
