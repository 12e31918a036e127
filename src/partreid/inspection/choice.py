"""Which images to look at."""

import re
from collections.abc import Collection

import numpy as np

from partreid.errors import UserError
from partreid.storage.cache import STATUS

COUNT = 24  # images that are drawn when nobody says how many
MOST = 1000  # images on one page: what memory and a browser bear


def parse_ids(text: str, images: int) -> np.ndarray:
    """Image ids as `3,17,100-120` names them: int64 (n,), ascending, without repeats.

    images: how many there are. UserError for anything but numbers and ranges below that.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not found:
            raise UserError(f"--ids takes numbers and ranges, such as 3,17,100-120; found {part.strip()!r}")
        low, high = int(found[1]), int(found[2] or found[1])
        if low > high:
            raise UserError(f"--ids: the range {part.strip()} is empty; write it as {high}-{low}")
        if high >= images:
            raise UserError(f"--ids: there is no image {max(low, images)}; the image table has 0..{images - 1}")
        chosen.update(range(low, high + 1))
    return np.array(sorted(chosen), np.int64)


def candidates(
    split: np.ndarray, *, ids: str | None = None, wanted_split: str | None = None
) -> tuple[np.ndarray, list[str]]:
    """The images that ids and split allow: int64 (n,), ascending, and these filters in words.

    split: strings (N,), of every image. UserError for ids or a split that are not there, or when nothing is left.
    """
    rows = parse_ids(ids, len(split)) if ids is not None else np.arange(len(split))
    words = [f"ids {ids}"] if ids is not None else []
    if wanted_split is not None:
        if wanted_split not in split:
            raise UserError(f"no image has the split {wanted_split!r}; found: {', '.join(dict.fromkeys(split))}")
        rows = rows[split[rows] == wanted_split]
        words.append(f"split {wanted_split}")
    if not len(rows):
        raise UserError(f"no image matches {' and '.join(words)}")
    return rows, words


def with_status(rows: np.ndarray, words: list[str], status: np.ndarray, wanted: Collection[str]) -> np.ndarray:
    """Those of the rows whose status (N,) is one of the wanted names. UserError when there is none."""
    kept = rows[np.isin(status[rows], [STATUS.index(name) for name in wanted])]
    if not len(kept):
        counts = np.bincount(status[rows], minlength=len(STATUS))
        found = ", ".join(f"{count} {name}" for name, count in zip(STATUS, counts, strict=True))
        raise UserError(
            f"no image is {' or '.join(wanted)}{''.join(f' with {word}' for word in words)}; found: {found}"
        )
    return kept


def bearable(rows: np.ndarray) -> None:
    """UserError when these are too many images to draw."""
    if len(rows) > MOST:
        raise UserError(f"{len(rows):,} images are too many for one page, which takes {MOST:,}; give a smaller --count")


def draw(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` of the rows at random, ascending; all of them if there are no more."""
    if count >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))


def worst(rows: np.ndarray, score: np.ndarray, count: int) -> np.ndarray:
    """`count` of the rows with the lowest scores (N,), lowest first; ties in the order of the rows."""
    return rows[np.argsort(score[rows], kind="stable")][:count]
