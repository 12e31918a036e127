"""PCB against a slow loop over its strips."""

import pytest
import torch
import torch.nn.functional as F

import small_networks
from methods.test_methods import batch_for, build
from partreid.errors import UserError
from partreid.losses.triplet import batch_hard, euclidean
from partreid.methods.pcb import PCB


def test_every_strip_is_averaged_reduced_and_classified_by_itself(project):
    method = build("pcb", project, parts=2, embedding=8).eval()
    features = torch.randn(3, method.backbone.channels, 4, 2)
    h = method.strips(features)
    for b in range(3):
        for k in range(2):
            average = features[b, :, 2 * k : 2 * k + 2].mean((1, 2))
            y = method.reduce.weight[k] @ average + method.reduce.bias[k]
            y = (y / (1 + method.reduce.norm.eps) ** 0.5).relu()  # fresh running averages: mean 0, variance 1
            assert torch.allclose(h[b, k], y, atol=1e-5)
    logits = method.part_logits(features)
    assert logits.shape == (3, 2, 6)
    other = features.clone()
    other[:, :, :2] = 0
    assert torch.equal(method.part_logits(other)[:, 1], logits[:, 1])


def test_it_learns_with_the_identity_loss_alone(project):
    method = build("pcb", project, parts=2, embedding=8).train()
    terms = method.losses(batch_for(method))
    assert set(terms) == {"identity"}
    terms["identity"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.parameters())


def test_table_4_of_bpbreid_puts_any_loss_on_any_of_its_embeddings(project):
    identity, triplet = ["global", "concatenated"], ["concatenated", "parts"]
    losses = {"identity_on": identity, "triplet_on": triplet, "smoothing": 0.1, "triplet_distance": "euclidean"}
    method = build("pcb", project, parts=2, embedding=8, **losses)
    batch = batch_for(method.train())
    terms = method.losses(batch)
    features = method.feature_map(batch.images)
    h = method.strips(features)
    averaged = (euclidean(h[:, 0]) + euclidean(h[:, 1])) / 2
    expected = batch_hard(euclidean(h.flatten(1)), batch.pid, 0.3) + batch_hard(averaged, batch.pid, 0.3)
    assert torch.allclose(terms["triplet"], expected, rtol=1e-4)
    g = method.reduce_global(features.mean((2, 3))[:, None])[:, 0, 0].relu()
    assert g.shape == (8, 8)
    assert len(method.reduce_global.weight) == 1  # for the one map
    expected = torch.zeros(())
    for name, f in (("global", g), ("concatenated", h.flatten(1))):
        logits = method.necks[name](f).log_softmax(1)
        own = logits[torch.arange(8), batch.pid]
        expected = expected - (0.9 * own + 0.1 * logits.mean(1)).mean()
    assert torch.allclose(terms["identity"], expected, rtol=1e-4)
    torch.stack(list(terms.values())).sum().backward()
    has = {name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {"reduce.weight", "reduce_global.weight", "necks.global.classifier.weight"} <= has
    assert "classifier.weight" not in has  # the strips have no identity loss here
    groups = method.parameter_groups(1e-4)
    assert sum(len(group["params"]) for group in groups) == len(list(method.parameters()))
    assert len(groups[1]["params"]) == len(list(method.backbone.parameters()))
    with torch.no_grad():
        assert method.eval().embed(batch)[0].shape == (8, 2, 8)


def test_without_them_it_is_as_it_was(project):
    names = {name for name, _ in build("pcb", project, parts=2, embedding=8).named_parameters()}
    assert {name for name in names if not name.startswith("backbone.")} == {
        "reduce.weight", "reduce.bias", "reduce.norm.weight", "reduce.norm.bias", "classifier.weight", "classifier.bias"
    }  # fmt: skip


def test_it_has_no_foreground(project):
    with pytest.raises(UserError, match="'foreground'; known: concatenated, global, parts"):
        build("pcb", project, triplet_on=["foreground"])


def test_one_reduction_for_all_strips(project):
    method = build("pcb", project, parts=2, embedding=8, reduction="shared").train()
    features = torch.randn(3, method.backbone.channels, 4, 2)
    h = method.strips(features)
    weight, norm = method.reduce[0].weight, method.reduce[1]
    y = torch.stack([features[:, :, 2 * k : 2 * k + 2].mean((2, 3)) @ weight.T for k in range(2)], 1)  # (B, K, D)
    y = (y - y.mean((0, 1))) / (y.var((0, 1), correction=0) + norm.eps).sqrt()  # one batch norm over images and strips
    assert torch.allclose(h, y.relu(), atol=1e-4)
    assert method.reduce[0].bias is None
    method.losses(batch_for(method))["identity"].backward()
    assert weight.grad.abs().sum() > 0


def test_averages_are_the_strips_means_at_unit_length(project):
    method = build("pcb", project, parts=2, embedding=8).eval()
    method.use(vectors="averages")
    features = torch.rand(3, method.backbone.channels, 4, 2)
    method.feature_map = lambda _images: features
    found, visibility = method.embed(batch_for(method))
    for b in range(3):
        for k in range(2):
            average = features[b, :, 2 * k : 2 * k + 2].mean((1, 2))
            assert torch.allclose(found[b, k], average / average.norm(), atol=1e-6)
    assert torch.equal(visibility, torch.ones(3, 2))
    method.use()
    assert torch.equal(method.embed(batch_for(method))[0], method.strips(features))


@torch.no_grad()
def test_weights_of_before_its_choices_are_those_of_the_paper(monkeypatch):
    small_networks.register(monkeypatch)
    torch.manual_seed(0)
    method = PCB(backbone="tiny", identities=4, parts=2, embedding=8, backbone_rate=0.1).train()
    batch = batch_for(method)
    terms = method.losses(batch)
    logits = method.part_logits(method.feature_map(batch.images))
    assert set(terms) == {"identity"}
    assert torch.allclose(terms["identity"], sum(F.cross_entropy(logits[:, k], batch.pid) for k in range(2)))
    compared = {"backbone": "tiny", "identities": 4, "parts": 2, "embedding": 8, "backbone_rate": 0.1}
    method = PCB(**compared, triplet_on=["parts"]).train()
    h = method.strips(method.feature_map(batch.images))
    wanted = batch_hard((euclidean(h[:, 0]) + euclidean(h[:, 1])) / 2, batch.pid, 0.3)
    assert torch.allclose(method.losses(batch)["triplet"], wanted, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reduction": "both"}, "unknown reduction of pcb 'both'; known: apart, shared"),
        ({"parts": 0}, "parts is 0, expected 1 or more"),
        ({"embedding": 0}, "embedding is 0, expected 1 or more"),
        ({"part_identity": "most"}, r"unknown reduction \(methods\.pcb\.part_identity\) 'most'"),
        ({"triplet_distance": "hamming"}, r"unknown distance \(methods\.pcb\.triplet_distance\) 'hamming'"),
    ],
)
def test_values_that_nothing_has_are_named(project, changes, message):
    with pytest.raises(UserError, match=message):
        build("pcb", project, **changes)
