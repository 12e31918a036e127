"""Labels that a method needs in a test: given, or made of the photos by the tool that made them for the training."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from partreid.errors import UserError, choose
from partreid.inputs.kinds import HEADS, MEMBERS, Label
from partreid.labels import LABELS
from partreid.storage import cache, chunks, image_table
from partreid.storage.files import sha256
from partreid.storage.pieces import Program
from partreid.tools import TOOLS
from partreid.tools.base import Images

OF_ONE_IMAGE = ("heads", "pifpaf", "partmaps")  # kinds that need nothing but the image; poses need a set's clusters
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
    return {
        kind: taken(kind, given[kind], len(photos)) if kind in given else made(kind, photos, tools) for kind in kinds
    }


def taken(kind: str, given: np.ndarray | Mapping[str, np.ndarray], count: int) -> Label:
    """A label that the caller gives. Heads may be boxes (N, 4), x0, y0, x1, y1 in pixels, NaN where there is none."""
    members = MEMBERS[kind]
    if isinstance(given, Mapping):
        values = {name: np.asarray(given[name]) for name in members if name in given}
    elif kind == HEADS:
        values = dict(zip(members, np.asarray(given, np.float32).reshape(-1, 4).T, strict=True))
    else:
        values = {members[0]: np.asarray(given)}
    if missing := [name for name in members if name not in values]:
        raise UserError(f"labels of {kind} are {', '.join(members)} by name; {missing[0]} is missing")
    if wrong := [name for name, value in values.items() if len(value) != count]:
        raise UserError(f"the label {kind} has {len(values[wrong[0]])} rows, there are {count} photos")
    known = ~np.isnan(values[members[0]]) if kind == HEADS else np.ones(count, bool)
    return Label(values, known)


def made(kind: str, photos: Sequence[np.ndarray], tools: Mapping[str, Mapping[str, Any]]) -> Label:
    """A label made by the tool, and with the values, that the training's label was made with."""
    if kind not in tools:
        raise UserError(f"this model needs {kind} labels, and its weights do not say how to make them; give labels=")
    if kind not in OF_ONE_IMAGE:
        raise UserError(f"this model needs {kind} labels, which are made of a whole data set; give labels=")
    how = tools[kind]
    tool = choose(TOOLS, how["tool"], "tool")
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="partreid-") as name:
        folder = Path(name)
        images = _images(photos, folder)
        header, work = tool.build(images, **how["tool_parameters"])
        if isinstance(work, Program):
            raise UserError(f"this model needs {kind} labels of {how['tool']}, a program of its own; give labels=")
        native = folder / "native.npz"
        seen = work(0, len(photos))
        chunks.write(native, cache.counted({**header, "gives": list(tool.gives)}, seen["status"]), _chunked(seen))
        opened = cache.Cache(native, f"tool/{how['tool']}", images.file)
        _, look = LABELS[kind].build(opened, images.table, **how["parameters"])
        found = look(0, len(photos))
    return Label({name: found[name] for name in MEMBERS[kind]}, found["status"] == cache.OK)


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
