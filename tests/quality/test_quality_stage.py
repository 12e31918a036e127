"""stages/quality.py on a small project."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid import params
from partreid.labels import LABELS
from partreid.quality import MEASURES
from partreid.quality.groups import GROUPS
from partreid.quality.pairs import JOINTS
from partreid.storage import cache, image_table, pieces
from partreid.storage.files import sha256
from partreid.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
N = 12
VIEW = np.array([0, 10, 350, 90, 270, 95, 180, 190, 170, 0, 90, 180], np.float32)
OCCLUDED = np.arange(N) >= 9
MISSING = 11  # by the tool


def people() -> dict[str, np.ndarray]:
    """Upright people in the middle of images of 128 x 64, each with a little noise of its own."""
    joints = [
        *((32, 16), (34, 14), (30, 14), (37, 15), (27, 15)),
        *((42, 30), (22, 30), (46, 46), (18, 46), (48, 60), (16, 60)),
        *((38, 62), (26, 62), (39, 88), (25, 88), (40, 112), (24, 112)),
    ]
    keypoints = np.ones((N, 17, 3), np.float32)
    keypoints[..., :2] = joints + np.random.default_rng(0).normal(0, 2, (N, 17, 2))
    parsing = np.zeros((N, 128, 64), np.uint8)
    for number, (top, bottom) in enumerate(((8, 24), (24, 64), (30, 50), (50, 64), (64, 88), (88, 118)), 1):
        parsing[:, top:bottom, 16:48] = number
    return {
        "keypoints": keypoints,
        "person": np.where(parsing > 0, 255, 0).astype(np.uint8),
        "parsing": parsing,
        "head": np.tile(np.array([24, 8, 40, 26], np.float32), (N, 1)),
        "view": VIEW,
        "visible": np.ones(N, np.float32),
    }


def write_tool(name: str, index: Path, values: dict[str, np.ndarray], missing: list[int]) -> None:
    status = np.zeros(N, np.uint8)
    status[missing] = cache.MISSING
    values = {member: array.copy() for member, array in values.items()}
    for array in values.values():
        array[missing] = 0
    arrays = {"status": status, "score": np.where(status == 0, 0.9, 0.1).astype(np.float32), **values}
    head = {**cache.header(f"tool/{name}", name, "1", None, {}, sha256(index)), "gives": list(values)}
    pieces.write(
        Path(f"data/tools/{name}/synthetic.npz"),
        head,
        lambda start, stop: {member: array[start:stop] for member, array in arrays.items()},
        N,
        processes=1,
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the truth of 12 images, and blazepose, which says the same but misses one person."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    row = {"split": "train", "pid": 1, "width": 64, "height": 128, "sha1": "0"}
    rows = [{**row, "path": f"{number}.jpg", "occluded": bool(OCCLUDED[number])} for number in range(N)]
    index = tmp_path / "data/index/synthetic.parquet"
    image_table.write(image_table.build(rows, {}), index)
    (tmp_path / "data/synthetic").mkdir()
    for number in range(N):
        cv2.imwrite(f"data/synthetic/{number}.jpg", np.full((128, 64, 3), 99, np.uint8))
    truth = people()
    write_tool("truth", index, truth, missing=[])
    write_tool("blazepose", index, {name: truth[name] for name in ("keypoints", "person")}, missing=[MISSING])
    return tmp_path


@pytest.fixture
def stage(monkeypatch, capsys):
    """Runs the stage in this process: exit status, stdout, stderr."""

    def start(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stages/quality.py", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "stages/quality.py"), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return start


def test_every_label_that_the_tool_feeds_is_measured_and_drawn(project, stage):
    status, said, errors = stage("blazepose")
    assert status == 0, errors
    out = project / "results/labels/blazepose"
    quality = json.loads((out / "quality.json").read_text())
    gives = TOOLS["blazepose"].gives
    labels = [name for name in params.load().labels if name in MEASURES and LABELS[name].fed_by(gives)]
    assert tuple(quality) == GROUPS
    for group, values in quality.items():
        assert set(values) == {"images", *JOINTS, *labels}, group
    assert quality["all"]["images"] == {"count": 12, "missing": 1, "failed": 0}
    assert {group: values["images"]["count"] for group, values in quality.items()} == dict(
        zip(GROUPS, (12, 9, 3, 4, 4, 4), strict=True)
    )
    for group, images in (("all", 12), ("occluded", 3), ("back", 4)):  # one is missed
        expected = pytest.approx((images - 1) / images, abs=1e-4)
        assert quality[group]["keypoints"] == {"pck10": expected, "pck20": expected}
    for group in ("unoccluded", "front", "side"):
        assert quality[group]["keypoints"] == {"pck10": 1, "pck20": 1}
        assert quality[group]["pifpaf"] == dict.fromkeys(MEASURES["pifpaf"].titles, 1)  # from the same keypoints
    assert quality["occluded"]["pifpaf"]["same5"] < 0.8
    details = json.loads((out / "details.json").read_text())
    assert details["back"]["keypoints"]["left_knee"] == {"pck10": 0.75, "pck20": 0.75}
    assert {path.stem for path in (out / "pictures").iterdir()} == {"keypoints", *labels}
    for path in (out / "pictures").iterdir():
        assert cv2.imread(str(path)).std() > 10, path

    status, printed, errors = stage("blazepose", "--markdown")
    assert status == 0, errors
    assert "| | images | 12 | 9 | 3 | 4 | 4 | 4 |" in printed
    assert "PCK@0.2 | 0.917 | 1.000 | 0.667 | 1.000 | 1.000 | 0.750 |" in printed
    assert said.startswith(printed)


def test_labels_that_would_need_a_second_tool_are_left_out(project, stage):
    index = project / "data/index/synthetic.parquet"
    write_tool("alphapose", index, {"keypoints": people()["keypoints"]}, missing=[])
    (project / "data/tools/blazepose/synthetic.npz").unlink()  # labels.schp.person in params.yaml
    status, _, errors = stage("alphapose")
    assert status == 0, errors
    quality = json.loads((project / "results/labels/alphapose/quality.json").read_text())
    assert set(quality["all"]) == {"images", *JOINTS, "poses", "partmaps"}


@pytest.mark.parametrize(
    ("arguments", "removed", "named"),
    [
        (("blazepose", "--markdown"), "params.yaml", "results/labels/blazepose/quality.json"),
        (("nonsense",), "params.yaml", "known: "),
        (("blazepose",), "data/tools/truth/synthetic.npz", "tool@truth-synthetic"),
        (("blazepose",), "data/tools/blazepose/synthetic.npz", "tool@blazepose-synthetic"),
    ],
)
def test_what_is_missing_is_named(project, stage, arguments, removed, named):
    (project / removed).unlink()
    status, _, errors = stage(*arguments)
    assert status == 1
    assert errors.startswith("error: ")
    assert named in errors
