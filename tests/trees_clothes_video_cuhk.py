"""Tiny copies of the sets with changing clothes, MARS and the CUHK sets, in the exact tree of the real ones."""

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from dataset_trees import image

PRCC = {
    "rgb/train": {
        "001": ["A_cropped_rgb001.jpg", "A_cropped_rgb1011.jpg", "B_cropped_rgb003.jpg", "C_cropped_rgb002.jpg"],
        "328": ["A_cropped_rgb004.jpg"],
    },
    "rgb/val": {"001": ["A_cropped_rgb007.jpg", "C_cropped_rgb009.jpg"]},
    "rgb/test/A": {"005": ["cropped_rgb001.jpg", "cropped_rgb010.jpg"], "090": ["cropped_rgb001.jpg"]},
    "rgb/test/B": {"005": ["cropped_rgb002.jpg"], "090": ["cropped_rgb001.jpg"]},
    "rgb/test/C": {"005": ["cropped_rgb001.jpg", "cropped_rgb003.jpg"], "090": ["cropped_rgb004.jpg"]},
}
LTCC = {
    "train": ["000_1_c1_000001.png", "000_2_c12_000017.png", "062_1_c2_003301.png"],
    "query": ["094_1_c6_013427.png", "144_1_c11_011239.png"],
    "test": ["094_1_c3_013430.png", "094_2_c3_013500.png", "144_1_c11_011240.png", "144_1_c5_011300.png"],
}
LTCC_LISTS = {
    "cloth-change_id_train.txt": [0],
    "cloth-unchange_id_train.txt": [62],
    "cloth-change_id_test.txt": [94],
    "cloth-unchange_id_test.txt": [144],
}
VC_CLOTHES = {
    "train": ["0001-01-01-01.jpg", "0001-02-02-01.jpg", "0003-04-03-12.jpg"],
    "query": ["0002-03-02-01.jpg", "0004-04-01-01.jpg"],
    "gallery": ["0002-02-02-02.jpg", "0002-04-03-01.jpg", "0004-03-02-03.jpg"],
}
CELEB = {
    "train": ["1_1_0.jpg", "1_22_0.jpg", "632_3_0.jpg"],
    "query": ["633_2_0.jpg"],
    "gallery": ["633_1_0.jpg", "633_10_0.jpg", "1052_1_0.jpg"],
}
MARS = {  # part -> tracklets: person, camera, tracklet of that person and camera, frames
    "train": [("0001", 1, 1, 3), ("0001", 1, 2, 2), ("0001", 6, 1, 1), ("1499", 5, 1, 2)],
    "test": [
        ("00-1", 1, 1, 2),
        ("0000", 1, 2, 2),
        ("0002", 1, 1, 2),
        ("0002", 1, 2, 3),
        ("0002", 3, 1, 1),
        ("1500", 5, 1, 2),
    ],
}
MARS_QUERIES = [4, 6]  # rows of the test, from 1: not the first of its camera, and the last
PAIRS = (2, 1, 1, 1, 2)  # persons of CUHK03's camera pairs here
TESTSETS = [[(1, 1 + number % 2), (5, 2)] for number in range(20)]  # camera pair, person


def prcc(parent: Path) -> Path:
    """A PRCC of 14 images, at parent/prcc, which is returned, with one of the contour sketches."""
    root = parent / "prcc"
    for folder, persons in PRCC.items():
        for person, names in persons.items():
            for name in names:
                image(root / folder / person / name)
    image(root / "sketch/train/001/A_cropped_rgb001.jpg")
    return root


def ltcc(parent: Path) -> Path:
    """An LTCC of 9 images, at parent/LTCC_ReID, which is returned."""
    root = _flat(parent / "LTCC_ReID", LTCC)
    (root / "info").mkdir()
    for name, persons in LTCC_LISTS.items():
        (root / "info" / name).write_text("".join(f"{person}\n" for person in persons))
    return root


def vc_clothes(parent: Path) -> Path:
    """A VC-Clothes of 8 images, at parent/VC-Clothes, which is returned."""
    return _flat(parent / "VC-Clothes", VC_CLOTHES)


def celeb_reid(parent: Path) -> Path:
    """A Celeb-reID of 7 images, at parent/Celeb-reID, which is returned."""
    return _flat(parent / "Celeb-reID", CELEB)


def celeb_reid_light(parent: Path) -> Path:
    """A Celeb-reID-light of 7 images, at parent/Celeb-reID-light, which is returned."""
    return _flat(parent / "Celeb-reID-light", CELEB)


def mars(parent: Path) -> Path:
    """A MARS of 10 tracklets with 20 frames, at parent/mars, which is returned."""
    root = parent / "mars"
    (root / "info").mkdir(parents=True)
    for part, tracklets in MARS.items():
        names: list[str] = []
        tracks = []
        for person, camera, tracklet, frames in tracklets:
            pid = -1 if person == "00-1" else int(person)
            tracks.append((len(names) + 1, len(names) + frames, pid, camera))
            names += [f"{person}C{camera}T{tracklet:04d}F{frame:03d}.jpg" for frame in range(1, frames + 1)]
        for name in names:
            image(root / f"bbox_{part}" / name[:4] / name)
        (root / "info" / f"{part}_name.txt").write_text("".join(f"{name}\n" for name in names))
        savemat(root / "info" / f"tracks_{part}_info.mat", {f"track_{part}_info": np.array(tracks, np.int32)})
    savemat(root / "info" / "query_IDX.mat", {"query_IDX": np.array([MARS_QUERIES], np.uint16)})
    return root


def cuhk01(parent: Path) -> Path:
    """A CUHK01 of 12 persons with 4 images each, at parent/CUHK01, which is returned."""
    root = parent / "CUHK01"
    for person in [*range(1, 12), 971]:
        for number in range(1, 5):
            image(root / "campus" / f"{person:04d}{number:03d}.png")
    return root


def cuhk03_images(kind: str) -> dict[str, np.ndarray]:
    """The images of the tiny CUHK03: name -> uint8 (height, width, 3) BGR. Labeled lacks one image of detected."""
    found = {}
    for pair, persons in enumerate(PAIRS, start=1):
        for person in range(1, persons + 1):
            for column in (1, 2, 6, 7) if (pair, person) != (5, 2) else (1, 6):
                if (kind, pair, person, column) != ("labeled", 3, 1, 7):
                    seed = [kind == "labeled", pair, person, column]
                    pixels = np.random.default_rng(seed).integers(0, 256, (20 + column, 9 + pair, 3), np.uint8)
                    found[f"{pair}_{person:03d}_{1 + (column > 5)}_{column:02d}.png"] = pixels
    return found


def cuhk03(parent: Path) -> Path:
    """A CUHK03 of 7 persons as released, at parent/cuhk03_release, with the new protocol's two files; returned."""
    root = parent / "cuhk03_release"
    root.mkdir(parents=True)
    with h5py.File(root / "cuhk-03.mat", "w", userblock_size=512) as file:
        for kind in ("detected", "labeled"):
            found = cuhk03_images(kind)
            pairs = np.empty((len(PAIRS), 1), object)
            for pair, persons in enumerate(PAIRS, start=1):
                cells = np.empty((persons, 10), object)
                for person in range(1, persons + 1):
                    for column in range(1, 11):
                        name = f"{pair}_{person:03d}_{1 + (column > 5)}_{column:02d}.png"
                        pixels = found.get(name)
                        cells[person - 1, column - 1] = _stored(file, None if pixels is None else pixels[..., ::-1])
                pairs[pair - 1, 0] = _cell(file, cells)
            _cell(file, pairs, kind)
        sets = np.empty((len(TESTSETS), 1), object)
        for number, persons in enumerate(TESTSETS):
            sets[number, 0] = _stored(file, np.array(persons, np.float64))
        _cell(file, sets, "testsets")
    with (root / "cuhk-03.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    (root / "README.md").write_text("CUHK-03\n")
    for kind in ("detected", "labeled"):
        _new_protocol(root, kind)
    return root


def cuhk03_np(parent: Path) -> Path:
    """The new protocol as folders, at parent/cuhk03-np, which is returned: 5 images for each kind of box."""
    root = parent / "cuhk03-np"
    folders = {
        "bounding_box_train": ["0003_c1_21.png", "0003_c2_22.png"],
        "query": ["0001_c1_1.png"],
        "bounding_box_test": ["0001_c1_2.png", "0001_c2_6.png"],
    }
    for kind in ("detected", "labeled"):
        _flat(root / kind, folders)
    return root


def _flat(root: Path, folders: dict[str, list[str]]) -> Path:
    for folder, names in folders.items():
        for name in names:
            image(root / folder / name)
    return root


def _new_protocol(root: Path, kind: str) -> None:
    """The split file: persons 1, 4, 7 of the 7 train; the first image of each view of the others asks."""
    names = sorted(cuhk03_images(kind))
    before = np.cumsum((0, *PAIRS))
    labels = np.array([before[int(name[0]) - 1] + int(name[2:5]) for name in names])
    train = np.isin(labels, (1, 4, 7))
    query = ~train & np.isin([name[-6:] for name in names], ("01.png", "06.png"))
    index = {"train_idx": train, "query_idx": query, "gallery_idx": ~train & ~query}
    variables = {name: np.flatnonzero(where).astype(np.uint16)[:, None] + 1 for name, where in index.items()}
    filelist = np.empty((len(names), 1), object)
    filelist[:, 0] = names
    camera = np.array([int(name[6]) for name in names], np.uint8)[:, None]
    variables |= {"filelist": filelist, "labels": labels.astype(np.uint16)[:, None], "camId": camera}
    savemat(root / f"cuhk03_new_protocol_config_{kind}.mat", variables)


def _stored(file: h5py.File, array: np.ndarray | None) -> h5py.Reference:
    """A reference to the array, stored as MATLAB does: axes in the opposite order; None = an empty matrix."""
    group = file.require_group("#refs#")
    data = np.zeros(2, np.uint64) if array is None else array.T
    dataset = group.create_dataset(f"c{len(group)}", data=data)
    dataset.attrs["MATLAB_class"] = np.bytes_("double" if array is None else array.dtype.name)
    if array is None:
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    return dataset.ref


def _cell(file: h5py.File, cells: np.ndarray, name: str = "") -> h5py.Reference:
    """A cell array of references, as the variable `name` or inside another."""
    group = file if name else file.require_group("#refs#")
    dataset = group.create_dataset(name or f"c{len(group)}", data=cells.T, dtype=h5py.ref_dtype)
    dataset.attrs["MATLAB_class"] = np.bytes_("cell")
    return dataset.ref
