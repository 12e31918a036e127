"""The facts of a report."""

from partreid.report import facts


def test_says_apart_in_what_was_trained_and_in_what_was_embedded():
    found = facts.facts({"precision": "float32"}, {"embeddings": {"embedded_in": "bfloat16"}}, {})
    assert ("trained in", "float32") in found[0].rows
    assert ("embedded in", "bfloat16") in found[0].rows
