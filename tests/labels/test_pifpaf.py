import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.labels import LABELS, fields, geometry, pifpaf
from partreid.storage import cache, image_table, pieces
from partreid.storage.cache import Cache
from partreid.storage.files import sha256
from upright import blob, native, people, written

ROOT = Path(__file__).resolve().parents[2]
STAGES = ROOT / "stages"
OPTIONS = {"height": 33, "width": 17, "thickness": 1.0, "min_score": 0.1, "mask": True}
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
STATUS = np.array([cache.OK, cache.MISSING, cache.FAILED], np.uint8)


def detections() -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (3, 17, 3) of 128 x 64 images and person masks (3, 128, 64): a box, the same in all rows."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(16, 48, (1, 17, 3)).repeat(3, 0).astype(np.float32)
    keypoints[..., 1] *= 2
    keypoints[..., 2] = 1
    person = np.zeros((3, 128, 64), np.uint8)
    person[:, 20:110, 10:54] = 255
    return keypoints, person


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with an image table of three images and the output of tool blazepose for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    row = {"split": "train", "width": 64, "height": 128, "sha1": "0"}
    table = image_table.build([{**row, "pid": 1 + number % 2, "path": f"{number}.jpg"} for number in range(3)], {})
    index = tmp_path / "data/index/synthetic.parquet"
    image_table.write(table, index)
    (tmp_path / "data/synthetic").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"data/synthetic/{number}.jpg"), np.full((128, 64, 3), 99, np.uint8))
    keypoints, person = detections()

    def work(_start, _stop):
        score = np.array([0.9, 0.2, 0], np.float32)
        return {"status": STATUS, "score": score, "keypoints": keypoints, "person": person}

    head = cache.header("tool/blazepose", "blazepose", "1", "w", {}, sha256(index))
    head["gives"] = ["keypoints", "person"]
    pieces.write(tmp_path / "data/tools/blazepose/synthetic.npz", head, work, 3, processes=1)
    return tmp_path


def test_fields_of_ok_rows_are_the_geometry_and_others_are_zero(project):
    index = project / "data/index/synthetic.parquet"
    native = Cache(project / "data/tools/blazepose/synthetic.npz", "tool/blazepose", index)
    header, work = LABELS["pifpaf"].build(native, image_table.read(index), **OPTIONS)
    assert (header["kind"], header["tool"], header["weights"]) == ("label/pifpaf", "blazepose", "w")
    assert header["parameters"] == OPTIONS
    found = work(0, 3)
    assert found["fields"].shape == (3, 36, 33, 17)
    assert found["fields"].dtype == np.uint8
    assert not found["fields"][1:].any()
    np.testing.assert_array_equal(found["status"], STATUS)
    keypoints, person = detections()
    plain = fields.draw(keypoints[:1], np.array([[128, 64]]), 33, 17, thickness=1.0, min_score=0.1)
    mask = geometry.resample(person[:1], 33, 17) / 255
    np.testing.assert_array_equal(found["fields"][:1], np.rint(255 * fields.fill(plain, mask)))


@pytest.mark.parametrize("grid", [(17, 9), (33, 17), (6, 4)])
def test_a_tools_own_fields_are_averaged_to_the_grid(tmp_path, grid):
    own = np.random.default_rng(0).integers(0, 256, (3, 36, 17, 9)).astype(np.uint8)
    members = {"fields": own, "keypoints": people(3), "person": blob().repeat(3, 0)}
    seen, table = native(tmp_path, STATUS, members)
    header, work = pifpaf.build(seen, table, **{**OPTIONS, "height": grid[0], "width": grid[1]})
    label = written(tmp_path, "pifpaf", ".npz", header, work, table)
    found = label.rows("fields", np.arange(3))
    np.testing.assert_array_equal(label.status, STATUS)
    assert not found[1:].any()
    for channel in range(36):
        expected = np.rint(geometry.resample(own[:1, channel], *grid))[0]
        np.testing.assert_array_equal(found[0, channel], expected)
    if grid == (17, 9):
        np.testing.assert_array_equal(found[0], own[0])


def test_without_the_mask_fields_are_the_plain_geometry():
    keypoints, person = detections()
    sizes = np.array([[128, 64]] * 3)
    found = pifpaf.make(keypoints, person, sizes, **{**OPTIONS, "mask": False})
    plain = fields.draw(keypoints, sizes, 33, 17, thickness=1.0, min_score=0.1)
    np.testing.assert_array_equal(found, np.rint(255 * plain))


@pytest.mark.usefixtures("project")
def test_label_and_inspect_run_from_the_command_line(program):
    made = program(STAGES / "label.py", "pifpaf", "synthetic", "--processes", "1")
    assert made.returncode == 0, made.stderr
    assert "3 images, 1 ok, 1 missing, 1 failed" in made.stdout
    seen = program(STAGES / "inspect.py", "pifpaf", "synthetic", "--out", "pictures")
    assert seen.returncode == 0, seen.stderr
    assert cv2.imread("pictures/sheet.png") is not None
    assert "33.3%" in Path("pictures/index.html").read_text()
    assert "33.3%" in seen.stdout


def test_a_missing_tool_output_is_named(project, program):
    (project / "data/tools/blazepose/synthetic.npz").unlink()
    made = program(STAGES / "label.py", "pifpaf", "synthetic")
    assert made.returncode == 1
    assert made.stderr.startswith("error: no data/tools/blazepose/synthetic.npz")


@pytest.mark.usefixtures("project")
def test_the_truth_of_a_data_set_without_truth_is_an_error(program):
    made = program(STAGES / "tool.py", "truth", "synthetic")
    assert made.returncode == 1
    assert "data/synthetic/truth.npz" in made.stderr


def test_the_stage_named_inspect_does_not_hide_the_standard_module():
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'stages')!r}); import inspect; print(inspect.signature(len))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert shown.stdout == "(obj, /)\n", shown.stderr
