import numpy as np
import pytest
import torch
from torch import nn

from partreid.layers.bilinear import POOLINGS, SEEDS, Compact, Concatenated, Exact, glorot, hashes


def maps(seed=0, batch=2, appearance=5, part=3, h=4, w=2):
    generator = torch.Generator().manual_seed(seed)
    A = torch.randn(batch, appearance, h, w, generator=generator, dtype=torch.float64)
    return A, torch.randn(batch, part, h, w, generator=generator, dtype=torch.float64)


def test_exact_is_eq_3_in_the_order_of_eq_5():
    A, P = maps()
    f = Exact(5, 3, 0)(A, P)
    for b in range(2):
        expected = np.zeros(15)
        for y, x in np.ndindex(4, 2):
            a, p = A[b, :, y, x].numpy(), P[b, :, y, x].numpy()
            expected += np.concatenate([p_i * a for p_i in p]) / 8
        np.testing.assert_allclose(f[b].numpy(), expected, atol=1e-12)


def test_part_aware_similarity_eq_8_and_9():
    # <f, f'> = 1/S^2 sum over all pairs of cells of <a, a'> <p, p'>
    (A, P), (B, Q) = maps(0), maps(1)
    exact = Exact(5, 3, 0)
    found = (exact(A, P) * exact(B, Q)).sum(1)
    for b in range(2):
        expected = 0.0
        for y, x in np.ndindex(4, 2):
            for v, u in np.ndindex(4, 2):
                expected += float((A[b, :, y, x] @ B[b, :, v, u]) * (P[b, :, y, x] @ Q[b, :, v, u]))
        assert float(found[b]) == pytest.approx(expected / 8**2, rel=1e-12)


def direct_sketch(compact, outer):
    """The sketch of an outer product (cA, cP) entry by entry: O(cA cP)."""
    h, s = compact.appearance_places.tolist(), compact.appearance_signs.tolist()
    g, t = compact.part_places.tolist(), compact.part_signs.tolist()
    result = np.zeros(compact.outputs)
    for i, j in np.ndindex(*outer.shape):
        result[(h[i] + g[j]) % compact.outputs] += s[i] * t[j] * outer[i, j]
    return result


@pytest.mark.parametrize("outputs", [16, 7, 1, 64])
def test_compact_is_the_sketch_of_the_exact_vector(outputs):
    A, P = maps()
    compact = Compact(5, 3, outputs)
    f, outer = compact(A, P), Exact(5, 3, 0)(A, P).unflatten(1, (3, 5)).numpy()
    for b in range(2):
        np.testing.assert_allclose(f[b].numpy(), direct_sketch(compact, outer[b].T), atol=1e-12)


def test_compact_keeps_inner_products_in_expectation():
    (A, P), (B, Q) = maps(0), maps(1)
    exact, compact = Exact(5, 3, 0), Compact(5, 3, 32)
    wanted = (exact(A, P) * exact(B, Q)).sum(1)
    bound = exact(A, P).norm(dim=1) * exact(B, Q).norm(dim=1)
    found = []
    for seed in range(2000):
        for name, channels, offset in (("appearance", 5, 0), ("part", 3, 10_000)):
            places, signs = hashes(channels, 32, 2 * seed + offset, 2 * seed + 1 + offset)
            compact.get_buffer(f"{name}_places").copy_(torch.from_numpy(places))
            compact.get_buffer(f"{name}_signs").copy_(torch.from_numpy(signs))
        found.append((compact(A, P) * compact(B, Q)).sum(1))
    draws = torch.stack(found)
    error = (draws.mean(0) - wanted).abs()
    assert (error < 4 * draws.std(0) / 2000**0.5).all()  # unbiased: within four standard errors
    assert (draws.std(0) < 1.5 * bound * (2 / 32) ** 0.5).all()  # and the spread falls with the length


def test_the_hashes_are_fixed_and_stored():
    # what NumPy's legacy generator gives for the seeds of the authors' code
    first = Compact(512, 128, 512)
    assert first.appearance_places[:5].tolist() == np.random.RandomState(1).randint(512, size=512)[:5].tolist()
    assert first.appearance_places[:3].tolist() == [37, 235, 396]
    assert SEEDS == ((1, 3), (5, 7))
    assert set(first.part_signs.tolist()) == {-1.0, 1.0}
    assert (first.part_places.dtype, first.part_signs.dtype) == (torch.int64, torch.float32)
    assert set(first.state_dict()) == {f"{n}_{k}" for n in ("appearance", "part") for k in ("places", "signs")}
    other = Compact(512, 128, 512)
    other.appearance_places.zero_()
    other.load_state_dict(first.state_dict())
    assert torch.equal(other.appearance_places, first.appearance_places)


def test_concat_is_a_linear_map_of_both_means():
    A, P = maps()
    pooling = Concatenated(5, 3, 4).double()
    means = torch.cat([A.mean((2, 3)), P.mean((2, 3))], 1)
    torch.testing.assert_close(pooling(A, P), means @ pooling.linear.weight.T + pooling.linear.bias)


@pytest.mark.parametrize("name", sorted(POOLINGS))
def test_gradients_are_right_and_the_length_is_as_said(name):
    A, P = maps(batch=1, h=2)
    pooling = POOLINGS[name](5, 3, 6).double()
    assert pooling(A, P).shape == (1, pooling.outputs)
    assert torch.autograd.gradcheck(pooling, (A.requires_grad_(True), P.requires_grad_(True)))


def test_added_layers_begin_as_glorot_and_bengio_have_them():
    for layer, inputs_and_outputs in ((nn.Linear(30, 50), 30 + 50), (nn.Conv2d(4, 6, 3), 9 * (4 + 6))):
        limit = (6 / inputs_and_outputs) ** 0.5
        assert 0.95 * limit < glorot(layer).weight.abs().max() <= limit
        assert not layer.bias.any()
