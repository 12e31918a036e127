"""The model card beside the weights."""

import pytest

from partreid.report.card import card, licences

HEADER = {
    "model": "bpbreid",
    "backbone": "mobilenet_v2",
    "height": 128,
    "width": 64,
    "dataset": "market1501",
    "identities": 751,
    "recipe": "laptop",
    "options": {"parts": 5, "triplet_on": ["parts"], "attention_weight": 0.35},
    "training": {"epochs": 24, "learning_rate": 5e-4},
    "seed": 1,
    "table": "e" * 64,
    "labels": {"pifpaf": "a" * 64},
    "label_tools": {"pifpaf": {"tool": "blazepose"}},
    "revision": "c0ffee",
}
METRICS = {"market": {"mAP": 0.545, "rank1": 0.764, "rank5": 0.9, "queries": 3368, "gallery": 19732}}


def test_it_says_data_recipe_labels_metrics_licences_and_uses():
    said = card(HEADER, METRICS, "market1501", {})
    for words in (
        "# bpbreid trained on market1501",
        "| image | 128 x 64 pixels, RGB |",
        "| values | parts 5, triplet_on parts, attention_weight 0.35 |",
        "| training | epochs 24, learning_rate 0.0005 |",
        f"| label pifpaf | made by blazepose; SHA-256 {'a' * 64} |",
        "| market | 54.5 | 76.4 | 90.0 | – | 3368 | 19732 |",
        "- data set market1501: the terms of its owners",
        "- weights the backbone mobilenet_v2 started from: BSD-3-Clause",
        "- label pifpaf, by blazepose: Apache-2.0",
        "Not meant for:",
    ):
        assert words in said, words


def test_without_a_test_it_says_so():
    assert "Nothing yet: `stages/evaluate.py`" in card(HEADER, {}, "market1501", {})


def test_converted_weights_name_their_origin():
    of = {"file": "a|b.pth.tar", "published by": "torchreid", "sha256": "b" * 64}
    header = {**HEADER, "converted": of, "label_tools": {}, "labels": {}, "training": {}}
    assert rf"| converted from | a\|b.pth.tar of torchreid, SHA-256 {'b' * 64} |" in card(header, {}, "", {})
    assert licences(header, {})[1] == "the released file: the terms of torchreid"


@pytest.mark.parametrize(("tool", "words"), [("openpose", "NON-COMMERCIAL"), ("truth", "see docs/labels.md")])
def test_the_licence_is_that_of_the_tool(tool, words):
    header = {**HEADER, "label_tools": {"pifpaf": {"tool": tool}}}
    assert any(line.startswith(f"label pifpaf, by {tool}: ") and words in line for line in licences(header, {}))
