"""Part-Aligned Bilinear against slow loops over the paper's equations, and its published size."""

from itertools import product

import numpy as np
import pytest
import torch

from methods.test_methods import batch_for, build
from partreid import methods
from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.evaluation.pooling import pool
from partreid.inputs.batch import Inputs
from partreid.layers.bilinear import SecondOrder
from partreid.losses.all_triplets import all_triplets
from partreid.methods.pabr import MAPS, PABR
from partreid.storage import weights
from partreid.storage.embeddings import Embeddings
from small_networks import loaded

SMALL = {"appearance": 12, "part": 6, "embedding": 16}


def small(project, **changes):
    return build("pabr", project, **{**SMALL, **changes})


def step(method, batch):
    torch.stack(list(method.losses(batch).values())).sum().backward()
    return {name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def labelled(batch, maps):
    return Inputs(batch.images, {"partmaps": maps}, {"partmaps": torch.ones(len(maps), dtype=torch.bool)})


def test_the_papers_network_has_21_3_million_parameters(project):
    block = loaded(project).methods["pabr"]
    names = ("part_stream", "part_network", "part_maps", "non_negative", "pooling", "dilated", "appearance", "part")
    own = {name: block[name] for name in (*names, "embedding", "margin", "similarity", "average")}
    for dilated in (False, True):
        method = methods.outline("pabr", backbone=block["backbone"], **{**own, "dilated": dilated})

        def count(*parts, method=method):
            return sum(p.numel() for part in parts for p in getattr(method, part).parameters())

        assert count("backbone", "appearance") == 3_912_512  # A 3.91 M
        assert count("part_network", "part") == 17_385_394  # P 17.39 M
        assert sum(p.numel() for p in method.parameters()) == 21_297_906  # 21.30 M; the sketch has none


@pytest.mark.parametrize(("dilated", "cells"), [(False, (10, 5)), (True, (20, 10))])
@pytest.mark.parametrize("stream", ["trained", "cached"])
@torch.no_grad()
def test_maps_of_the_papers_images(project, dilated, cells, stream):
    method = small(project, dilated=dilated, part_stream=stream).eval()
    inputs = Inputs(torch.randn(1, 3, 160, 80), {"partmaps": torch.rand(1, 57, 20, 10)})
    A, P = method.streams(inputs)
    assert A.shape == (1, 12, *cells)
    assert P.shape == (1, 6, *cells)


@pytest.mark.parametrize("dilated", [True, False])
@pytest.mark.parametrize("pooling", ["compact", "exact", "concat"])
@pytest.mark.parametrize("stream", ["trained", "frozen", "cached", "none"])
def test_every_switch_trains_and_embeds(project, stream, pooling, dilated):
    method = small(project, part_stream=stream, pooling=pooling, dilated=dilated).train()
    batch = batch_for(method)
    learned = step(method, batch)
    assert any(name.startswith("backbone.") for name in learned)
    assert any(name.startswith("part.") for name in learned) == (stream != "none")
    assert any(name.startswith("part_network.front") for name in learned) == (stream == "trained")
    early = {id(p) for layer in method.early() for p in layer.parameters()}  # only of what is trained
    of = {name.partition(".")[0] for name, p in method.named_parameters() if id(p) in early}
    assert of == ({"backbone", "part_network"} if stream == "trained" else {"backbone"})
    features, visibility = method.eval().embed(batch)
    length = 12 * 6 if pooling == "exact" and stream != "none" else 16
    assert features.shape == (8, 1, length)
    torch.testing.assert_close(features.norm(dim=2), torch.ones(8, 1))
    assert (visibility == 1).all()


@pytest.mark.parametrize("kinds", [["joint"], ["limb"], ["inner"], ["limb", "joint"], ["limb", "joint", "inner"]])
def test_only_the_chosen_maps_are_used(project, kinds):
    method = small(project, part_maps=kinds).train()
    batch = batch_for(method)
    used = {"limb": range(38), "joint": range(38, 57), "inner": range(57, 185)}
    assert {kind: list(MAPS[kind]) for kind in MAPS} == {kind: list(used[kind]) for kind in used}
    maps = torch.randn(8, 185, 8, 4, requires_grad=True)
    method.part_network = torch.nn.Identity()
    method.feature_map = lambda images, network=None: maps if network else method.backbone(images)
    step(method, batch)
    felt = maps.grad.abs().sum((0, 2, 3)) > 0
    assert set(torch.nonzero(felt).ravel().tolist()) == {c for kind in kinds for c in used[kind]}


@torch.no_grad()
def test_non_negative_part_descriptors(project):
    batch = batch_for(small(project))
    assert small(project, non_negative=False).train().streams(batch)[1].min() < 0
    P = small(project, non_negative=True).train().streams(batch)[1]
    assert P.min() == 0
    assert P.max() > 0


@torch.no_grad()
def test_similarity_is_that_of_parts_weighted_by_appearance_eq_8_and_9(project):
    method = small(project, pooling="exact").train()
    batch = batch_for(method)
    A, P = (x.double() for x in method.streams(batch))
    f = method.pooling(A, P)
    a, p = (x.flatten(2) / f.norm(dim=1).sqrt()[:, None, None] for x in (A, P))  # the tilde of section 3.2
    similarity = method.represent(batch)
    similarity = similarity @ similarity.T
    S = a.shape[2]
    for i, j in ((0, 1), (2, 2), (5, 3)):
        expected = 0.0
        for x, y in np.ndindex(S, S):
            expected += float((a[i, :, x] @ a[j, :, y]) * (p[i, :, x] @ p[j, :, y])) / S**2
        assert float(similarity[i, j]) == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_the_baseline_is_the_mean_appearance_through_a_linear_layer(project):
    method = small(project, part_stream="none").eval()
    batch = batch_for(method)
    A = method.appearance(method.backbone(batch.images))
    expected = torch.nn.functional.normalize(method.pooling.linear(A.mean((2, 3))))
    torch.testing.assert_close(method.embed(batch)[0][:, 0], expected)
    length = A.norm(dim=1, keepdim=True)  # of a cell's share
    torch.testing.assert_close(method.maps(batch), length / length.amax((2, 3), keepdim=True))
    assert not hasattr(method, "part_network")


@torch.no_grad()
def test_a_fixed_part_stream_is_the_cache(project):
    method = small(project, part_stream="cached").train()
    assert not hasattr(method, "part_network")
    assert method.labels == method.labels_at_test == ("partmaps",)
    assert not method.starts_from
    batch = batch_for(method)
    maps = torch.rand(8, 57, 20, 10)
    A, P = method.streams(labelled(batch, maps))
    inner = torch.zeros(8, 128, 20, 10)
    torch.testing.assert_close(method.streams(labelled(batch, torch.cat([maps, inner], 1)))[1], P)
    assert not torch.allclose(method.streams(labelled(batch, maps.flip(0)))[1], P)
    nobody = method.eval().embed(labelled(batch, torch.zeros(8, 57, 20, 10)))[0]
    assert torch.isfinite(nobody).all()
    assert A.shape[2:] == P.shape[2:]


@torch.no_grad()
def test_cached_maps_stay_where_they_are(project):
    # a blob in one corner of the cache is in that corner of the maps for a smaller image
    method = small(project, part_stream="cached", dilated=True)
    maps = torch.zeros(1, 57, 20, 10)
    maps[0, 40, 15:, :5] = 1
    moved = method.cached(maps, (8, 4))
    assert moved.shape == (1, 185, 8, 4)
    torch.testing.assert_close(moved[0, 40, :6], torch.zeros(6, 4), atol=0.3, rtol=0)
    torch.testing.assert_close(moved[0, 40, 7], torch.tensor([1.0, 1, 0, 0]), atol=0.3, rtol=0)
    assert torch.equal(method.cached(maps, (20, 10))[:, :57], maps)


@torch.no_grad()
def test_without_dilation_the_largest_of_four_cells_counts(project):
    method = small(project, backbone="tiny", part_stream="cached", dilated=False).eval()
    maps = torch.rand(2, 185, 20, 10)
    _, P = method.streams(Inputs(torch.randn(2, 3, 160, 80), {"partmaps": maps}))
    largest = maps.reshape(2, 185, 10, 2, 5, 2).amax((3, 5))  # of the cached cells themselves
    torch.testing.assert_close(P, method.part(largest))


@torch.no_grad()
def test_in_a_smaller_image_no_cached_cell_is_passed_over(project):
    method = small(project, backbone="tiny", part_stream="cached", dilated=False)
    striped = torch.zeros(1, 57, 20, 10)
    striped[:, :, ::2] = 1
    torch.testing.assert_close(method.cached(striped, (4, 2))[0, 0], torch.full((8, 4), 0.5), atol=0.1, rtol=0)


def test_inner_maps_that_the_cache_lacks(project):
    method = small(project, part_stream="cached", part_maps=["inner"])
    batch = batch_for(method)
    with pytest.raises(UserError, match="the cached part maps have no inner maps"):
        method.losses(batch)
    complete = labelled(batch, torch.rand(8, 185, 20, 10))
    assert torch.isfinite(method.train().represent(complete)).all()


@torch.no_grad()
def test_the_codes_loss_is_on_squared_distances(project):
    pid = torch.arange(8) // 2
    for similarity, average in product(["inner_product", "squared_distance"], ["all", "active"]):
        method = small(project, similarity=similarity, average=average, margin=0.2).train()
        batch = batch_for(method)
        f = method.represent(batch)
        s = f @ f.T if similarity == "inner_product" else -torch.cdist(f, f).square()
        terms = [
            max(0.0, 0.2 + float(s[q, n] - s[q, p]))
            for q, p, n in product(range(8), repeat=3)
            if pid[q] == pid[p] != pid[n] and q != p
        ]
        count = len(terms) if average == "all" else sum(term > 0 for term in terms)
        assert float(method.losses(batch)["triplet"]) == pytest.approx(sum(terms) / count, rel=1e-4)
        assert float(all_triplets(s, pid, 0.2, average)) == pytest.approx(sum(terms) / count, rel=1e-4)


def test_biases_do_not_decay(project):
    method = small(project)
    weights, biases = method.parameter_groups(0.002)
    assert (weights["weight_decay"], biases["weight_decay"]) == (0.002, 0)
    assert len(weights["params"]) + len(biases["params"]) == len(list(method.parameters()))
    assert all(p.dim() == 1 for p in biases["params"])


@torch.no_grad()
def test_attention_is_the_length_of_a_cells_share(project):
    method = small(project, pooling="exact").train()
    batch = batch_for(method)
    A, P = method.streams(batch)
    maps = method.maps(batch)
    share = torch.einsum("bahw,bphw->baphw", A, P).flatten(1, 2).norm(dim=1)
    torch.testing.assert_close(maps[:, 0], share / share.amax((1, 2), keepdim=True), atol=1e-5, rtol=1e-4)


def test_a_tracklet_or_multi_query_is_the_mean_of_its_frames():
    # section 6: temporal average pooling of the unit vectors, which the cosine then brings to unit length
    f = torch.nn.functional.normalize(torch.randn(6, 1, 16), dim=2)
    group = np.array([0, 0, 1, 0, 1, 2])
    pooled = pool(Embeddings(np.arange(6), f.numpy(), np.ones((6, 1), np.float32), {}), np.arange(6), group, "average")
    mean = [torch.nn.functional.normalize(f[group == g, 0].mean(0), dim=0) for g in range(3)]
    every = vectors(torch.from_numpy(pooled.features), torch.from_numpy(pooled.visibility))
    found = DISTANCES[PABR.distance](every, every)
    for g, h in product(range(3), repeat=2):
        assert float(found[g, h]) == pytest.approx(1 - float(mean[g] @ mean[h]), abs=1e-5)


def test_it_starts_from_the_pre_trained_part_network(project, tmp_path, monkeypatch):
    own = loaded(project).recipe_of("pabr")[1]
    source = small(project)
    assert source.starts_from == {"part_network": "partmaps"}
    assert source.labels == source.labels_at_test == ()
    state = {f"part_network.{name}": value + 1 for name, value in source.part_network.state_dict().items()}
    weights.save(tmp_path / "weights.safetensors", {}, state)
    monkeypatch.setattr(type(source), "load_initial", lambda *_: None)
    method = methods.initial(
        "pabr", 1, {"part_network": tmp_path / "weights.safetensors"}, backbone="mobilenet_v2", identities=2, **own
    )
    for name, value in method.part_network.state_dict().items():
        assert torch.equal(value, state[f"part_network.{name}"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"part_stream": "fixed"},
            r"unknown part stream \(part_stream\) 'fixed'; known: cached, frozen, none",
        ),
        ({"part_maps": "limb"}, "part_maps is a list of one or more of limb, joint, inner"),
        ({"part_maps": []}, "part_maps is a list"),
        ({"part_maps": ["limbs"]}, r"unknown part maps \(part_maps\) 'limbs'"),
        ({"part_network": "mobilenet_v2"}, "part_network mobilenet_v2 does not give OpenPose's 185 maps"),
        ({"pooling": "sum"}, "unknown pooling 'sum'; known: compact, concat, exact"),
        ({"similarity": "cosine"}, "unknown similarity 'cosine'"),
        ({"average": "mean"}, r"unknown average \(average\) 'mean'; known: active, all"),
    ],
)
def test_values_that_nothing_has_are_named(project, changes, message):
    with pytest.raises(UserError, match=message):
        small(project, **changes)


def test_a_frozen_part_network_stays_as_it_is(project):
    method = small(project, part_stream="frozen").train()
    assert method.starts_from == {"part_network": "partmaps"}
    assert method.labels == method.labels_at_test == ()
    before = {name: value.clone() for name, value in method.part_network.state_dict().items()}
    learned = step(method, batch_for(method))
    assert not any(name.startswith("part_network.") for name in learned)
    assert any(name.startswith("part.") for name in learned)
    given = {id(p) for group in method.parameter_groups(1e-4) for p in group["params"]}
    assert given == {id(p) for name, p in method.named_parameters() if not name.startswith("part_network.")}
    assert all(torch.equal(value, before[name]) for name, value in method.part_network.state_dict().items())


@torch.no_grad()
def test_second_order_pooling_is_of_the_appearance_with_itself(project):
    torch.manual_seed(3)
    A = torch.randn(2, 4, 3, 2)
    exact = torch.einsum("bixy,bjxy->bij", A, A).flatten(1) / 6
    sketched = torch.stack([SecondOrder(4, 0, 4096)(A[i : i + 1], A[:0])[0] for i in range(2)])
    # a sketch keeps inner products: here exactly, as 16 products seldom share one of 4,096 places
    torch.testing.assert_close(sketched @ sketched.T, exact @ exact.T, rtol=0.35, atol=0.1)
    method = small(project, part_stream="none", pooling="second_order").eval()
    batch = batch_for(method)
    expected = torch.nn.functional.normalize(method.pooling(method.appearance(method.backbone(batch.images)), None))
    torch.testing.assert_close(method.embed(batch)[0][:, 0], expected)
    with pytest.raises(UserError, match="second_order is of the appearance alone"):
        small(project, pooling="second_order")
