import base64
import re

import cv2
import numpy as np

from partreid.inspection import page
from partreid.inspection.stats import Bars, Table


def render(cards: list[page.Card], **changes) -> str:
    values = {
        "title": "heads labels of <mine>",
        "subtitle": "from blazepose 1",
        "lead": "2 images.",
        "tables": [Table("Coverage", ["split", "ok"], [["train", "50.0%"]])],
        "bars": Bars("Person score", [("0.0 to 0.5", 0), ("0.5 to 1.0", 3)]),
        "legend": {"head": (1, 2, 3)},
        "legend_note": "",
        "sorted_by": "score",
        "facts": [("Label cache", [("file", "a.parquet")])],
        "command": "python stages/inspect.py heads mine",
    }
    return page.render(cards=cards, **{**values, **changes})


def card(number: int, status: str = "ok", path: str = "a.jpg") -> page.Card:
    strip = page.Strip("", {"image": np.full((20, 10, 3), 40 * number, np.uint8)})
    return page.Card(number, status, "train", path, 0.5, "score 0.50", [strip])


def test_the_page_needs_nothing_from_elsewhere():
    html = render([card(1), card(2, "missing")])
    for reference in re.findall(r"""(?:src|href|url|import)\s*[=(]\s*["']?([^"')\s>]+)""", html):
        assert reference.startswith(("data:", "#")), reference
    assert "http" not in html


def test_the_pictures_are_in_the_page():
    html = render([card(1), card(2)])
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in found]
    assert [picture.shape for picture in pictures] == [(20, 10, 3)] * 2
    assert [int(picture.mean().round()) for picture in pictures] == [40, 80]


def test_every_card_can_be_filtered_and_sorted():
    html = render([card(1), card(2, "missing"), card(3, "missing")])
    assert re.findall(r'data-image="(\d+)" data-status="(\w+)"', html) == [
        ("1", "ok"),
        ("2", "missing"),
        ("3", "missing"),
    ]
    boxes = re.findall(r'name="status" value="(\w+)" checked="checked"/>\w+ <span class="who">(\d+)', html)
    assert boxes == [("ok", "1"), ("missing", "2")]


def test_names_are_escaped():
    html = render([card(1, path='<img src=x>" onerror="alert(1)')])
    assert "<img src=x>" not in html
    assert "<mine>" not in html
    assert '" onerror' not in html


def test_legend_bars_and_facts_are_shown():
    html = render([card(1)])
    assert "rgb(1, 2, 3)" in html
    assert "width: 100.00%" in html
    assert "width: 0.00%" in html
    assert "<dd>a.parquet</dd>" in html
    assert "Person score" not in render([card(1)], bars=None)
