"""MARS (Zheng et al., MARS: A Video Benchmark for Large-Scale Person Re-identification, ECCV 2016).

Frames: bbox_train.zip and bbox_test.zip of the project page; info/: github.com/liangzheng06/MARS-evaluation. Research
only.

A name like `0001C1T0001F001.jpg` is person, camera 1-6, tracklet, frame. Person 0000 is a distractor (ranked, always
wrong), 00-1 is junk (never ranked). What a tracklet is, only info/ says: a row of tracks_train_info or tracks_test_info
holds the first and the last line of its frames in train_name.txt or test_name.txt (from 1), the person and the camera;
query_IDX holds the rows of tracks_test_info that ask.

A row of the image table is a frame. The split query holds the frames of the query tracklets, gallery those of all other
test tracklets. The official evaluator ranks against all test tracklets, the asking ones included, so its gallery is
query and gallery together; 140 of the 1,980 queries have no match in the gallery alone. Which one is used is a matter
of the protocol.

All 1.19 million frames are read and decoded once, so that a damaged one is found now: 0.3 ms each on one core.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from partreid.datasets import counts, images, matlab, notes
from partreid.datasets.images import Row
from partreid.datasets.survey import Survey
from partreid.errors import UserError
from partreid.storage import image_table

ARCHIVE = "mars"
FOLDERS = {"train": "bbox_train", "test": "bbox_test"}
INFO = ("train_name.txt", "test_name.txt", "tracks_train_info.mat", "tracks_test_info.mat", "query_IDX.mat")
NAME = re.compile(r"(\d{4}|00-1)C([1-6])T(\d{4})F(\d{3})\.jpg", re.ASCII)
EXAMPLE = "0001C1T0001F001.jpg"
BATCH = 65536  # frames whose rows are Python objects at a time: 2 KB each, which would be 2.4 GB for all
TREE = """
mars/                          this folder, or the one that holds it
  bbox_train/                  625 folders 0001/, ... with 509,914 images like 0001C1T0001F001.jpg
  bbox_test/                   636 folders 00-1/, 0000/, 0002/, ... with 681,089 images
  info/                        of github.com/liangzheng06/MARS-evaluation:
    train_name.txt             509,914 lines like 0001C1T0001F001.jpg
    test_name.txt              681,089 lines
    tracks_train_info.mat      8,298 tracklets
    tracks_test_info.mat       12,180 tracklets
    query_IDX.mat              1,980 of them
"""

# counted in info/; the paper's tracklets (20,715, with junk and distractors) are more than the 20,478 of info/
PUBLISHED: counts.Counts = {
    "train images": 509914,
    "train persons": 625,
    "train images per camera": [102451, 118201, 85403, 48512, 114158, 41189],
    "query images": 114493,
    "query persons": 626,
    "query images per camera": [29576, 24208, 21086, 12600, 20646, 6377],
    "gallery images": 566596,
    "gallery persons": 620,
    "gallery images per camera": [91712, 170083, 70973, 44006, 97969, 91853],
    "gallery distractors": 147743,
    "gallery junk": 23380,
}
TRACKLETS = {"train": 8298, "query": 1980, "gallery": 10200}


def read(root: Path) -> pa.Table:
    """Read the image table of the set at `root` (its own folder or the one that holds it).

    Rows: train, query, gallery, each in byte order of the names, so the frames of a tracklet follow one another. pid as
    in the name (00-1 is -1), camid the name's camera minus 1, frame the name's frame number. tracklet_id is the row,
    from 0, of tracks_train_info; for the test it is the row of tracks_test_info plus the number of training tracklets.
    `about` has the number of `tracklets` by split. Frames that info/ does not name are skipped. Raises UserError when a
    folder or a file of info/ is missing, when the files of info/ contradict one another, or no frame is left; a copy
    that lacks frames only gets warnings.
    """
    survey = Survey(root, (*FOLDERS.values(), "info"), ARCHIVE, TREE)
    info = root / survey.prefix / "info"
    if absent := [name for name in INFO if not (info / name).is_file()]:
        raise images.bad_layout(info, f"incomplete: {info} lacks {', '.join(absent)}", TREE)
    train, test = _tracks(info, "train"), _tracks(info, "test")
    splits = np.where(_asks(info, len(test)), "query", "gallery")
    train_names, test_names = _names(info, "train", train), _names(info, "test", test)
    warnings: list[str] = []
    table = _measured(
        survey,
        _rows(survey, "train", train_names, train, np.full(len(train), "train"), 0, warnings),
        _rows(survey, "test", test_names, test, splits, len(train), warnings),
    )
    found = counts.count(table.select(["split", "pid", "camid"]).to_pylist())
    tracklets = {"train": len(train)} | {split: int(np.sum(splits == split)) for split in ("query", "gallery")}
    warnings += [f"info/ is altered: tracklets of {line}" for line in counts.differences(tracklets, TRACKLETS)]
    warnings += [f"this copy is incomplete or altered: {line}" for line in counts.differences(found, PUBLISHED)]
    return notes.add(
        table,
        warnings,
        dataset="mars",
        found=found,
        published=PUBLISHED,
        tracklets=tracklets,
        skipped=survey.skipped,
        ignored=dict(sorted(survey.ignored.items())),
    )


def _tracks(info: Path, part: str) -> np.ndarray:
    """int64 (T, 4), one row per tracklet: first and last line of its frames (from 1, inclusive), person, camera.

    UserError when the tracklets do not follow one another without gaps.
    """
    file = info / f"tracks_{part}_info.mat"
    (tracks,) = matlab.read(file, f"track_{part}_info")
    tracks = np.atleast_2d(tracks)
    if tracks.shape[1] != 4 or tracks.dtype.kind not in "iuf":
        raise UserError(f"{file}: found {tracks.dtype} {tracks.shape}, expected numbers with 4 columns; fetch it again")
    tracks = tracks.astype(np.int64)
    first, last = tracks[:, 0], tracks[:, 1]
    if first[0] != 1 or np.any(first[1:] != last[:-1] + 1) or np.any(last < first):
        raise UserError(f"{file}: its tracklets leave gaps or overlap, which MARS's do not; fetch it again")
    return tracks


def _asks(info: Path, tracklets: int) -> np.ndarray:
    """bool (tracklets,): which tracklets of the test ask."""
    (rows,) = matlab.read(info / "query_IDX.mat", "query_IDX")
    rows = rows.ravel().astype(np.int64)
    if rows.min() < 1 or rows.max() > tracklets:
        problem = f"names the tracklet {rows.max()}, but tracks_test_info.mat has {tracklets}"
        raise UserError(f"{info / 'query_IDX.mat'} {problem}: they do not belong together; fetch both again")
    asks = np.zeros(tracklets, bool)
    asks[rows - 1] = True
    return asks


def _rows(
    survey: Survey,
    part: str,
    names: Sequence[str],
    tracks: np.ndarray,
    splits: np.ndarray,
    offset: int,
    warnings: list[str],
) -> Iterator[Row]:
    """Rows of the frames of train or test, ordered by split (query before gallery), then by name.

    splits: the split of each tracklet. offset: added to the tracklets' row numbers. Frames that are not there make a
    warning; frames that are there but not named are skipped.
    """
    owner = np.repeat(np.arange(len(tracks)), tracks[:, 1] - tracks[:, 0] + 1)  # (N,), the frames' tracklets
    folder = FOLDERS[part]
    present = {path for path, _ in survey.by_person(folder, NAME, EXAMPLE)}
    absent: list[str] = []
    for row in np.lexsort((np.array(names, np.bytes_), splits[owner] == "gallery")):
        name = names[row]
        path = f"{survey.prefix}{folder}/{name[:4]}/{name}"
        if path not in present:
            absent.append(path)
            continue
        present.remove(path)
        tracklet = owner[row]
        yield {
            "path": path,
            "split": str(splits[tracklet]),
            "pid": int(tracks[tracklet, 2]),
            "camid": int(tracks[tracklet, 3]) - 1,
            "tracklet_id": offset + int(tracklet),
            "frame": int(name[-7:-4]),
        }
    if absent:
        warnings.append(f"{folder} lacks {len(absent)} of {len(names)} frames; the first: {min(absent)}")
    survey.skipped += [[path, f"info/{part}_name.txt does not name it"] for path in sorted(present)]


def _names(info: Path, part: str, tracks: np.ndarray) -> list[str]:
    """The lines of train_name.txt or test_name.txt. UserError, with the line, where they contradict the tracklets."""
    file = info / f"{part}_name.txt"
    names = file.read_text(encoding="utf-8", errors="replace").split()
    if len(names) != tracks[-1, 1]:
        problem = f"has {len(names)} lines, but tracks_{part}_info.mat needs {tracks[-1, 1]}"
        raise UserError(f"{file} {problem}: they do not belong together; fetch both again")
    for first, last, pid, camera in tracks.tolist():
        for line in range(first, last + 1):
            match = NAME.fullmatch(names[line - 1])
            person = match and (image_table.JUNK if match[1] == "00-1" else int(match[1]))
            if match is None or person != pid or int(match[2]) != camera:
                problem = f"line {line}: found {names[line - 1]!r}, expected a frame of person {pid} by camera {camera}"
                raise UserError(f"{file} {problem}, like {EXAMPLE}; fetch info/ again")
    return names


def _measured(survey: Survey, *parts: Iterable[Row]) -> pa.Table:
    """The image table of the rows of all parts, made batch by batch; unreadable frames are added to what is skipped."""
    tables = []
    rows = (row for part in parts for row in part)
    while batch := list(islice(rows, BATCH)):
        measured, unreadable = images.measure(survey.root, batch)
        survey.skipped += unreadable
        tables.append(image_table.build(measured, {}))
    if not sum(map(len, tables)):
        first = f", {len(survey.skipped)} skipped; the first: {': '.join(survey.skipped[0])}" if survey.skipped else ""
        problem = f"the folders hold no frame that info/ names{first}"
        raise images.bad_layout(survey.root / survey.prefix, problem, TREE)
    table = pa.concat_tables(tables)
    return table.set_column(0, table.schema.field("image_id"), pa.array(np.arange(len(table)), pa.int32()))
