"""The leaderboard's pictures and page, on made-up results."""

import re
from dataclasses import replace

import pytest

from partreid.drawing import plots
from partreid.experiments.leaderboard import Board, Entry
from partreid.experiments.speed_file import Cost
from partreid.methods import METHODS
from partreid.report import leaderboard_page, leaderboard_pictures


def run(*shares):
    return {
        name: {"mAP": share, "rank1": share, "mINP": share} for name, share in zip(("one", "two"), shares, strict=True)
    }


@pytest.fixture
def board():
    entries = [
        Entry("bot", [run(0.2, 0.1), run(0.4, 0.1)], Cost(2, 3, 40.0, 160.0, 0.0, [], [])),
        Entry("mpn", [run(0.5, 0.2)], Cost(3, 4, 20.0, 40.0, 0.1, ["schp"], [])),
        Entry("pah", [], None),
    ]
    return Board("<d>", "laptop", [1, 2], "abc", entries, [], "the CPU")


def test_every_method_looks_like_itself():
    assert set(leaderboard_pictures.LOOKS) == set(METHODS)
    assert len(set(leaderboard_pictures.LOOKS.values())) == len(METHODS)


def test_bars_are_the_means_in_per_cent_with_one_standard_deviation(board):
    (axes,) = leaderboard_pictures.by_protocol(board).axes
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers if hasattr(bars, "patches")]
    assert heights == [pytest.approx([30, 10]), pytest.approx([50, 20])]
    lines = [line.get_segments() for line in axes.collections if len(line.get_segments())]
    assert len(lines) == 1  # of the method with two seeds
    (low, high), _ = lines[0]
    assert high[1] - low[1] == pytest.approx(2 * 14.142, abs=1e-3)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two"]


def test_points_are_at_the_speed_relative_to_the_baseline(board):
    left, right = leaderboard_pictures.against_cost(board).axes
    at = [
        [tuple(dots.get_offsets()[0]) for dots in axes.collections if dots.get_label() in METHODS]
        for axes in (left, right)
    ]
    assert at[0] == [pytest.approx((1, 30)), pytest.approx((0.25, 50))]
    assert at[1] == [pytest.approx((1, 30)), pytest.approx((0.5, 50))]
    assert "one" in left.get_ylabel()


def test_pictures_are_wide_enough_for_a_readme(board):
    for figure in leaderboard_page.pictures(board).values():
        data = plots.png(figure)
        assert int.from_bytes(data[16:20], "big") in range(1150, 1250)  # width in the PNG's header


def test_only_what_there_are_numbers_for_is_drawn(board):
    assert list(leaderboard_page.pictures(board)) == ["accuracy", "cost"]
    uncosted = replace(board, entries=[replace(entry, cost=None) for entry in board.entries])
    assert list(leaderboard_page.pictures(uncosted)) == ["accuracy"]
    assert leaderboard_page.pictures(replace(board, entries=[Entry("bot", [], None)])) == {}


def test_the_page_holds_tables_and_pictures_and_nothing_from_elsewhere(board):
    html = leaderboard_page.render(board, ["make compare"])
    assert html.count("<svg") == 2
    assert html.count("<table") == 4
    assert '<td class="best">50.0</td>' in html
    assert "bot, mpn, pah on &lt;d&gt;" in html
    assert "make compare" in html
    assert not re.search(r"""(src|href)=["']https?:""", html)
    assert leaderboard_page.render(board, ["make compare"]) == html
