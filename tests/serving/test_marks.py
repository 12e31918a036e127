"""Marks as CSV: of the gallery's own names, and nothing that a spreadsheet would run."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.search.gallery import Gallery
from partreid.serving import marks

EVIL = '=HYPERLINK("http://evil.example")'
GALLERY = Gallery(
    Path(), None, np.arange(2), [Path("/photos/a.jpg"), Path("/photos/b.jpg")], [EVIL, "Ann, her \"b\""],
    ["a.jpg", "b.jpg"], ["", "@cam"],
)  # fmt: skip
MARK = {"photo": "q.jpg", "box": [1, 2, 30, 40.5], "row": 1, "rank": 3, "distance": 0.25, "same": True, "mark": "right"}


def read(found):
    return list(csv.reader(io.StringIO(found, newline="")))


def test_a_line_says_which_photo_and_which_image_is_called_what():
    head, line = read(marks.table([MARK], GALLERY))
    assert dict(zip(head, line, strict=True)) == {
        "photo": "q.jpg", "left": "1", "top": "2", "right": "30", "bottom": "40.5", "image": "/photos/b.jpg",
        "name": 'Ann, her "b"', "camera": "'@cam", "rank": "3", "distance": "0.250000", "called_same": "yes",
        "mark": "right",
    }  # fmt: skip
    _, line = read(marks.table([{**MARK, "distance": None, "same": None, "mark": "wrong"}], GALLERY))
    assert line[-3:] == ["", "", "wrong"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r", "\n=", "  =", " \t@"])
def test_no_cell_is_a_formula(start):
    text = f"{start}cmd|' /C calc'!A0"
    _, line = read(marks.table([{**MARK, "photo": text, "row": 0}], GALLERY))
    assert line[0] == f"'{text}"
    assert line[6] == f"'{EVIL}"
    assert not any(each.lstrip(" \t\r\n").startswith(("=", "+", "-", "@")) for each in line)


@pytest.mark.parametrize(
    "wrong",
    [
        {"row": 2}, {"row": -1}, {"row": "1"}, {"row": True}, {"row": 0.0}, {"mark": "=1"}, {"box": [1, 2, 3]},
        {"box": ["=1", 2, 3, 4]}, {"rank": "=1"}, {"distance": "=1"}, {"same": "=1"}, {"box": None}, {"same": []},
        {"box": [None, 2, 3, 4]}, {"rank": None}, {"rank": 10**400}, {"distance": 10**400}, {"distance": float("inf")},
        {"box": [1, 2, 10**400, 4]}, {"photo": "\udc80"},
    ],
)  # fmt: skip
def test_what_a_browser_would_not_send_is_refused(wrong):
    with pytest.raises(UserError, match="a mark has"):
        marks.table([{**MARK, **wrong}], GALLERY)


def test_marks_are_a_list_of_marks(monkeypatch):
    for wrong in ({}, None, "x", [None], [[]], ["mark"], [{}]):
        with pytest.raises(UserError):
            marks.table(wrong, GALLERY)
    monkeypatch.setattr(marks, "MOST", 1)
    with pytest.raises(UserError, match="at most 1"):
        marks.table([MARK, MARK], GALLERY)
    assert marks.table([], GALLERY).startswith("photo,left")
