"""Images that were indexed and cannot be read now."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid import params
from partreid.storage import cache, image_table, pieces, published_weights
from partreid.tools import blazepose

INDEX = Path("data/index/synthetic.parquet")


def stage(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a stage in this process; its exit status."""
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(f"stages/{words[0]}.py", run_name="__main__")
    return int(ended.value.code or 0)


def test_images_that_are_away_stop_the_tool_and_are_no_finding_about_them(tmp_path, project, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    shutil.copy(project / "params.yaml", tmp_path)
    (tmp_path / "stages").symlink_to(project / "stages")
    photos, away = Path("data/synthetic"), Path("data/away")
    photos.mkdir(parents=True)
    names = [f"{number:03d}.png" for number in range(2 * pieces.PIECE)]
    for name in names:
        cv2.imwrite(str(photos / name), np.full((40, 20, 3), 90, np.uint8))
    row = {"sha1": "0", "split": "train", "width": 20, "height": 40}
    rows = [{**row, "path": name, "pid": number % 2} for number, name in enumerate(names)]
    image_table.write(image_table.build(rows, {}), INDEX)
    monkeypatch.setattr(published_weights, "path", lambda _name: Path("params.yaml"))
    landmarks = np.concatenate([np.tile([128, 128, 0, 5, 5], 33), np.zeros(30)]).astype(np.float32)
    looked = []

    def network(_model, _square):
        looked.append(1)
        return landmarks, 0.95, np.full((256, 256), 5, np.float32)

    monkeypatch.setattr(blazepose, "_run", network)
    output, words = Path("data/tools/blazepose/synthetic.npz"), ("tool", "blazepose", "synthetic", "--processes", "1")
    photos.rename(away)  # the disk is gone
    assert stage(monkeypatch, *words) == 1
    assert not output.exists()
    said = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
    assert re.fullmatch(r"error: cannot read the image data/synthetic/000.png now: No such file.*goes on.*", said), said
    away.rename(photos)
    hidden = photos / names[pieces.PIECE + 3]
    hidden.rename(tmp_path / "hidden.png")  # one image of the second piece is gone
    assert stage(monkeypatch, *words) == 1
    assert not output.exists()
    once = len(looked)
    (tmp_path / "hidden.png").rename(hidden)
    assert stage(monkeypatch, *words) == 0
    again = 3 * params.load().tools["blazepose"]["looks"]  # images of the second piece
    assert len(looked) - once == once - again, "a finished piece was lost"
    tool = cache.Cache(output, "tool/blazepose", INDEX)
    assert (tool.status == cache.OK).all()
