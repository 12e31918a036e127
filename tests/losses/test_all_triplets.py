import pytest
import torch

from partreid.losses.all_triplets import all_triplets


def slow(similarity, pid, margin, mean):
    """The triple loop of Eq. 6-7."""
    n = len(pid)
    total, count, active = similarity.new_zeros(()), 0, 0
    for q in range(n):
        for p in range(n):
            for other in range(n):
                if pid[q] == pid[p] != pid[other] and p != q:
                    term = margin + similarity[q, other] - similarity[q, p]
                    count, active = count + 1, active + int(term > 0)
                    total = total + term.clamp_min(0)
    return total / max(1, count if mean == "all" else active)


BATCHES = {
    "even": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "uneven and mixed": [3, 0, 0, 3, 1, 3, 0, 3, 2],  # person 2 and 1 have no positive
    "one person": [4, 4, 4],
    "no pair": [1, 2, 3],
}


@pytest.mark.parametrize("mean", ["all", "active"])
@pytest.mark.parametrize("pid", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("margin", [0.2, 0.0, 5.0])
def test_value_and_gradient_are_the_triple_loops(pid, mean, margin):
    pid = torch.tensor(pid)
    similarity = torch.rand(len(pid), len(pid), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    similarity.requires_grad_(True)
    fast = all_triplets(similarity, pid, margin, mean)
    expected = slow(similarity, pid, margin, mean)
    assert float(fast.detach()) == pytest.approx(float(expected.detach()), abs=1e-12)
    (found,) = torch.autograd.grad(fast, similarity)
    if expected.requires_grad:
        (wanted,) = torch.autograd.grad(expected, similarity)
        torch.testing.assert_close(found, wanted)
    else:
        assert not found.any()


def test_a_single_violating_triplet_is_its_own_mean():
    similarity = torch.tensor([[1.0, 0.8, 0.7, 0.0], [0.8, 1.0, 0.0, 0.0], [0.7, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    assert float(all_triplets(similarity, torch.tensor([0, 0, 1, 1]), 0.2, "active")) == pytest.approx(0.1)


def test_ties_on_the_margin_count_on_both_sides_alike():
    # as many positives as negatives must be pulled as pushed, even where rounding decides which triplets violate
    pid = torch.arange(40) // 4
    similarity = (torch.rand(40, 40) * 10).round() / 10
    similarity.requires_grad_(True)
    all_triplets(similarity, pid, 0.2, "all").backward()
    assert float(similarity.grad.sum(1).abs().max()) < 1e-6


def test_a_batch_of_the_paper_fits_where_its_cube_would_not():
    # 1,800 images have 5.8e9 triplets; the largest tensor that appears has B^2 entries
    largest = 0
    real = torch.Tensor.__torch_function__.__func__

    def watch(cls, func, types, args=(), kwargs=None):
        nonlocal largest
        result = real(cls, func, types, args, kwargs)
        largest = max(largest, result.numel() if isinstance(result, torch.Tensor) else 0)
        return result

    class Watched(torch.Tensor):
        __torch_function__ = classmethod(watch)

    features = torch.nn.functional.normalize(torch.randn(1800, 8), dim=1)
    similarity = (features @ features.T).as_subclass(Watched)
    loss = all_triplets(similarity, torch.arange(1800) // 10, 0.2, "all")
    assert 0 < float(loss) < 1
    assert largest == 1800**2
