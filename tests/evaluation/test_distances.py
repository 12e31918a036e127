import math

import numpy as np
import pytest
import torch

from partreid.evaluation.distances import DISTANCES, cosine, euclidean, parts, vectors


def _random(n, seed, p=3, d=5):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, p, d, generator=generator)
    visibility = (torch.rand(n, p, generator=generator) < 0.6).float()
    return vectors(features, visibility)


def _slow_parts(query, gallery):
    result = np.full((len(query), len(gallery)), np.inf)
    for i in range(len(query)):
        for j in range(len(gallery)):
            total, weight = 0.0, 0.0
            for part in range(query.features.shape[1]):
                v = float(query.visibility[i, part] * gallery.visibility[j, part])
                difference = query.features[i, part].double() - gallery.features[j, part].double()
                total, weight = total + v * math.sqrt(float((difference**2).sum())), weight + v
            if weight:
                result[i, j] = total / weight
    return result


def test_parts_equals_eq_9_by_loops_and_is_infinite_without_a_common_part():
    query, gallery = _random(7, 1), _random(9, 2)
    query.visibility[0] = torch.tensor([1.0, 0.0, 0.0])
    gallery.visibility[0] = torch.tensor([0.0, 1.0, 1.0])
    gallery.visibility[1] = 0.0
    found = parts(query, gallery)
    assert found[0, 0] == math.inf
    assert bool(torch.isinf(found[:, 1]).all())
    np.testing.assert_allclose(found.numpy(), _slow_parts(query, gallery), rtol=1e-5)


def test_parts_with_one_visible_part_is_euclidean():
    query, gallery = _random(4, 1, p=1), _random(6, 2, p=1)
    query.visibility.fill_(1)
    gallery.visibility.fill_(1)
    torch.testing.assert_close(parts(query, gallery), euclidean(query, gallery))


def test_an_invisible_parts_features_do_not_count():
    query, gallery = _random(4, 1), _random(6, 2)
    changed = torch.where(gallery.visibility[..., None] > 0, gallery.features, torch.tensor(1e3))
    torch.testing.assert_close(parts(query, gallery), parts(query, vectors(changed, gallery.visibility)))


def test_cosine_and_euclidean_act_on_the_flattened_vectors():
    query, gallery = _random(4, 1), _random(6, 2)
    a, b = query.features.flatten(1).double(), gallery.features.flatten(1).double()
    np.testing.assert_allclose(euclidean(query, gallery), torch.cdist(a, b), rtol=1e-5)
    expected = 1 - torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)
    np.testing.assert_allclose(cosine(query, gallery), expected, atol=1e-6)


def test_cosine_of_a_zero_vector_is_one():
    zero = vectors(torch.zeros(1, 3, 5), torch.ones(1, 3))
    assert cosine(zero, _random(4, 1)).tolist() == [[1.0] * 4]


@pytest.mark.parametrize("name", DISTANCES)
def test_every_distance_is_float32_not_negative_and_nearly_zero_for_the_same_image(name):
    images = _random(40, 3, d=64)
    images.visibility.fill_(1)
    found = DISTANCES[name](images, images)
    assert found.shape == (40, 40)
    assert found.dtype == torch.float32
    assert float(found.min()) >= 0
    assert float(found.diagonal().max()) < 0.02  # rounding of |a|² + |b|² - 2ab, |a|² = 192
    assert float((found + 10 * torch.eye(40)).min()) > 0.3


def test_rows_past_the_end_are_zeros():
    block = _random(5, 1).rows(3, 4)
    assert len(block) == 4
    assert bool(block.features[:2].any())
    assert not block.features[2:].any()
    assert not block.visibility[2:].any()
    assert not block.norms[2:].any()
