"""The page: well-formed, self-contained, complete; with and without maps and labels."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from partreid.report import inputs, page, ranking
from partreid.report.attention import Looks
from partreid.report.figures import Figure
from partreid.report.page import Facts
from partreid.report.pipeline import Stage

XLINK = "{http://www.w3.org/1999/xlink}href"
NAMES = ("foreground", "head", "feet")
MAPS = Looks(NAMES, np.array([0, 6]), np.full((2, 3, 4, 2), 0.5), np.array([[True, True, False], [True] * 3]))
GLOBAL = Looks(("global",), np.array([0, 6]), np.zeros((2, 0, 1, 1)), np.ones((2, 1), bool))
LABELLED = Looks(*list(vars(MAPS).values())[:4], {"pifpaf": [np.zeros((64, 32, 3), np.uint8), None]})


@pytest.fixture
def make(tmp_path, write_results, album):
    """A function from looks to the page, as text and as parsed tree."""
    write_results(tmp_path / "results", tmp_path / "curves")
    results, pids = inputs.results(tmp_path / "results"), 100 + np.arange(36) // 6

    def render(looks, **more):
        text = page.render(
            title="bpbreid on <tiny>",
            subtitle="recipe laptop",
            results=results,
            curves=inputs.curves(tmp_path / "curves"),
            rankings={name: ranking.choose(results.ranks, name, pids, seed=1) for name in results.metrics},
            looks=looks,
            stages=[
                Stage("one", "dvc.yaml", "make one", (), ("1",), ()),
                Stage("two", "dvc.yaml", "2", ("1",), ("3",), ()),
            ],
            facts=[Facts("Run", [("seed", "1"), ("revision", "abc & def")])],
            commands=["git checkout abc", "dvc repro"],
            album=album,
            **more,
        )
        return text, ElementTree.fromstring(text)

    return render


@pytest.mark.parametrize("looks", [MAPS, LABELLED, GLOBAL], ids=["maps", "labels", "global"])
def test_nothing_is_loaded_from_elsewhere(make, looks):
    text, tree = make(looks)
    for element in tree.iter():
        assert element.tag.rpartition("}")[2] not in ("script", "link", "iframe", "object", "embed")
        for name, value in element.attrib.items():
            if name in ("href", XLINK):
                assert value.startswith("#")
            if name == "src":
                assert value.startswith("data:image/jpeg;base64,")
    assert not re.search(r"url\((?!#)|@import", text)


def test_every_protocol_and_number_is_there(make):
    _, tree = make(MAPS)
    table = tree.find(".//table[@class='metrics']")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    assert rows[1] == ["general", "51.3", "25.0", "87.5", "90.0", "95.0", "100.0", "6", "1,234", "2"]
    assert rows[2] == ["hard", "7.3", "25.0", "87.5", "90.0", "95.0", "100.0", "5", "30", "3"]
    assert [name.split()[0] for name in rows[0]] == [
        "protocol", "mAP", "mINP", "rank-1", "rank-5", "rank-10", "rank-20", "queries", "gallery", "skipped",
    ]  # fmt: skip
    words = "".join(tree.itertext())
    for said in ("only <the> hard & occluded", "bpbreid on <tiny>", "abc & def", "git checkout abc", "make one"):
        assert said in words


def test_every_link_leads_somewhere_and_no_id_is_used_twice(make):
    _, tree = make(LABELLED)
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        for name in ("href", XLINK):
            if name in element.attrib:
                assert element.attrib[name][1:] in ids


def test_every_picture_has_words_and_every_section_a_heading(make):
    _, tree = make(LABELLED)
    assert all(image.attrib["alt"] for image in tree.iter("img"))
    assert all(section.find("h2") is not None for section in tree.iter("section"))


def test_rankings_are_framed_by_match(make):
    _, tree = make(MAPS)
    strip = tree.find(".//details[@id='rankings-hard']//ol")  # the best: first match at rank 8
    images = strip.findall(".//img")
    assert [image.attrib["class"] for image in images] == ["plain"] + ["wrong"] * 7 + ["right"] * 3
    assert images[8].attrib["alt"] == "rank 8, right: person 100 · cam 1, distance 0.070"
    assert images[8].attrib["title"] == "01.png"
    worst = tree.findall(".//details[@id='rankings-hard']//ol")[-3]
    assert "apart" in worst.findall("li")[-1].attrib["class"]  # its first match, rank 13


def test_maps_are_framed_by_visibility(make):
    _, tree = make(LABELLED)
    rows = tree.findall(".//table[@class='looks']/tbody/tr")
    frames = [[image.attrib["class"] for image in row.iter("img")] for row in rows]
    assert frames == [["plain", "plain", "right", "right", "wrong"], ["plain", "right", "right", "right"]]
    assert "nobody found" in "".join(rows[1].itertext())
    assert rows[0].findall("td")[-1].find("img").attrib["alt"] == "feet: invisible"


def test_a_method_without_maps_says_so(make):
    _, tree = make(GLOBAL, notes=["no labels here"])
    words = "".join(tree.itertext())
    assert "no attention maps" in words
    assert "no labels here" in words
    assert tree.find(".//table[@class='looks']") is None
    assert len(tree.findall(".//section[@id='attention']//img")) == 2


def test_a_distance_that_cannot_be_had_is_infinite():
    assert page.distance(float(np.float32(np.inf))) == "∞"
    assert page.distance(0.12345) == "0.123"
    assert page.percent(None) == "–"


def test_the_same_run_gives_the_same_page(make):
    assert make(LABELLED)[0] == make(LABELLED)[0]


def test_a_methods_own_figures_have_a_section(make):
    _, without = make(GLOBAL)
    text, tree = make(GLOBAL, figures=[Figure("Erased rows", "As in figure 4.", np.zeros((8, 6, 3), np.uint8))])
    assert not without.findall(".//*[@id='figures']")
    (section,) = tree.findall(".//*[@id='figures']")
    assert "As in figure 4." in "".join(section.itertext())
    assert 'href="#figures"' in text
