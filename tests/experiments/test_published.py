"""The papers' numbers as data: every name is one of ours, every number can be one, every source is a method's paper."""

import importlib
import re

import pytest
import yaml

from partreid.datasets import DATASETS
from partreid.errors import UserError
from partreid.evaluation.protocols import PROTOCOLS, RE_RANKED
from partreid.experiments import published
from partreid.methods import METHODS

MEASURES = ("rank1", "rank5", "rank10", "rank20", "mAP")


@pytest.fixture
def papers(project):
    return yaml.safe_load((project / "published.yaml").read_text())


@pytest.fixture
def entries(project):
    return published.read(project / "published.yaml")


def test_every_name_is_known_and_every_number_is_a_share(entries):
    assert {each.method for each in entries} == set(METHODS)
    for each in entries:
        assert {each.dataset, each.trained_on} <= set(DATASETS)
        for protocol, numbers in each.numbers.items():
            assert protocol.removesuffix(RE_RANKED) in PROTOCOLS[each.dataset]
            assert set(numbers) <= set(MEASURES)
            assert "rank1" in numbers
            assert all(0 <= value <= 100 for value in numbers.values())
            ranks = [numbers[name] for name in MEASURES[:4] if name in numbers]
            assert ranks == sorted(ranks)


def test_every_source_is_the_paper_of_a_method_and_no_row_stands_twice(papers):
    for paper, block in papers.items():
        method = importlib.import_module(f"partreid.methods.{paper}")
        author, year = re.fullmatch(r"(.+) et al\., .*(\d{4})", block["title"]).groups()
        assert author in method.__doc__
        assert year in method.__doc__
        for table, rows in block["tables"].items():
            assert re.fullmatch(r"\d+", table)
            cells = [
                (row["row"], dataset, name) for row in rows for dataset, by in row["results"].items() for name in by
            ]
            assert len(set(cells)) == len(cells), (paper, table)


def test_every_paper_has_its_own_method_on_what_it_is_about(entries):
    def of(dataset, method):
        return [each.numbers for each in published.of(entries, dataset, PROTOCOLS[dataset], [method])]

    assert of("market1501", "mpn")[0] == {"market": {"rank1": 96.3, "mAP": 89.4}}
    assert of("occluded_duke", "bpbreid")[0] == {"occluded": {"rank1": 66.7, "mAP": 54.1}}
    assert of("prcc", "fsam")[0]["cross-clothes-single-shot"] == {"rank1": 54.5, "rank10": 86.4}
    assert of("celeb_reid", "pah") == [{"celeb": {"rank1": 69.0, "rank5": 82.7, "mAP": 23.6}}]
    assert of("dukemtmc", "pabr")[0]["duke"]["mAP"] == 64.2


def test_what_was_trained_elsewhere_is_not_beside_what_was_trained_here(entries):
    assert published.of(entries, "occluded_reid", ["occluded"], list(METHODS)) == []
    assert {each.trained_on for each in entries if each.dataset == "occluded_reid"} == {"market1501"}


def test_methods_come_in_the_order_asked_for_by_the_protocols_asked_for(entries):
    found = [each.method for each in published.of(entries, "market1501", ["market"], ["bpbreid", "bot"])]
    assert found == ["bpbreid"] * 3 + ["bot"]
    (re_ranked,) = published.of(entries, "market1501", ["market re-ranked"], list(METHODS))
    assert (re_ranked.row, re_ranked.numbers["market re-ranked"]["mAP"]) == ("+ re-ranking", 89.9)
    (one,) = published.of(entries, "vc_clothes", ["general"], ["pah"])
    assert one.numbers == {"general": {"rank1": 94.2, "mAP": 90.2}}
    assert published.of(entries, "synthetic", ["general"], ["bot"]) == []


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"market": {"market": {}}}, "unknown data set with protocols 'market'"),
        ({"market1501": {"new": {}}}, "unknown protocol of market1501 'new'; known: market"),
        ({"market1501": {"market reranked": {}}}, "unknown protocol of market1501"),
    ],
)
def test_an_unknown_name_is_told(tmp_path, results, message):
    row = {"row": "X", "method": "bot", "results": results}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"x": {"title": "X", "tables": {"1": [row]}}}))
    with pytest.raises(UserError, match=message):
        published.read(tmp_path / "p.yaml")
