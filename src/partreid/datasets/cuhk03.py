"""CUHK03 (Li et al., DeepReID: Deep Filter Pairing Neural Network for Person Re-identification, CVPR 2014).

Archive cuhk03_release.zip, md5 728939e58ad9f0ff53e521857dd8fb43, by a form of the authors' page. Research only; the
release asks to respect the students' privacy. Persons were seen by one of five camera pairs; as in all toolboxes, the
view (1, 2) is the camera. Boxes are `detected` or `labeled` by hand: two data sets. A name like `1_001_1_01.png` is
camera pair, person of the pair, view, image 01-10. pid counts the persons of all pairs from 1.

The release is one file, cuhk-03.mat. The first run writes its images to images_detected/ or images_labeled/ beside it,
once, and never touches a folder of that name that is there already (other toolboxes write the same).

New protocol, 767 training and 700 test persons (Zhong et al., Re-ranking Person Re-identification with k-reciprocal
Encoding, CVPR 2017): the split is in two files of github.com/zhunzhong07/person-re-ranking, evaluation/data/CUHK03,
md5 27237df9b418c99ee4f82ceefa641a91 (detected) and cd0a6a651ecbbbd7b4af919e2b08c0b1 (labeled); 699 of the 700 test
persons agree. The folders cuhk03-np/ of the same authors, in Market-1501's naming, are read too.

Classic protocol: the release's 20 test sets of 100 persons, everybody else trains; results are averaged over the 20.
View 1 of the test is the split query, view 2 gallery. Toolboxes take all test images as both; that, and drawing one
gallery image per person, is a matter of the protocol, which has every test image in one of the two splits. (Papers that
speak of 13,164 images of 1,360 persons mean the camera pairs 1 to 3.)
"""

import re
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, cuhk03_mat, images, matlab, notes
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey
from partreid.errors import UserError

ARCHIVE = "cuhk03_release"
MAT = "cuhk-03.mat"
CONFIG = "cuhk03_new_protocol_config_{kind}.mat"
READY = "cuhk03-np"  # the new protocol as folders
READY_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
READY_NAME = re.compile(r"(\d{4})_c([12]).*\.(?:png|jpg)", re.ASCII)
NAME = re.compile(r"([1-5])_(\d{3})_([12])_(\d{2})\.png", re.ASCII)
EXAMPLE = "1_001_1_01.png"
BEFORE = (0, 843, 1283, 1360, 1418)  # persons of the camera pairs before 1, 2, ..; pair 5 has 49
TREE = """
cuhk03_release/                this folder, or the one that holds it
  cuhk-03.mat                  the release, with all images inside
  {folder:<28} its images like 1_001_1_01.png, written once from cuhk-03.mat where not yet there
  {config}
                               new protocol: of github.com/zhunzhong07/person-re-ranking, evaluation/data/CUHK03
"""
READY_TREE = """
or, for the new protocol:
cuhk03-np/                     this folder, or the one that holds it
  {kind}/
    bounding_box_train/        {train:,} images like 0001_c1_1.png
    query/                     {query:,} images
    bounding_box_test/         {gallery:,} images
"""

# counted in the two files of the new protocol; the image totals are those of its README
PUBLISHED: dict[str, counts.Counts] = {
    "detected": {
        "train images": 7365,
        "train persons": 767,
        "query images": 1400,
        "query persons": 700,
        "query images per camera": [700, 700],
        "gallery images": 5332,
        "gallery persons": 700,
    },
    "labeled": {
        "train images": 7368,
        "train persons": 767,
        "query images": 1400,
        "query persons": 700,
        "query images per camera": [700, 700],
        "gallery images": 5328,
        "gallery persons": 700,
    },
}
CLASSIC_PUBLISHED: counts.Counts = {"train persons": 1367, "query persons": 100, "gallery persons": 100}
ONE_VIEW = (3, 68)  # the one person (camera pair, person) without labeled images in view 1: nothing of theirs can ask
IMAGES = {"detected": 14097, "labeled": 14096}


def read_detected(root: Path) -> pa.Table:
    """Read the image table of the new protocol with detected boxes.

    root: the release's folder, the one that holds it, cuhk03-np or the one that holds it. Rows: train, query, gallery,
    each in byte order of the names. camid is the view minus 1. Raises UserError when neither form is there, the file of
    the split is missing or the set is empty; a copy that lacks images only gets warnings. Writes the images of
    cuhk-03.mat to files where that was not yet done (see cuhk03_mat.extract).
    """
    return _read_new(root, "detected")


def read_labeled(root: Path) -> pa.Table:
    """As `read_detected`, with boxes labeled by hand."""
    return _read_new(root, "labeled")


def read_classic_detected(root: Path, split: int = 0) -> pa.Table:
    """Read the image table of the classic protocol with detected boxes.

    root: the release's folder or the one that holds it. split: which of the 20 test sets, 0..19; `about` keeps it, with
    `test_persons`, the pids. Rows, order, errors: as `read_detected`; a UserError too for another split, and when
    cuhk-03.mat, which holds the test sets, is missing.
    """
    return _read_classic(root, "detected", split)


def read_classic_labeled(root: Path, split: int = 0) -> pa.Table:
    """As `read_classic_detected`, with boxes labeled by hand."""
    return _read_classic(root, "labeled", split)


def _read_new(root: Path, kind: str) -> pa.Table:
    dataset = f"cuhk03_{kind}"
    folders = {split: f"{kind}/{folder}" for split, folder in READY_FOLDERS.items()}
    if any((root / home / folder).is_dir() for home in ("", READY) for folder in folders.values()):
        survey = Survey(root, tuple(folders.values()), READY, _tree(kind))
        rows: list[Row] = [
            {"path": path, "split": split, "pid": int(match[1]), "camid": int(match[2]) - 1}
            for split, folder in folders.items()
            for path, match in survey.named(folder, READY_NAME, "0001_c1_1.png")
        ]
        return survey.table(dataset, rows, PUBLISHED[kind])
    survey = _survey(root, kind)
    file = _beside(root, CONFIG.format(kind=kind), kind)
    names, train, query, gallery = matlab.read(file, "filelist", "train_idx", "query_idx", "gallery_idx")
    present = {Path(row["path"]).name: row for row in _rows(survey, kind)}
    rows = []
    absent = []
    for split, indices in (("train", train), ("query", query), ("gallery", gallery)):
        if indices.min() < 1 or indices.max() > len(names):
            raise UserError(f"{file}: {split}_idx points outside of filelist; fetch it again")
        for name in names[indices.astype(int) - 1]:
            if name in present:
                rows.append(present.pop(name) | {"split": split})
            else:
                absent.append(name)
    survey.skipped += [[row["path"], f"{file.name} does not name it"] for row in present.values()]
    table = survey.table(dataset, rows, PUBLISHED[kind])
    if absent:
        lack = f"images_{kind} lacks {len(absent)} images that {file.name} names; the first: {min(absent)}"
        table = notes.add(table, [lack])
    return table


def _read_classic(root: Path, kind: str, split: int) -> pa.Table:
    mat = _beside(root, MAT, kind)
    testsets = cuhk03_mat.testsets(mat)
    if split not in range(len(testsets)):
        raise UserError(f"CUHK03 has {len(testsets)} test sets, 0 to {len(testsets) - 1}; there is no split {split}")
    tested = {_pid(pair, person) for pair, person in testsets[split]}
    survey = _survey(root, kind)
    rows = [
        row | {"split": ("query", "gallery")[row["camid"]] if row["pid"] in tested else "train"}
        for row in _rows(survey, kind)
    ]
    published = dict(CLASSIC_PUBLISHED)
    if kind == "labeled" and ONE_VIEW in testsets[split]:
        published["query persons"] = 99
    table = survey.table(f"cuhk03_classic_{kind}", rows, published)
    lack = f"this copy has {len(table)} {kind} images, published {IMAGES[kind]}"
    return notes.add(table, [lack] if len(table) != IMAGES[kind] else [], split=split, test_persons=sorted(tested))


def _pid(pair: int, person: int) -> int:
    """1..1467 in the order of camera pairs and of the persons of each, as in the files of the new protocol."""
    return BEFORE[pair - 1] + person


def _rows(survey: Survey, kind: str) -> list[Row]:
    """Rows with path, pid and camid of all images of the release."""
    return [
        {"path": path, "pid": _pid(int(match[1]), int(match[2])), "camid": int(match[3]) - 1}
        for path, match in survey.named(f"images_{kind}", NAME, EXAMPLE)
    ]


def _survey(root: Path, kind: str) -> Survey:
    """A look through images_<kind>, which is made now where only cuhk-03.mat is there."""
    folder = f"images_{kind}"
    homes = (root, root / ARCHIVE)
    if not any((home / folder).is_dir() for home in homes):
        mat = next((home / MAT for home in homes if (home / MAT).is_file()), None)
        if mat is None:
            raise images.bad_layout(root, f"this is not {ARCHIVE}: neither {MAT} nor {folder} is there", _tree(kind))
        cuhk03_mat.extract(mat, kind, mat.parent / folder)
    return Survey(root, (folder,), ARCHIVE, _tree(kind))


def _beside(root: Path, name: str, kind: str) -> Path:
    """The file in `root` or in the release's folder in it."""
    for home in (root, root / ARCHIVE):
        if (home / name).is_file():
            return home / name
    raise images.bad_layout(root, f"there is no {name}", _tree(kind))


def _tree(kind: str) -> str:
    sizes = {split: PUBLISHED[kind][f"{split} images"] for split in READY_FOLDERS}
    own = TREE.format(folder=f"images_{kind}/", config=CONFIG.format(kind=kind))
    return own + READY_TREE.lstrip("\n").format(kind=kind, **sizes)
