"""Tiny copies of the sets in which people keep their clothes, in the exact tree of the real ones, oddities included."""

from pathlib import Path

from dataset_trees import image, market1501

BOXES = ["0001_c1s1_001051_00.jpg", "0001_c1s1_001076_00.jpg", "0002_c1s1_000451_00.jpg", "1488_c1s6_023021_00.jpg.jpg"]
DISTRACTORS = ["-1_c6s9_000000_00.jpg", "0000_c1s1_000101_99.jpg", "0000_c3_123456.jpg", "0000_c3s1_000101_01.jpg.jpg"]

DUKE = {
    "bounding_box_train": ["0001_c2_f0046182.jpg", "0001_c5_f0053381.jpg", "0007_c8_f0000001.jpg"],
    "query": ["0005_c2_f0046985.jpg", "0005_c5_f0051781.jpg", "7129_c8_f0126381.jpg"],
    "bounding_box_test": [
        "0005_c2_f0047105.jpg",
        "0005_c5_f0051901.jpg",
        "0003_c1_f0044158.jpg",  # seen by one camera only
        "7129_c1_f0001234.jpg",
    ],
}
OCCLUDED_DUKE = {**DUKE, "query": ["0005_c2_f0046985.jpg", "0005_c2_f0047225.jpg", "7129_c8_f0126381.jpg"]}
P_DUKE = {
    "train/occluded_body_images": ["0001_c2_f0046182.jpg", "0007_c8_f0000001.jpg"],
    "train/whole_body_images": ["0001_c2_f0046302.jpg", "0001_c5_f0053381.jpg", "0007_c1_f0000361.jpg"],
    "test/occluded_body_images": ["0005_c2_f0046985.jpg", "7129_c8_f0126381.jpg"],
    "test/whole_body_images": ["0005_c2_f0047105.jpg", "0005_c5_f0051901.jpg", "7129_c8_f0126501.jpg"],
}

MSMT_LISTS = {  # not sorted; a person of the train folder and one of the test folder are both called 0000, and 0
    "list_train.txt": [
        "0000/0000_000_01_0303morning_0008_0.jpg 0",
        "0000/0000_001_14_0114noon_0027_1_ex.jpg 0",
        "1040/1040_000_05_0113afternoon_1234_12.jpg 1040",
    ],
    "list_val.txt": ["0000/0000_002_15_0302noon_0100_2.jpg 0"],
    "list_query.txt": ["0000/0000_000_01_0303morning_0008_0.jpg 0", "3059/3059_004_09_0113noon_0400_0.jpg 3059"],
    "list_gallery.txt": [
        "3059/3059_005_10_0113noon_0420_0_ex.jpg 3059",
        "0000/0000_001_02_0303morning_0015_0.jpg 0",
        "0001/0001_000_01_0303morning_0020_1.jpg 1",
    ],
}
MSMT_FOLDERS = {"MSMT17_V1": ("train", "test"), "MSMT17_V2": ("mask_train_v2", "mask_test_v2")}


def market1501_multi_query(parent: Path) -> Path:
    """Market-1501 with four hand-drawn boxes: two of one query, one of a training person, one with a double ending."""
    root = market1501(parent)
    for name in BOXES:
        image(root / "gt_bbox" / name, 64, 128)
    return root


def market1501_500k(parent: Path) -> Path:
    """Market-1501 with four images in images/."""
    root = market1501(parent)
    for name in DISTRACTORS:
        image(root / "images" / name, 64, 128)
    return root


def dukemtmc(parent: Path) -> Path:
    """A DukeMTMC-reID of 10 images, at parent/DukeMTMC-reID, which is returned; images differ in size."""
    return _duke(parent / "DukeMTMC-reID", DUKE)


def occluded_duke(parent: Path) -> Path:
    """An Occluded-Duke of 10 images, at parent/Occluded_Duke, which is returned."""
    return _duke(parent / "Occluded_Duke", OCCLUDED_DUKE)


def p_dukemtmc(parent: Path) -> Path:
    """A P-DukeMTMC-reid of 10 images, at parent/P-DukeMTMC-reid, which is returned."""
    root = parent / "P-DukeMTMC-reid"
    for folder, names in P_DUKE.items():
        for name in names:
            image(root / folder / name[:4] / name, 30, 60)
    return root


def occluded_reid(parent: Path) -> Path:
    """An Occluded-REID of 2 persons with 5 + 5 images, at parent/Occluded_REID, which is returned."""
    root = parent / "Occluded_REID"
    for folder in ("occluded_body_images", "whole_body_images"):
        for person in ("001", "200"):
            for number in range(1, 6):
                image(root / folder / person / f"{person}_{number:02d}.tif", 64, 128)
    return root


def msmt17_v1(parent: Path) -> Path:
    """An MSMT17_V1 of 9 images, at parent/MSMT17_V1, which is returned, and one image that no list names."""
    return _msmt17(parent, "MSMT17_V1")


def msmt17_v2(parent: Path) -> Path:
    """As `msmt17_v1`, MSMT17_V2."""
    return _msmt17(parent, "MSMT17_V2")


def _duke(root: Path, folders: dict[str, list[str]]) -> Path:
    for folder, names in folders.items():
        for number, name in enumerate(names):
            image(root / folder / name, 40 + number, 90 + 2 * number)
    (root / "LICENSE_DukeMTMC-reID.txt").write_text("...\n")
    return root


def _msmt17(parent: Path, archive: str) -> Path:
    root = parent / archive
    train, test = MSMT_FOLDERS[archive]
    for name, lines in MSMT_LISTS.items():
        folder = train if name in ("list_train.txt", "list_val.txt") else test
        for line in lines:
            image(root / folder / line.split()[0])
        (root / name).write_text("\n".join(lines) + "\n")
    image(root / test / "0001/0001_001_03_0303noon_0001_0.jpg")
    return root
