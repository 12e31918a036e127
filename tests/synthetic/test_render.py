"""A tiny data set, rendered for real."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from partreid.body.skeleton import KEYPOINTS
from partreid.datasets import synthetic
from partreid.drawing import contact
from partreid.errors import UserError
from partreid.storage import chunks, image_table
from partreid.synthetic import plan
from partreid.synthetic import render as module

SIZE = {"seed": 2, "train_identities": 2, "test_identities": 2, "images": 6, "height": 128, "width": 64}


def _hashes(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # unfinished work lies in tmp/ of the working directory
        module.render(folder / "set", **SIZE, processes=1)
    assert not list((folder / "tmp" / "synthetic").iterdir())
    return folder / "set"


def test_the_reader_finds_what_was_planned(rendered: Path) -> None:
    table = synthetic.read(rendered)
    assert len(table) == 24
    assert set(table["split"].to_pylist()) == {"train", "query", "gallery"}
    pids = {split: set(image_table.select(table, split)["pid"].to_pylist()) for split in ("train", "query", "gallery")}
    assert pids["train"] == {1, 2}
    assert pids["query"] == pids["gallery"] == {3, 4}
    assert set(zip(table["height"].to_pylist(), table["width"].to_pylist(), strict=True)) == {(128, 64)}
    assert image_table.about(table)["dataset"] == "synthetic"


def test_the_test_set_stays_the_same_however_many_train(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same bytes, with another number of training persons and of their images."""
    monkeypatch.chdir(tmp_path)
    more = {**SIZE, "train_identities": 3, "train_images": 7, "first_test": 3}
    module.render(tmp_path / "set", **more, processes=1)
    earlier, later = _hashes(rendered), _hashes(tmp_path / "set")
    tested = {name: content for name, content in later.items() if name.startswith(("query", "gallery"))}
    assert tested == {name: content for name, content in earlier.items() if name.startswith(("query", "gallery"))}
    train = [name for name in later if name.startswith("train")]
    assert sorted({name[6:10] for name in train}) == ["0001", "0002", "0005"]
    assert len(train) == 3 * 7
    assert len(synthetic.read(tmp_path / "set")) == 2 * 6 + 3 * 7


def test_training_persons_are_numbered_around_the_test_persons() -> None:
    assert plan.numbers(3, 2, 0) == ([1, 2, 3], [4, 5])
    assert plan.numbers(3, 2, 2) == ([1, 4, 5], [2, 3])
    assert plan.numbers(3, 2, 9) == ([1, 2, 3], [9, 10])
    assert plan.numbers(0, 2, 1) == ([], [1, 2])


def test_truth_agrees_with_itself(rendered: Path) -> None:
    truth = chunks.Reader(rendered / "truth.npz")
    paths = truth.all("path").tolist()
    assert paths == sorted(paths)
    assert paths == sorted(str(p.relative_to(rendered)) for p in rendered.rglob("*.jpg"))
    keypoints, person, parsing = truth.all("keypoints"), truth.all("person"), truth.all("parsing")
    assert keypoints.shape == (24, len(KEYPOINTS), 3)
    assert ((parsing > 0) == (person >= 127.5)).mean() > 0.999
    visible = truth.all("visible")
    assert (visible > 0.15).all()
    assert (visible <= 1).all()
    on_person = []
    for i in range(24):
        grown = cv2.dilate(person[i], np.ones((7, 7), np.uint8))  # maps are at half the images' 128 x 64... same grid
        for x, y, seen in keypoints[i]:
            if seen:
                on_person.append(grown[int(y), int(x)] > 0)
    assert np.mean(on_person) > 0.98
    whole = visible > 0.9
    assert whole.any()
    assert keypoints[whole][:, 11:, 2].mean() > 0.8  # hips, knees and ankles of whole persons are seen
    assert keypoints[whole][:, 5, 1].mean() < keypoints[whole][:, 11, 1].mean() < keypoints[whole][:, 15, 1].mean()


def test_left_and_right_are_the_persons_own(rendered: Path) -> None:
    truth = chunks.Reader(rendered / "truth.npz")
    keypoints, view = truth.all("keypoints"), truth.all("view")
    left, right = keypoints[:, KEYPOINTS.index("left_shoulder"), 0], keypoints[:, KEYPOINTS.index("right_shoulder"), 0]
    frontal = (view < 50) | (view > 310)
    back = (view > 130) & (view < 230)
    assert frontal.any()
    assert back.any()
    assert (left > right)[frontal].all()  # somebody who faces us has the left on our right
    assert (left < right)[back].all()


def test_same_bytes_with_two_processes_and_after_a_kill(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    person = module._person
    done = []

    def killed(*job: object) -> int:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return person(*job)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_person", killed)
    with pytest.raises(KeyboardInterrupt):
        module.render(tmp_path / "set", **SIZE, processes=1)
    assert not (tmp_path / "set").exists()
    monkeypatch.setattr(module, "_person", person)
    monkeypatch.setattr(module, "SMALL", 1)  # or so little work would not be shared
    module.render(tmp_path / "set", **SIZE, processes=2)
    assert _hashes(tmp_path / "set") == _hashes(rendered)


def test_occlusion_is_as_planned(rendered: Path) -> None:
    truth = chunks.Reader(rendered / "truth.npz")
    visible = dict(zip(truth.all("path").tolist(), truth.all("visible").tolist(), strict=True))
    for pid in (1, 2, 3, 4):
        outfits = len({path.split("_c")[1][:3][2] for path in visible if f"/{pid:04d}_" in path})
        for shot in plan.shots(SIZE["seed"], pid, pid <= 2, 6, outfits):
            assert (visible[shot.path()] < plan.OCCLUDED_BELOW) == shot.occlude


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        module.render(tmp_path / "set", **SIZE, processes=1)
    (tmp_path / "note").touch()
    with pytest.raises(UserError, match=r"note.truth\.npz cannot be written .*, so nothing was begun"):
        module.render(tmp_path / "note", **SIZE, processes=1)
    with pytest.raises(UserError, match="train_images is -1"):
        module.render(tmp_path / "new", **{**SIZE, "train_images": -1}, processes=1)
    with pytest.raises(UserError, match="at least 6"):
        module.render(tmp_path / "new", **{**SIZE, "train_images": 5}, processes=1)
    with pytest.raises(UserError, match="at least 6"):
        module.render(tmp_path / "new", **{**SIZE, "images": 5}, processes=1)


def test_contact_sheet_shows_persons_by_camera_and_outfit(rendered: Path, tmp_path: Path) -> None:
    contact.contact_sheet(rendered, tmp_path / "sheet.jpg", persons=2)
    sheet = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert sheet.shape == (2 * 128, 12 * 64, 3)
