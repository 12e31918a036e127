"""A thousand broken images through index, tool and search: no traceback, and every file is in some count."""

import cv2
import numpy as np
import pytest

from partreid.datasets import folder
from partreid.errors import UserError
from partreid.inputs.images import read_image
from partreid.search.gallery import readable
from partreid.storage import cache, image_table, pieces
from partreid.tools import blazepose, reading
from reliability.mangling import cases, mangled

pytestmark = pytest.mark.slow

FULL = 1000
PERSONS = 20


def originals() -> dict[str, bytes]:
    """Images by the ending of their files."""
    random = np.random.default_rng(0)
    picture = cv2.GaussianBlur(random.integers(0, 256, (96, 48, 3), np.uint8), (9, 9), 0)
    return {ending: cv2.imencode(ending, picture)[1].tobytes() for ending in (".jpg", ".png", ".bmp", ".webp", ".tif")}


def test_broken_images_are_read_or_named_and_none_is_lost(tmp_path, monkeypatch):
    random = np.random.default_rng(1)
    whole = list(originals().items())
    names = []
    for number in range(cases(FULL)):
        ending, data = whole[number % len(whole)]
        place = tmp_path / f"p{number % PERSONS}" / f"c{number // PERSONS % 2}" / f"{number}{ending}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(mangled(data, random)[1])
        names.append(place.relative_to(tmp_path).as_posix())
    for person in range(PERSONS):  # so that somebody can be searched for, whatever is left of the others
        for camera in range(2):
            place = tmp_path / f"p{person}" / f"c{camera}" / "good.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(dict(whole)[".png"])
            names.append(place.relative_to(tmp_path).as_posix())

    table = folder.read(tmp_path)
    skipped = [path for path, _ in image_table.about(table)["skipped"]]
    assert sorted([*table["path"].to_pylist(), *skipped]) == sorted(names)

    landmarks = np.concatenate([np.tile([128, 128, 0, 5, 5], 33), np.zeros(30)]).astype(np.float32)
    monkeypatch.setattr(blazepose, "_run", lambda _model, _square: (landmarks, 0.9, np.zeros((256, 256), np.float32)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        return blazepose.look(table["path"].to_pylist(), tmp_path, tmp_path, 1, start, stop)

    done = pieces.write(tmp_path / "tool.npz", {}, work, len(table), processes=1)
    assert done["ok"] + done["missing"] + done["failed"] == len(table)
    status = cache.chunks.Reader(tmp_path / "tool.npz").all("status")
    assert len(reading.damaged(tmp_path, table, np.flatnonzero(status == cache.FAILED).tolist())) == done["failed"]

    trainable = 0
    for path in table["path"].to_pylist():
        assert read_image(tmp_path / path).ndim == 3
        trainable += 1
    refused = 0
    for path in skipped:
        with pytest.raises(UserError):
            read_image(tmp_path / path)
        refused += 1
    good, left_out = readable([str(tmp_path / name) for name in names])
    assert len(good) + len(left_out) == len(names)
    print(
        f"\nimages: {len(names)} files, {trainable} in the table, {refused} named as skipped; of those in the table "
        f"the tool found {done['ok']} ok, {done['failed']} failed; search: {len(good)} read, {len(left_out)} named"
    )
