"""GiLt against sums over its embeddings."""

import pytest
import torch

from partreid.errors import UserError
from partreid.losses import gilt
from partreid.losses.identity import smoothed_cross_entropy, summed_cross_entropy
from partreid.losses.triplet import batch_hard, euclidean

KNOWN = ("global", "parts")


def test_terms_are_sums_over_the_chosen_embeddings():
    f = {"global": torch.tensor(2.0), "parts": torch.tensor(5.0), "unused": torch.tensor(9.0)}
    terms = gilt.terms(f, ["global", "parts"], ["parts"], lambda name, x: x + len(name), lambda x: 10 * x)
    assert {name: float(value) for name, value in terms.items()} == {"identity": 2 + 6 + 5 + 5, "triplet": 50}
    assert set(gilt.terms(f, [], ["parts"], lambda _, x: x, lambda x: x)) == {"triplet"}


def test_one_part_is_a_plain_triplet_loss():
    x, pid = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    plain = batch_hard(euclidean(x), pid, 0.3)
    for loss in gilt.PART_TRIPLETS.values():
        assert torch.allclose(loss(x, pid, 0.3), plain)
        assert torch.allclose(loss(x[:, None], pid, 0.3), plain)
        assert torch.allclose(loss(x[:, None].expand(6, 3, 4), pid, 0.3), plain, atol=1e-6)  # three equal parts


def test_an_ambiguous_part_costs_by_itself_and_nothing_on_average():
    pid = torch.tensor([0, 0, 1, 1])
    clear = pid[:, None].float() * 10  # far apart by person
    alike = torch.zeros(4, 1)  # the same for everybody
    parts = torch.stack([clear, alike], 1)  # (4, 2, 1)
    assert float(gilt.part_averaged(parts, pid, 0.3)) == 0
    assert float(gilt.part_by_part(parts, pid, 0.3)) == pytest.approx(0.15, abs=1e-4)


@pytest.mark.parametrize(
    ("identity_on", "triplet_on", "words"),
    [
        ("global", [], "are lists of embeddings"),
        (["global"], ["head"], r"unknown embedding .* 'head'; known: global, parts"),
        ([], [], "both empty"),
    ],
)
def test_wrong_names_are_named(identity_on, triplet_on, words):
    with pytest.raises(UserError, match=words):
        gilt.names(identity_on, triplet_on, KNOWN)


def test_classifiers_are_summed():
    logits, pid = torch.randn(4, 3, 5), torch.tensor([0, 4, 4, 1])
    expected = sum(smoothed_cross_entropy(logits[:, k], pid, 0.1) for k in range(3))
    assert torch.allclose(summed_cross_entropy(logits, pid, 0.1), expected)


def test_smoothing_by_the_number_of_classes_is_the_usual_one():
    logits, target = torch.randn(4, 5, 3), torch.randint(5, (4, 3))
    usual = smoothed_cross_entropy(logits, target, 0.1)
    assert torch.allclose(smoothed_cross_entropy(logits, target, 0.1, 5), usual)
    assert not torch.allclose(smoothed_cross_entropy(logits, target, 0.1, 64), usual)
