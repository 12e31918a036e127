"""MPN: its published size, its losses against slow loops, and of every switch the shape, the gradients, the sharing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from methods.test_methods import batch_for, build
from partreid import methods
from partreid.errors import UserError
from partreid.inputs.batch import Inputs
from partreid.layers.strips import Classifiers, PartConv, convolve
from partreid.losses.identity import summed_cross_entropy
from partreid.methods.mpn import ChannelAttention, positions
from partreid.methods.mpn_prior import whole
from small_networks import loaded

NAIVE = {"conv1": "apart", "conv2": "apart", "alignment": "none", "channel_attention": False}


def small(project, **changes):
    return build("mpn", project, **{"embedding": 16, "parts": 3, **changes}).train()


def total(terms):
    return torch.stack(list(terms.values())).sum()


def learns(module):
    return all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def counted(project, name, **changes):
    _, own = loaded(project).recipe_of(name)
    own.update(changes)
    with torch.device("meta"):
        method = methods.build(name, backbone="resnet50", identities=751, **own)
    parts = [method.backbone, *(m for m in method.modules() if isinstance(m, PartConv))]
    parameters = sum(p.numel() for part in parts for p in part.parameters())
    buffers = sum(b.numel() for part in parts for b in part.buffers() if b.is_floating_point())
    return parameters / 1e6, (parameters + buffers) / 1e6


def test_parameter_counts_of_table_9(project):
    # computed from the layers' sizes, without classifiers: the paper's 31.5 M counts the running averages
    mpn = {"parts": 6, "embedding": 512, "reduction": 4}
    without = counted(project, "mpn", **mpn, channel_attention=False)
    assert without == (pytest.approx(31.391, abs=5e-4), pytest.approx(31.456, abs=5e-4))
    assert counted(project, "mpn", **mpn, channel_attention=True)[0] == pytest.approx(32.189, abs=5e-4)
    pcb = counted(project, "pcb", parts=6, embedding=256)
    assert pcb == (pytest.approx(26.658, abs=5e-4), pytest.approx(26.715, abs=5e-4))


# the layers, against PyTorch's own, part by part


def test_part_convolution_is_k_convolutions_with_batch_norm():
    torch.manual_seed(0)
    K, C, D = 3, 5, 4
    layer = PartConv(K, C, D).train()
    torch.nn.init.normal_(layer.norm.weight)
    torch.nn.init.normal_(layer.norm.bias)
    for x in (torch.randn(2, 7, C), torch.randn(2, K, 7, C)):
        y = layer(x)
        assert y.shape == (2, 7, K, D)
        for k in range(K):
            convolution, norm = torch.nn.Conv1d(C, D, 1), torch.nn.BatchNorm1d(D)
            convolution.weight.data, convolution.bias.data = layer.weight[k][:, :, None], layer.bias[k]
            norm.weight.data = layer.norm.weight[k * D : (k + 1) * D]
            norm.bias.data = layer.norm.bias[k * D : (k + 1) * D]
            own = x if x.dim() == 3 else x[:, k]
            expected = norm(convolution(own.transpose(1, 2)))
            assert torch.allclose(y[:, :, k].transpose(1, 2), expected, atol=1e-5)


def test_both_forms_of_the_convolution_are_the_same():
    x, weight, bias = torch.randn(2, 7, 5), torch.randn(4, 5), torch.randn(4)
    product, convolution = (convolve(x, weight, bias, form) for form in (True, False))
    assert product.shape == (2, 7, 4)
    assert torch.allclose(product, convolution, atol=1e-5)


def test_running_averages_are_the_main_tasks(project):
    method = small(project)
    features = torch.randn(4, method.backbone.channels, 4, 2)
    before = {name: value.clone() for name, value in method.named_buffers() if "running" in name}
    method.auxiliary_task(features, whole((4, 4, 2), features.device))
    assert all(torch.equal(value, before[name]) for name, value in method.named_buffers() if "running" in name)
    method.main_task(features)
    changed = {
        name for name, value in method.named_buffers() if name in before and not torch.equal(value, before[name])
    }
    assert changed == {name for name in before if not name.startswith("backbone")}


def test_channel_attention_weighs_every_part_by_itself():
    torch.manual_seed(0)
    layer = ChannelAttention(3, 8, 4).eval()
    assert layer.squeeze.weight.shape == (3, 2, 8)
    x = torch.randn(5, 3, 8)
    y = layer(x)
    assert ((y / x) > 0).all()
    assert ((y / x) < 1).all()
    x[:, 1] = 0
    assert torch.equal(layer(x)[:, 0], y[:, 0])


def test_classifiers_are_one_for_each_part():
    torch.manual_seed(0)
    layer, f = Classifiers(3, 8, 5), torch.randn(2, 3, 8)
    for k in range(3):
        assert torch.allclose(layer(f)[:, k], f[:, k] @ layer.weight[k].T + layer.bias[k], atol=1e-6)


# the losses


def test_identity_loss_is_eq_1():
    logits, pid = torch.randn(4, 3, 5), torch.tensor([0, 4, 4, 1])
    expected = 0.0
    for b in range(4):
        for k in range(3):
            e = np.exp(logits[b, k].double().numpy())
            expected -= np.log(e[pid[b]] / e.sum()) / 4
    assert float(summed_cross_entropy(logits, pid, 0)) == pytest.approx(expected, rel=1e-5)


def test_the_losses_are_eq_10(project):
    method = small(project, alignment_weight=0.5, channel_attention=False)
    batch = batch_for(method)
    with torch.no_grad():
        terms = method.losses(batch)
        features = method.feature_map(batch.images)
        f = method.main_task(features)
        prior = method.prior(batch.labels["schp"], batch.labelled["schp"], (4, 2), method.limits)
        z = method.auxiliary_task(features, prior)
    h, g, pid = f.flatten(1).double().numpy(), z.flatten(1).double().numpy(), batch.pid.numpy()

    def D(a, b):
        return 1 - a @ b / np.sqrt((a @ a) * (b @ b))

    violating = []
    for a in range(8):
        positive = max(D(h[a], h[p]) for p in range(8) if pid[p] == pid[a])
        negative = min(D(h[a], h[n]) for n in range(8) if pid[n] != pid[a])
        violating += [positive - negative + 0.2] if positive - negative + 0.2 > 0 else []
    assert float(terms["triplet"]) == pytest.approx(np.mean(violating), rel=1e-4)
    L_CF = np.mean([D(h[pid == i].mean(0), g[pid == i].mean(0)) for i in range(4)])
    assert float(terms["alignment"]) == pytest.approx(0.5 * L_CF, rel=1e-3)
    logits = (method.classifier(f), method.auxiliary_classifier(z))
    both = sum(summed_cross_entropy(each, batch.pid, 0) for each in logits)
    assert float(terms["identity"]) == pytest.approx(float(both.detach()), rel=1e-5)
    assert set(terms) == {"identity", "triplet", "alignment"}


def test_soft_sharing_is_the_squared_distance_of_the_parameters(project):
    method = small(project, **{**NAIVE, "conv1": "soft", "soft_weight": 0.1})
    terms = method.losses(batch_for(method))
    ours, theirs = method.conv1, method.auxiliary_conv1
    expected = sum(
        float(((a - b) ** 2).sum().detach()) for a, b in ((ours.weight, theirs.weight), (ours.bias, theirs.bias))
    )
    assert float(terms["soft"].detach()) == pytest.approx(0.1 * expected, rel=1e-5)
    assert "alignment" not in terms
    both = small(project, **{**NAIVE, "conv1": "soft", "conv2": "soft", "soft_weight": 0.1})
    assert float(both.losses(batch_for(both))["soft"].detach()) > 0.1 * float(both.soft_distance("conv1").detach())


# the switches


@pytest.mark.parametrize("channel_attention", [False, True])
@pytest.mark.parametrize("conv2", ["shared", "apart", "soft"])
@pytest.mark.parametrize("conv1", ["shared", "apart", "soft"])
def test_what_a_pair_shares(project, conv1, conv2, channel_attention):
    method = small(project, conv1=conv1, conv2=conv2, channel_attention=channel_attention, alignment="none")
    features = torch.randn(6, method.backbone.channels, 4, 2)
    # the auxiliary tasks alone reach what is shared and what is theirs, and not what is the main tasks'
    z = method.auxiliary_task(features, whole((6, 4, 2), features.device))
    assert z.shape == (6, 3, 16)
    summed_cross_entropy(method.auxiliary_classifier(z), torch.arange(6) // 2, 0).backward()
    for name, sharing in (("conv1", conv1), ("conv2", conv2)):
        auxiliary = getattr(method, f"auxiliary_{name}")
        assert (auxiliary is None) == (sharing == "shared")
        assert (getattr(method, name).weight.grad is not None) == (sharing == "shared")
        assert auxiliary is None or auxiliary.weight.grad.abs().sum() > 0
    assert (method.attention is not None) == channel_attention
    assert method.attention is None or method.attention.squeeze.weight.grad.abs().sum() > 0
    assert method.classifier.weight.grad is None
    # and the main tasks alone what is theirs
    method.zero_grad()
    f = method.main_task(features)
    summed_cross_entropy(method.classifier(f), torch.arange(6) // 2, 0).backward()
    assert method.conv1.weight.grad.abs().sum() > 0
    assert method.auxiliary_classifier.weight.grad is None
    for auxiliary in (method.auxiliary_conv1, method.auxiliary_conv2):
        assert auxiliary is None or auxiliary.weight.grad is None
    # with the same parameters and the same input, both tasks give the same
    if conv1 == conv2 == "shared":
        even = features.mean((2, 3), keepdim=True).expand(6, -1, 3, 2)
        auxiliary = method.auxiliary_task(even, whole((6, 3, 2), even.device))
        assert torch.allclose(auxiliary, method.main_task(even), atol=1e-4)


def test_soft_sharing_draws_both_sides(project):
    method = small(project, **{**NAIVE, "conv2": "soft"})
    method.soft_distance("conv2").backward()
    assert torch.equal(method.conv2.weight.grad, -method.auxiliary_conv2.weight.grad)
    assert method.conv1.weight.grad is None


@pytest.mark.parametrize("alignment", ["none", "batch", "sample", "sum", "class"])
def test_every_alignment_trains(project, alignment):
    method = small(project, alignment=alignment)
    terms = method.losses(batch_for(method))
    assert ("alignment" in terms) == (alignment not in ("none", "sum"))
    if "alignment" in terms:  # through both tasks: no detached side
        terms["alignment"].backward(retain_graph=True)
        assert method.conv1.weight.grad.abs().sum() > 0
        assert method.classifier.weight.grad is None
        method.zero_grad()
    total(terms).backward()
    assert learns(method.backbone)


def test_sum_puts_the_triplet_loss_on_both(project):
    apart = {"conv1": "apart", "conv2": "apart"}
    for alignment, expected in (("sum", True), ("none", False)):
        method = small(project, **apart, alignment=alignment, margin=2.0)
        method.losses(batch_for(method))["triplet"].backward()
        assert method.conv1.weight.grad.abs().sum() > 0
        assert (method.auxiliary_conv1.weight.grad is not None) == expected


def test_main_tasks_alone(project):
    method = small(project, tasks="main")
    assert method.auxiliary_classifier is method.auxiliary_conv1 is None
    batch = batch_for(method)
    batch.labels.clear()  # the prior is not even looked at
    terms = method.losses(batch)
    assert set(terms) == {"identity", "triplet"}
    total(terms).backward()
    assert learns(method)


def test_the_baseline_sees_strips_in_training_and_test(project):
    method = small(project, tasks="auxiliary", parts=2)
    total(method.losses(batch_for(method))).backward()
    assert learns(method)
    method.eval()
    features = torch.randn(1, method.backbone.channels, 4, 2)
    with torch.no_grad():
        before = method.main_task(features)
        features[:, :, 0] += 5  # the first of two strips
        after = method.main_task(features)
    assert not torch.allclose(before[:, 0], after[:, 0])
    assert torch.equal(before[:, 1], after[:, 1])


def test_a_main_task_does_not_care_where_a_part_is(project):
    method = small(project).eval()
    features = torch.randn(2, method.backbone.channels, 4, 2)
    with torch.no_grad():
        assert torch.allclose(method.main_task(features), method.main_task(features.flip(2, 3)), atol=1e-5)


@pytest.mark.parametrize("prior", ["roi_resize", "ours"])
def test_every_prior_trains(project, prior):
    method = small(project, prior=prior)
    batch = batch_for(method)
    total(method.losses(batch)).backward()
    assert learns(method.backbone)
    with torch.no_grad():
        batch.labels["schp"][:] = 0
        batch.labels["schp"][:, 0] = 1
        nobody = method.losses(batch)["alignment"]
        batch.labels["schp"][:, 0, 30:90] = 0
        batch.labels["schp"][:, 1, 30:60] = 1
        batch.labels["schp"][:, 6, 60:90] = 1
        body = method.losses(batch)["alignment"]
    assert nobody != body


@pytest.mark.parametrize("parts", [1, 2, 4, 6, 8])
def test_every_number_of_parts_trains_and_embeds(project, parts):
    method = small(project, parts=parts)
    total(method.losses(batch_for(method))).backward()
    assert learns(method.backbone)
    features, visibility = method.eval().embed(batch_for(method))
    assert features.shape == (8, parts, 16)
    assert visibility.all()
    assert method.maps(batch_for(method)).shape == (8, parts, 4, 2)
    assert len(method.part_names()) == parts


@pytest.mark.parametrize(
    ("changes", "labels", "at_test"),
    [
        ({}, ("schp",), ()),
        ({"prior": "roi_resize"}, ("schp",), ()),
        ({"prior": "uniform"}, (), ()),
        ({"tasks": "main"}, (), ()),
        ({"tasks": "auxiliary"}, (), ()),
        ({"tasks": "corrected"}, ("schp",), ("schp",)),
        ({"tasks": "corrected", "prior": "uniform"}, (), ()),
    ],
)
def test_it_asks_for_no_label_that_it_does_not_read(project, changes, labels, at_test):
    method = small(project, **changes)
    assert (method.labels, method.labels_at_test) == (labels, at_test)
    batch = batch_for(method)
    assert set(batch.labels) == set(labels)
    total(method.losses(batch)).backward()
    assert learns(method.backbone)


def test_a_test_needs_neither_labels_nor_auxiliary_tasks(project):
    method = small(project).eval()
    images = batch_for(method).images
    with torch.no_grad():
        features, _ = method.embed(Inputs(images))
        for parameter in method.auxiliary_classifier.parameters():
            parameter.fill_(torch.nan)
        again, _ = method.embed(Inputs(images))
    assert method.labels_at_test == ()
    assert torch.equal(features, again)


def test_mixed_precision_changes_little(project):
    method = small(project).eval()
    images = batch_for(method).images
    with torch.no_grad():
        exact, _ = method.embed(Inputs(images))
        method.mixed = True
        mixed, _ = method.embed(Inputs(images))
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, exact)
    assert torch.nn.functional.cosine_similarity(exact.flatten(1), mixed.flatten(1)).min() > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": "man"}, "unknown tasks of mpn 'man'; known: auxiliary, both, corrected, main"),
        ({"conv1": "hard"}, "unknown sharing"),
        ({"prior": "roi"}, "unknown prior of mpn 'roi'; known: ours, roi_resize, uniform"),
        ({"alignment": "classes"}, "unknown alignment of mpn"),
    ],
)
def test_an_unknown_choice_is_named(project, change, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        small(project, **change)


def test_positions_are_a_view_of_channels_last():
    features = torch.randn(2, 5, 4, 3).to(memory_format=torch.channels_last)
    x = positions(features)
    assert x.is_contiguous()
    assert x.data_ptr() == features.data_ptr()
    assert torch.equal(x[1, 4], features[1, :, 1, 1])


def test_the_upper_bound_sees_the_bodys_own_strips_in_training_and_test(project):
    own = {"tasks": "corrected", "channel_attention": False, "parts": 2, "embedding": 8, "prior": "ours"}
    method = build("mpn", project, **own).train()
    batch = batch_for(method)
    assert method.labels_at_test == ("schp",)
    terms = method.losses(batch)
    assert set(terms) == {"identity", "triplet"}
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.parameters())
    method.eval()
    features = method.feature_map(batch.images)
    h = features.shape[2]
    nobody = {"schp": torch.zeros(8, dtype=torch.bool)}
    upper = torch.zeros(8, 8, 128, 64)
    upper[:, 1, :16], upper[:, 5, 16:64], upper[:, 0, 64:] = 1, 1, 1  # head and legs in the image's upper half
    seen = replace(batch, labels={"schp": upper}, labelled={"schp": torch.ones(8, dtype=torch.bool)})
    with torch.no_grad():
        found = method.embed(seen)[0]
        prior = method.located(features, seen)
        assert prior.bottom.tolist() == [h // 2 - 1] * 8
        wanted = method.main_task(features, prior)
        assert torch.equal(found, wanted)
        assert not torch.equal(found, method.embed(replace(seen, labelled=nobody))[0])


def test_the_maximum_before_the_relu_is_the_same_bit_for_bit(project):
    method = build("mpn", project, tasks="main", channel_attention=False).eval()
    features = torch.randn(2, method.backbone.channels, 6, 2)
    with torch.no_grad():
        before = method.conv2(method.conv1(method.seen(features, None)).relu().amax(1)[:, :, None])[:, 0].relu()
        assert torch.equal(method.main_task(features), before)
