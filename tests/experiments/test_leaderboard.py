"""The leaderboard as text, on made-up results."""

import csv
import io
import json
from dataclasses import replace

import pytest

from partreid import params
from partreid.experiments import leaderboard
from partreid.experiments.leaderboard import Board, Cost, Entry
from partreid.experiments.published import Published
from partreid.methods import METHODS
from partreid.storage import source


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


@pytest.fixture
def p(project):
    return params.load(project / "params.yaml")


@pytest.fixture
def speed(p, board, tmp_path):
    """A speed.json of the board's costs."""
    costs = {entry.model: entry.cost for entry in board.entries}
    about = {"device": "the CPU", "revision": "abc", "batch": 8, "rounds": 1}
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(leaderboard.measured(about, p, costs)))
    return path


def test_costs_are_read_back_with_where_they_were_measured(p, board, speed):
    bot, pah, _ = (entry.cost for entry in board.entries)
    assert leaderboard.recorded(speed, p, ["pah", "bot"]) == ({"pah": pah, "bot": bot}, "the CPU (revision abc)")


def test_a_measurement_of_other_values_is_out_of_date(p, speed, monkeypatch):
    def known(p, *models):
        return leaderboard.recorded(speed, p, models) is not None

    assert known(p, "bot", "pah")
    assert not known(p, "bot", "pcb")
    wider = replace(p, methods={**p.methods, "pah": {**p.methods["pah"], "parts": 5}})
    assert known(wider, "bot")
    assert not known(wider, "bot", "pah")
    assert not known(replace(p, recipe="paper"), "bot")
    assert not known(replace(p, methods={**p.methods, "bot": {**p.methods["bot"], "margin": 0.2}}), "bot")
    assert not known(replace(p, train=replace(p.train, device="cuda")), "bot")
    assert not known(replace(p, train=replace(p.train, precision="float32")), "bot")
    assert known(replace(p, train=replace(p.train, seed=7)), "bot")
    assert not known(replace(p, tools={**p.tools, "blazepose": {**p.tools["blazepose"], "looks": 5}}), "bot")
    monkeypatch.setattr(leaderboard, "CODE", ("partreid.experiments.costs",))
    assert not known(p, "bot")


def test_the_code_that_decides_a_cost_is_there():
    assert all(source.reached(name) for name in leaderboard.CODE)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"methods": []}', '{"methods": {"bot": 1}}', '{"methods": {"bot": {}}}']
)
def test_another_file_is_no_measurement(p, speed, text):
    speed.write_text(text)
    assert leaderboard.recorded(speed, p, ["bot"]) is None
    speed.unlink()
    assert leaderboard.recorded(speed, p, ["bot"]) is None


def test_a_measurement_of_another_version_is_none(p, speed):
    whole = json.loads(speed.read_text())
    for key in ("device", "revision"):
        speed.write_text(json.dumps({name: value for name, value in whole.items() if name != key}))
        assert leaderboard.recorded(speed, p, ["bot"]) is None
    whole["methods"]["bot"]["more"] = 1
    speed.write_text(json.dumps(whole))
    assert leaderboard.recorded(speed, p, ["bot"]) is None


def test_a_short_revision_still_says_that_something_was_changed():
    assert leaderboard.short("0123456789abcdef0123") == "0123456789ab"
    assert leaderboard.short("0123456789abcdef0123-dirty") == "0123456789ab-dirty"
    assert leaderboard.short("unknown") == "unknown"
