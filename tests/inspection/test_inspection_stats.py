import numpy as np
import pytest

from partreid.inspection import stats
from partreid.tools import matching


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (20194.4, "20.2 kB"), (41375482, "41.4 MB"), (5.2e12, "5.2e+03 GB")],
)
def test_sizes(count, shown):
    assert stats.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (90000, "1 day ago"), (-3, "just now")],
)
def test_ages(seconds, shown):
    assert stats.age(seconds) == shown


def test_a_header_becomes_rows():
    header = {"weights": None, "parameters": {"mask": [128, 64], "inner": {"a": 1}}, "tool_parameters": {}}
    rows = [row for key, value in header.items() for row in stats.spread(key, value)]
    assert rows == [
        ("weights", "none"),
        ("parameters.mask", "128, 64"),
        ("parameters.inner.a", "1"),
        ("tool_parameters", "none"),
    ]


def test_centres_are_left_to_the_picture():
    assert stats.spread("centres", [[[0.1, 0.2], [0.3, 0.4]]]) == []
    assert stats.spread("centres", [[0.1, 0.2]]) == []


def test_an_import_report_is_shown_as_its_own_text():
    about = matching.match(["a/1.jpg", "a/2.jpg"], ["1.jpg", "3.jpg"]).about()
    rows = dict(stats.spread("source", {"files": 2, **about}))
    assert rows == {"source.matching": matching.text(about), "source.files": "2"}
    shown = stats.text(list(rows.items()))
    assert "1 of 2 images matched: 1 by file name" in shown
    lines = shown.splitlines()
    assert all(line.startswith((" " * 17, "source.")) for line in lines)


def test_a_table_is_aligned():
    table = stats.Table("Title", ["split", "images"], [["train", "1,024"], ["all", "2"]])
    assert table.text() == "Title\nsplit  images\ntrain   1,024\nall         2"


def test_coverage_table_and_bars_count_every_image():
    split, status = np.array(["train", "query", "train"]), np.array([0, 1, 2], np.uint8)
    table = stats.coverage_table(split, status)
    assert table.rows[0] == ["train", "2", "1", "0", "1", "50.0%"]
    assert table.rows[-1] == ["all", "3", "1", "1", "1", "33.3%"]
    bars = stats.score_bars(status, np.array([1.0, 0.2, 0.0]))
    assert sum(count for _, count in bars.bars) == 2  # the unreadable image has no score
