"""Feature space alignment against slow loops over MPN's equations 6 to 9."""

import numpy as np
import pytest
import torch

from partreid.losses.alignment import ALIGNMENTS, identity_means

PID = torch.tensor([3, 7, 3, 0, 7, 3])


def features(seed):
    return torch.randn(6, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def D(a, b):  # Eq. 4
    return 1 - float(a @ b) / np.sqrt(float(a @ a) * float(b @ b))


def test_class_wise_is_eq_8():
    h, g = features(0), features(1)
    terms = []
    for i in (0, 3, 7):
        rows = [row for row in range(6) if PID[row] == i]
        terms.append(D(sum(h[row] for row in rows) / len(rows), sum(g[row] for row in rows) / len(rows)))
    assert float(ALIGNMENTS["class"](h, g, PID)) == pytest.approx(sum(terms) / 3, rel=1e-9)
    assert torch.allclose(identity_means(h, PID)[2], h[[0, 2, 5]].mean(0))


def test_sample_wise_is_eq_9():
    h, g = features(0), features(1)
    expected = sum(D(h[row], g[row]) for row in range(6)) / 6
    assert float(ALIGNMENTS["sample"](h, g, PID)) == pytest.approx(expected, rel=1e-9)


def test_batch_wise_ignores_the_identities():
    h, g = features(0), features(1)
    expected = D(sum(h) / 6, sum(g) / 6)
    for pid in (PID, PID.flip(0)):
        assert float(ALIGNMENTS["batch"](h, g, pid)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", sorted(ALIGNMENTS))
def test_parallel_representations_cost_nothing_and_both_sides_learn(name):
    h = features(0)
    assert float(ALIGNMENTS[name](h, 3 * h, PID)) == pytest.approx(0, abs=1e-9)
    h, g = features(0).requires_grad_(), features(1).requires_grad_()
    ALIGNMENTS[name](h, g, PID).backward()
    assert h.grad.abs().sum() > 0
    assert g.grad.abs().sum() > 0


def test_images_in_another_order_cost_the_same():
    h, g, order = features(0), features(1), torch.tensor([5, 2, 0, 4, 1, 3])
    for loss in ALIGNMENTS.values():
        assert float(loss(h, g, PID)) == pytest.approx(float(loss(h[order], g[order], PID[order])))
