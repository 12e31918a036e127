"""Own photos: `root/<person>/<camera>/*.jpg`, or any files listed in `root/images.csv`.

One image shows one person, cut out. Person and camera names may be any text. They become numbers in byte order of the
names (persons from 1, because 0 means distractor in the image table; cameras from 0), and the table's `about` metadata
keeps both lists. Without a camera folder (`root/<person>/*.jpg`) or value, camid is null: such an image shares its
camera with none. A person named -1 is junk: in the gallery, never ranked.

Who trains and who is searched for: folders or values `train`, `query`, `gallery` (and `val`) say it; `test` leaves
query and gallery to the rule of `partreid.datasets.splits`; nothing said at all leaves everything to it. All photos
under `test`, or `query` and `gallery` alone, make a set that is only searched, with a model trained on another one.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from partreid.datasets import counts, images, names, splits
from partreid.datasets.prospects import NO_QUERIES
from partreid.datasets.table import CSV, listed
from partreid.datasets.walk import Skipped, Walk, printable
from partreid.errors import UserError
from partreid.storage import image_table
from partreid.words import counted

# names of splits elsewhere; a person is not called so by chance
SIMILAR = ("training", "testing", "validation", "valid", "probe", "bounding_box_train", "bounding_box_test")
GIVEN = ("train", "val", "query", "gallery", "test")  # test: query or gallery, by the rule
TREE = """
<root>/<person>/<camera>/*.jpg             person and camera: any names; also png, bmp, webp, tif
<root>/<person>/*.jpg                      when there are no cameras
<root>/<split>/<person>/<camera>/*.jpg     split: train, val, query, gallery, test
<root>/images.csv                          columns path, pid and, if known, camid, split
"""


def read(root: Path) -> pa.Table:
    """Read the image table of a folder of own photos (see the module's text).

    Rows: by split in the order of SPLITS, each in byte order of the paths. Unreadable and missing images are
    skipped and named. Raises UserError for a wrong layout, a CSV that cannot be understood, an unknown split, and when
    no image is left or nobody can be searched for.
    """
    walk = Walk(root)
    if (root / CSV).is_file():
        rows, skipped = listed(root)
    else:
        rows = _walk(root, walk)
        skipped = walk.skipped
    rows, spelled = _named(rows)
    given = _given(rows)
    rows, unreadable = images.measure(root, rows)
    skipped += unreadable
    if not rows:
        raise images.bad_layout(root, f"no readable image, {_told(skipped)}", TREE)
    persons = sorted({row["person"] for row in rows} - {str(image_table.JUNK)}, key=str.encode)
    cameras = sorted({row["camera"] for row in rows if row["camera"]}, key=str.encode)
    pids = {str(image_table.JUNK): image_table.JUNK} | {name: number for number, name in enumerate(persons, start=1)}
    camids = {name: number for number, name in enumerate(cameras)}
    rows = [{**row, "pid": pids[row["person"]], "camid": camids.get(row["camera"])} for row in rows]
    rows, warnings = _split(rows, given, skipped)
    about = {
        "dataset": "folder",
        "found": counts.count(rows),
        "skipped": skipped,
        "ignored": dict(sorted(walk.ignored.items())),
        "warnings": spelled + warnings + _doubts(rows, persons, cameras),
        "persons": persons,  # pid 1, 2, ...
        "cameras": cameras,  # camid 0, 1, ...
    }
    return image_table.build(images.in_order(rows, image_table.SPLITS), about)


def _named(rows: Sequence[images.Row]) -> tuple[list[images.Row], list[str]]:
    """Rows whose persons and cameras have their normal names, and warnings of what became one."""
    persons, warnings = names.unified([row["person"] for row in rows], "persons")
    cameras, more = names.unified([row["camera"] for row in rows], "cameras")
    pairs = zip(rows, persons, cameras, strict=True)
    return [{**row, "person": person, "camera": camera} for row, person, camera in pairs], warnings + more


def _walk(root: Path, walk: Walk) -> list[images.Row]:
    """Rows with path, person, camera ("" = none) and split ("" = not said) of the folder tree."""
    if not root.is_dir():
        raise images.bad_layout(root, "no photos", TREE)
    top = walk.folders()
    words = [name for name in top if name.lower() in GIVEN]
    if words and len(words) < len(top):
        other = next(name for name in top if name.lower() not in GIVEN)
        problem = f"{words[0]}/ is named like a split, but {other}/ is not: put all persons under splits, or none"
        raise images.bad_layout(root, problem, TREE)
    strays = [path for folder in ("", *words) for path in walk.files(folder)]
    walk.skipped += [[printable(path), "lies in no person's folder"] for path in strays]
    rows: list[images.Row] = []
    empty = []
    for split in words or [""]:
        for person in walk.folders(split):
            home = f"{split}/{person}" if split else person
            _no_split(root, home, "person", split)
            before = len(rows)
            for camera in ["", *walk.folders(home)]:
                folder = f"{home}/{camera}" if camera else home
                if camera:
                    _no_split(root, folder, "camera", split)
                for path in walk.files(folder):
                    rows.append({"path": path, "person": person, "camera": camera, "split": split.lower()})
                if camera:
                    walk.skipped += [_deeper(walk, f"{folder}/{name}") for name in walk.folders(folder)]
            if len(rows) == before:
                empty.append(printable(f"{home}/"))
    named = {path for path, _ in walk.skipped}  # with a better reason
    walk.skipped += [[path, "a person's folder without an image"] for path in empty if path not in named]
    return rows


def _deeper(walk: Walk, folder: str) -> list[str]:
    return [
        printable(f"{folder}/"),
        f"folders inside a camera's are not read ({counted(len(walk.below(folder)), 'image')})",
    ]


def _no_split(root: Path, path: str, level: str, split: str) -> None:
    """UserError when a folder that would be a person's or a camera's is named like a split."""
    name = path.rpartition("/")[2]
    if name.lower() in (*GIVEN, *SIMILAR):
        raise images.bad_layout(
            root,
            f"{path}/ would be read as the {level} {name!r}, but is named like a split, which stands once, at the top: "
            f"{_understood(path, split)}. Move its folders, or give the {level} another name",
            TREE,
        )


def _understood(path: str, split: str) -> str:
    """A path with what each of its folders would be."""
    roles = [*(["split"] if split else []), "person", "camera"]
    return ", ".join(f"{role} {name!r}" for role, name in zip(roles, path.split("/"), strict=False))


def _given(rows: Sequence[images.Row]) -> bool:
    """Whether the rows name their splits.

    UserError for an unknown word, for junk outside the gallery, and when only some rows name one.
    """
    for row in rows:
        if row["split"] and row["split"] not in GIVEN:
            raise UserError(f"{row['path']}: unknown split {row['split']!r}; known: {', '.join(GIVEN)}")
        if row["person"] == str(image_table.JUNK) and row["split"] not in ("", "gallery", "test"):
            raise UserError(f"{row['path']}: person -1 is junk, which belongs in the gallery, not in {row['split']}")
    silent = [row["path"] for row in rows if not row["split"]]
    if silent and len(silent) < len(rows):
        raise UserError(
            f"{len(silent)} of {len(rows)} images name no split (the first: {silent[0]}); name one for all, or for none"
        )
    return bool(rows) and not silent


def _told(skipped: Skipped) -> str:
    first = f"; the first: {skipped[0][0]} ({skipped[0][1]})" if skipped else ""
    return f"{len(skipped)} skipped{first}"


def _split(rows: list[images.Row], given: bool, skipped: Skipped) -> tuple[list[images.Row], list[str]]:
    """Rows with their final split, and warnings. UserError when the rule finds nobody to search for.

    skipped: what is missing among the rows, which may be why.
    """
    kept = [row for row in rows if given and row["split"] != "test"]
    by_rule = [row for row in rows if not given or row["split"] == "test"]
    if not by_rule:
        return kept, []
    divided, warnings = splits.divide(by_rule, train=not given)
    if not any(row["split"] == "query" for row in divided):
        raise UserError(
            "nobody can be searched for: no person has images from two cameras, nor two images without a camera.\n"
            "Images of one person by one camera never count as an answer. If the photos come from one camera, leave "
            f"the camera folders (or camid) out; each person then needs two images\n"
            f"{counted(len(rows), 'image')} read, {_told(skipped)}"
        )
    return kept + divided, warnings


def _doubts(rows: Sequence[images.Row], persons: Sequence[str], cameras: Sequence[str]) -> list[str]:
    """Warnings about what a table holds; it stays usable."""
    warnings = []
    if len(cameras) > len(persons):  # <camera>/<person>, or a folder of persons taken for one person
        warnings.append(
            f"{counted(len(persons), 'person')}, but {len(cameras)} cameras: are the two exchanged, or is the root one "
            "folder too high, so that persons are read as cameras?"
        )
    if not cameras:
        warnings.append("no cameras: every other image of a person counts as an answer")
    lost, asking = splits.unanswerable(rows)
    if not asking:
        warnings.append(NO_QUERIES)
    if lost:
        warnings.append(f"{lost} of {asking} queries have no gallery image of the same person by another camera")
    tested = {row["person"] for row in rows if row["split"] in ("query", "gallery")}
    both = sorted({row["person"] for row in rows if row["split"] == "train"} & tested)
    if both:
        warnings.append(f"{splits.people(both)} both in training and in the test: results will look too good")
    copies = len(rows) - len({row["sha1"] for row in rows})
    if copies:
        warnings.append(f"{copies} images are byte-for-byte copies of others; a copy is found all too easily")
    return warnings
