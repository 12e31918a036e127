"""The leaderboard as text, on made-up results."""

import csv
import io
from dataclasses import replace

import pytest

from partreid.experiments import leaderboard
from partreid.experiments.leaderboard import Board, Entry
from partreid.experiments.published import Published
from partreid.experiments.speed_file import Cost
from partreid.methods import METHODS


def run(mAP, rank1, occluded=None):
    other = {"occluded": {"mAP": occluded, "rank1": 0.2, "mINP": 0.05}} if occluded is not None else {}
    return {"general": {"mAP": mAP, "rank1": rank1, "mINP": mAP / 2}, **other}


@pytest.fixture
def board():
    entries = [
        Entry("bot", [run(0.2, 0.4, 0.1), run(0.3, 0.5, 0.1)], Cost(2_000_000, 1280, 40.0, 160.0, 0.0, [], [])),
        Entry("pah", [run(0.6, 0.7, 0.3)], Cost(9_500_000, 4096, 10.0, 80.0, 0.05, ["heads"], ["heads"])),
        Entry("mpn", [], Cost(3_000_000, 768, 20.0, 120.0, None, ["schp"], [])),
    ]
    papers = [
        Published("X et al., Y 2020, table 5", "X", "mpn", "d", {"general": {"rank1": 96.3, "mAP": 89.4}}, "d", "n")
    ]
    return Board("d", "laptop", [1, 2], "abc", entries, papers, "the CPU")


def test_accuracy_with_spread_the_best_emphasised_and_missing_seeds_told(board):
    lines = leaderboard.markdown(board).splitlines()
    assert lines[0] == "# bot, pah, mpn on d"
    assert leaderboard.compared([*METHODS, "another"]) == "All methods"
    assert lines[2].startswith("recipe laptop, seeds 1, 2, revision abc. Per cent")
    at = lines.index("## mAP")
    assert lines[at + 2] == "|  | general | occluded |"
    assert lines[at + 4] == "| bot | 25.0 ± 7.1 | 10.0 ± 0.0 |"
    assert lines[at + 5] == "| pah (1 of 2 seeds) | **60.0** | **30.0** |"
    assert lines[at + 6] == "| mpn (0 of 2 seeds) | - | - |"
    assert lines[lines.index("## mINP") + 4].startswith("| bot | 12.5 ± 3.5 |")
    assert "| pah (1 of 2 seeds) | **70.0** |" in lines[lines.index("## Rank-1") + 5]


def test_a_protocol_that_not_all_seeds_have(board):
    entries = [Entry("bot", [run(0.2, 0.4, 0.1), run(0.3, 0.5)], None)]
    table = leaderboard.accuracy(replace(board, entries=entries), "mAP")
    assert table.rows == [["bot", "25.0 ± 7.1", "10.0"]]
    assert leaderboard.accuracy(replace(board, entries=[Entry("bot", [], None)]), "mAP").rows == [
        ["bot (0 of 2 seeds)"]
    ]


def test_costs_stand_beside_the_baselines(board):
    table = next(table for table in leaderboard.tables(board) if table.title == "Cost")
    assert "one run on the CPU; in brackets against bot" in table.lead
    assert table.rows[0][1:] == ["2.00 M", "1,280", "40.0 (1.00)", "160.0 (1.00)", "-"]
    assert table.rows[1][3:] == ["10.0 (0.25)", "80.0 (0.50)", "50.0 (8.0): heads; in the test too: heads"]
    assert table.rows[2][5] == "not measured: schp"
    without = leaderboard.cost({"mpn": board.entries[2].cost}, "the CPU")
    assert "in brackets against mpn" in without.lead
    assert without.rows[0][3] == "20.0 (1.00)"


def trained(cross_entropy, images=24_576):
    return {"epochs": 24, "steps": 384, "images": images, "cross_entropy": cross_entropy, "chance": 4.1589}


def test_the_budget_shows_what_has_not_converged(board):
    bot, pah, mpn = board.entries
    entries = [
        replace(bot, trainings=[trained(0.8), trained(1.0)]),
        replace(pah, trainings=[trained(None)], otherwise="part_backbone b"),
        mpn,
    ]
    table = leaderboard.tables(replace(board, entries=entries))[3]
    assert table.title == "Budget"
    assert table.header == ["", "images seen", "steps", "cross-entropy per classifier", "chance", "otherwise"]
    assert table.rows == [
        ["bot", "24,576", "384", "0.90", "4.16", "-"],
        ["pah", "24,576", "384", "no classifier", "4.16", "part_backbone b"],
    ]
    first, *_ = csv.DictReader(io.StringIO(leaderboard.as_csv(replace(board, entries=entries))))
    told = [first[name] for name in ("images_seen", "steps", "cross_entropy", "chance")]
    assert told == ["24576.0", "384.0", "0.9", "4.1589"]


def test_what_is_not_there_has_no_table(board):
    bare = replace(board, published=[], entries=[replace(entry, cost=None) for entry in board.entries])
    assert [table.title for table in leaderboard.tables(bare)] == ["mAP", "Rank-1", "mINP"]
    assert [table.title for table in leaderboard.tables(board)][3:] == ["Cost", "Published"]


def test_the_papers_numbers_with_their_source(board):
    table = leaderboard.beside(board)
    assert table.header == ["", "row", "source", "general", "note"]
    assert table.rows == [["mpn", "X", "X et al., Y 2020, table 5", "89.4 / 96.3", "n"]]
    plain = leaderboard.beside(replace(board, published=[replace(board.published[0], note="")]))
    assert (plain.header[-1], plain.rows[0][-1]) == ("general", "89.4 / 96.3")


def test_the_csv_has_a_line_per_method_and_protocol(board):
    lines = list(csv.DictReader(io.StringIO(leaderboard.as_csv(board))))
    assert len(lines) == 3 * 2 + 1
    first, *_, missing, paper = lines
    assert (first["method"], first["protocol"], first["seeds"], first["mAP"], first["mAP_std"]) == (
        "bot", "general", "2", "25.0", "7.071",
    )  # fmt: skip
    assert (first["parameters"], first["train_images_per_second"], first["label_seconds"]) == ("2000000", "40.0", "0.0")
    assert (missing["method"], missing["mAP"], missing["seeds"], missing["label_seconds"]) == ("mpn", "", "0", "")
    assert (paper["source"], paper["rank1"], paper["seeds"]) == ("X et al., Y 2020, table 5, X", "96.3", "")
