"""Labels that a method needs in a test: given, or made of the photos by the tool that made them for the training."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid import photo_labels
from partreid.api.arrays import array
from partreid.errors import UserError, choose
from partreid.inputs.kinds import HEADS, MEMBERS, Label
from partreid.labels import LABELS, heads
from partreid.photo_labels import OF_A_SET, Way
from partreid.storage import cache, chunks, image_table
from partreid.storage.files import sha256
from partreid.storage.pieces import Program, Work
from partreid.tools.base import Images

Given = Mapping[str, np.ndarray | Mapping[str, np.ndarray]]

_one_at_a_time = threading.Lock()  # the tools keep their network between calls, and it is no two threads'


def labels(
    kinds: Sequence[str], photos: Sequence[np.ndarray], given: Given, tools: Mapping[str, Mapping[str, Any]]
) -> dict[str, Label]:
    """A label of each kind for the photos, uint8 RGB (H, W, 3).

    given: kind -> its array, a row per photo, or member -> array (partreid.inputs.kinds.MEMBERS). tools: what the
    weights' header says of the kinds it does not give. UserError that says what is missing.
    """
    if unknown := sorted(set(given) - set(kinds)):
        raise UserError(f"labels of {unknown[0]} were given; this model needs {', '.join(kinds) or 'none'}")
    return {kind: taken(kind, given[kind], photos) if kind in given else made(kind, photos, tools) for kind in kinds}


def taken(kind: str, given: np.ndarray | Mapping[str, np.ndarray], photos: Sequence[np.ndarray]) -> Label:
    """A label that the caller gives. Heads may be boxes (N, 4), x0, y0, x1, y1 in pixels, NaN where there is none.

    What of a box lies outside its photo is cut off, as it is of a tool's.
    """
    members, count = MEMBERS[kind], len(photos)
    if isinstance(given, Mapping):
        values = {name: np.asarray(given[name]) for name in members if name in given}
    elif kind == HEADS:
        values = dict(zip(members, _boxes(given).T, strict=True))
    else:
        values = {members[0]: np.asarray(given)}
    if missing := [name for name in members if name not in values]:
        raise UserError(f"labels of {kind} are {', '.join(members)} by name; {missing[0]} is missing")
    if wrong := [name for name, value in values.items() if len(value) != count]:
        raise UserError(f"the label {kind} has {len(values[wrong[0]])} rows, there are {count} photos")
    if kind != HEADS:
        return Label(values, np.ones(count, bool))
    sizes = np.array([photo.shape[:2] for photo in photos])
    inside = heads.widen(np.stack([values[name] for name in members], 1), sizes, 0.0)
    return Label(dict(zip(members, inside.T, strict=True)), ~np.isnan(inside[:, 0]))


def _boxes(given: np.ndarray) -> np.ndarray:
    boxes = array("boxes of heads", given)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in "iuf":
        raise UserError(
            "boxes of heads are numbers (N, 4): x0, y0, x1, y1 in pixels, NaN where there is none; found "
            f"{boxes.dtype} {boxes.shape}"
        )
    return boxes.astype(np.float32)


def made(kind: str, photos: Sequence[np.ndarray], tools: Mapping[str, Mapping[str, Any]]) -> Label:
    """A label made by the tools, and with the values, that the training's label was made with."""
    if kind not in tools:
        raise UserError(f"this model needs {kind} labels, and its weights do not say how to make them; give labels=")
    if kind in OF_A_SET:
        raise UserError(f"this model needs {kind} labels, which are made of a whole data set; give labels=")
    way = _way(kind, tools[kind])
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="partreid-") as name:
        return photo_labels.made(kind, way, _images(photos, Path(name)), partial(_at_once, kind))


def _way(kind: str, how: Mapping[str, Any]) -> Way:
    """how: what the weights' header says of the label."""
    options, values = dict(how["parameters"]), {how["tool"]: how["tool_parameters"]}
    for member in choose(LABELS, kind, "label").beside:
        if not how.get(member):  # weights of before this was noted
            raise UserError(
                f"this model needs {kind} labels, and its weights do not say which tool gave their {member}; "
                "give labels="
            )
        options[member] = how[member]["tool"]
        values[options[member]] = how[member]["parameters"]
    return Way(how["tool"], options, values)


def _at_once(
    kind: str, file: Path, header: Mapping[str, Any], work: Work | Program, count: int, _processes: object, _: str
) -> None:
    """Write a tool's output without a trace elsewhere: as photo_labels.Write, but for the label's kind before it."""
    if isinstance(work, Program):
        raise UserError(f"this model needs {kind} labels of {header['tool']}, a program of its own; give labels=")
    seen = work(0, count)
    chunks.write(file, cache.counted(header, seen["status"]), _chunked(seen))


def _images(photos: Sequence[np.ndarray], folder: Path) -> Images:
    """The photos as a tool sees a data set."""
    rows = []
    for number, photo in enumerate(photos):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.ascontiguousarray(photo[..., ::-1]))
        height, width = photo.shape[:2]
        row = {"path": path.name, "split": "query", "pid": 0, "height": height, "width": width, "sha1": ""}
        rows.append(row)
    table, file = image_table.build(rows, {}), folder / "images.parquet"
    image_table.write(table, file)
    return Images("photos", table, sha256(file), folder, file)


def _chunked(arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    count = len(arrays["status"])
    starts = range(0, count, chunks.CHUNK)
    return [{name: value[start : start + chunks.CHUNK] for name, value in arrays.items()} for start in starts]
