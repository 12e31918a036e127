"""BPBreID against slow loops over the paper's equations, and its published size."""

import numpy as np
import pytest
import torch

from methods.test_methods import batch_for, build
from partreid import methods, params
from partreid.errors import UserError
from partreid.labels import grouping
from partreid.methods.bpbreid import HOLISTIC, IGNORED, weighted_average
from small_networks import loaded


def whole(method):
    """The terms of the loss on the usual batch, after the backward pass of their sum."""
    terms = method.losses(batch_for(method))
    torch.stack(list(terms.values())).sum().backward()
    return terms


def learning(method):
    """Names of the parameters that have a gradient."""
    return {name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


# the authors' code with all its heads: 34.580 M; 42.182 M with a convolution 1920 -> 256 and its norm that nothing uses
@pytest.mark.parametrize(
    ("backbone", "million"),
    [("resnet50", 34.580), ("resnet50_ibn_a", 34.580), ("hrnet_w32", 42.182 - (1920 * 256 + 2 * 256) / 1e6)],
)
def test_parameter_count_k8_702_identities(project, backbone, million):
    _, own = loaded(project).recipe_of("bpbreid")
    with torch.device("meta"):
        method = methods.build("bpbreid", backbone=backbone, identities=702, **{**own, "parts": 8, "embedding": 512})
    assert sum(p.numel() for p in method.parameters()) / 1e6 == pytest.approx(million, abs=5e-4)


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 6, 8, 11, "five_v", "six"])
def test_every_number_of_parts_trains_and_embeds(project, parts):
    method = build("bpbreid", project, parts=parts, embedding=16).train()
    whole(method)
    features, visibility = method.eval().embed(batch_for(method))
    assert features.shape == (8, 1 + len(grouping.names(parts)), 16)
    assert (visibility[:, 0] == 1).all()
    assert method.part_names()[0] == "foreground"


def test_pooling_is_eq_3():
    G, M = torch.randn(2, 3, 4, 2, dtype=torch.float64), torch.rand(2, 5, 4, 2, dtype=torch.float64)
    pooled = weighted_average(G, M)
    for b, i, c in np.ndindex(2, 5, 3):
        above = sum(G[b, c, h, w] * M[b, i, h, w] for h in range(4) for w in range(2))
        below = sum(M[b, i, h, w] for h in range(4) for w in range(2))
        assert float(pooled[b, i, c]) == pytest.approx(float(above / below), rel=1e-9)


def test_without_a_reduction_embeddings_are_what_is_pooled(project):
    method = build("bpbreid", project, embedding=0).train()
    whole(method)
    with torch.no_grad():
        G, M = _maps(method.eval())
        f = method.embeddings(G, M)
    assert torch.equal(f["parts"], weighted_average(G, M)[:, 1:])
    assert torch.equal(f["global"], G.mean((2, 3)))
    assert f["concatenated"].shape == (8, 5 * G.shape[1])
    assert not any(name.startswith("reduce") for name in method.state_dict())


def test_part_labels_are_eq_10(project):
    method = build("bpbreid", project)
    fields = torch.rand(3, 36, 6, 4) ** 20  # mostly near 0, some above the threshold
    Y = method.part_labels(fields, (6, 4), (48, 32))
    E = grouping.group(fields, 5)
    for b, h, w in np.ndindex(3, 6, 4):
        column = E[b, :, h, w].tolist()
        expected = 0 if max(column) < 0.5 else 1 + int(np.argmax(column))
        assert int(Y[b, h, w]) == expected
    assert (Y == 0).any()
    assert (Y > 0).any()


@pytest.mark.parametrize(("distance", "unit"), [("euclidean", 1), ("root_mean_square", 4**0.5)])
def test_triplet_is_eq_7_and_8(project, distance, unit):
    method = build("bpbreid", project, triplet_distance=distance)
    parts, pid = torch.randn(6, 5, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    terms = []
    for a in range(6):
        by_part = [torch.stack([(parts[a, k] - parts[b, k]).norm() for k in range(5)]) for b in range(6)]
        d = [float(each.mean()) / unit for each in by_part]
        hardest_positive = max(d[b] for b in range(6) if pid[b] == pid[a] and b != a)
        hardest_negative = min(d[b] for b in range(6) if pid[b] != pid[a])
        terms.append(max(0.0, hardest_positive - hardest_negative + 0.3))
    assert float(method.triplet_loss(parts, pid)) == pytest.approx(np.mean(terms), rel=1e-4)


def test_an_unlabelled_image_has_no_attention_loss(project):
    method = build("bpbreid", project).train()  # batch statistics: a random network's running ones say nothing
    torch.nn.init.normal_(method.pixel_classifier[1].weight)
    batch = batch_for(method)
    batch.labelled["pifpaf"][0] = False
    with torch.no_grad():
        before = method.losses(batch)["attention"]
        batch.labels["pifpaf"][0] = 0
        after = method.losses(batch)["attention"]
        batch.labels["pifpaf"][1] = 0
        other = method.losses(batch)["attention"]
    assert before == after != other
    batch.labelled["pifpaf"][:] = False
    assert float(method.losses(batch)["attention"].detach()) == 0
    assert IGNORED == -100


def test_visibility_is_eq_4(project):
    method = build("bpbreid", project).train()  # batch statistics: a random network's running ones say nothing
    batch = batch_for(method)
    with torch.no_grad():
        method.pixel_classifier[1].weight.normal_(std=1)
        M = method.maps(batch)
        _, visibility = method.embed(batch)
    for b, k in np.ndindex(8, 5):
        assert visibility[b, 1 + k] == float(M[b, 1 + k].max() > 0.4)
    assert 0 < visibility[:, 1:].mean() < 1


def test_gilt_has_gradient_only_where_it_should(project):
    method = build("bpbreid", project, embedding=16).train()
    whole(method)
    has = learning(method)
    assert any(name.startswith("necks.concatenated.classifier") for name in has)
    assert not any(name.startswith(("part_necks", "necks.background", "reduce.background")) for name in has)
    other = build("bpbreid", project, identity_on=["parts"], triplet_on=["background"], embedding=16).train()
    whole(other)
    has = learning(other)
    assert any(name.startswith("part_necks.0.classifier") for name in has)
    assert any(name.startswith("reduce.background") for name in has)
    assert not any(name.startswith("necks.") for name in has)


# the switches


def test_a_triplet_loss_of_each_part_is_the_mean_of_their_losses(project):
    method = build("bpbreid", project, part_triplet="each")
    parts, pid = 3 * torch.randn(6, 5, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    each = [float(method.triplet_loss(parts[:, k], pid)) for k in range(5)]
    assert float(method.triplet_loss(parts, pid)) == pytest.approx(np.mean(each), rel=1e-5)
    averaged = build("bpbreid", project).triplet_loss(parts, pid)
    assert float(averaged) != pytest.approx(np.mean(each), rel=1e-2)
    parts.requires_grad_()
    method.triplet_loss(parts, pid).backward()
    assert (parts.grad.abs().sum((0, 2)) > 0).all()


@pytest.mark.parametrize("attention", ["fixed", "sharp"])
def test_fixed_attention_is_the_label_in_training_and_test(project, attention):
    method = build("bpbreid", project, attention=attention, embedding=16).train()
    assert method.labels_at_test == ("pifpaf",)
    assert set(whole(method)) == {"identity", "triplet"}
    assert not any("pixel_classifier" in name for name, _ in method.named_parameters())
    method.eval()
    batch = batch_for(method)
    with torch.no_grad():
        before, _ = method.embed(batch)
        batch.labels["pifpaf"][0] = batch.labels["pifpaf"][0].flip(1)
        after, _ = method.embed(batch)
    assert not torch.allclose(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


def test_fixed_attention_by_the_paper_and_by_the_code(project):
    fields = torch.zeros(1, 36, 8, 4)
    fields[:, 13, 6] = 1.0  # a knee, of the legs, and nothing else
    K = len(grouping.names(5))
    legs = 1 + grouping.names(5).index("legs")
    paper = build("bpbreid", project, attention="fixed").fixed(fields, (8, 4))
    e = float(np.e)
    assert paper[0, legs, 6, 0] == pytest.approx(e / (e + K - 1), rel=1e-5)
    assert paper[0, 1:, 0, 0].tolist() == pytest.approx([1 / K] * K, rel=1e-5)
    assert (paper[:, 0] == 0).all()
    code = build("bpbreid", project, attention="sharp").fixed(fields, (8, 4))
    assert code[0, legs, 6].min() > 0.999
    assert code[0, 0, :6].min() > 0.999
    assert torch.allclose(code.sum(1), torch.ones(1, 8, 4), atol=1e-5)
    small = build("bpbreid", project, attention="sharp").fixed(fields, (4, 2))
    assert torch.allclose(small.sum(1), torch.ones(1, 4, 2), atol=1e-5)


def test_the_softmax_of_the_paper_hides_all_parts_from_six_on(project):
    for parts, visible in ((5, True), (6, False), (8, False)):
        method = build("bpbreid", project, attention="fixed", parts=parts)
        fields = torch.zeros(1, 36, 8, 4)
        fields[:, [0, 29]] = 1.0  # as clear as a head can be
        assert bool(method.visible(method.fixed(fields, (8, 4)), method.visibility_threshold).any()) == visible


def test_foreground_as_a_plain_mean(project):
    weighted, mean = (build("bpbreid", project, foreground_pooling=name, embedding=16) for name in ("weighted", "mean"))
    G, masks = torch.randn(2, 3, 4, 2), torch.rand(2, 7, 4, 2)
    found = mean.pool(G, masks)
    for b, i, c in np.ndindex(2, 2, 3):
        expected = sum(G[b, c, h, w] * masks[b, i, h, w] for h in range(4) for w in range(2)) / 8
        assert float(found[b, i, c]) == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    assert torch.equal(found[:, 2:], weighted.pool(G, masks)[:, 2:])
    whole(mean.train())
    assert any(name.startswith("reduce.foreground") for name in learning(mean))


def test_the_two_readings_of_eq_2(project):
    batch_wise, class_wise = (build("bpbreid", project, label_count=name).train() for name in ("batch", "classes"))
    batch = batch_for(class_wise)
    batch.labelled["pifpaf"][0] = False
    scores = torch.randn(8, 6, 4, 2)
    Y = class_wise.part_labels(batch.labels["pifpaf"], (4, 2), (64, 32))
    for method, N in ((class_wise, 6), (batch_wise, 8)):
        terms = []
        for b, h, w in np.ndindex(8, 4, 2):
            q = [0.1 / N + (0.9 if k == Y[b, h, w] else 0) for k in range(6)]  # 1 - (N - 1) / N e = 0.9 + e / N
            log_M = scores[b, :, h, w].log_softmax(0)
            terms += [-sum(q[k] * float(log_M[k]) for k in range(6))] if b else []
        assert float(method.attention_loss(scores, batch)) == pytest.approx(np.mean(terms), rel=1e-5)
    whole(batch_wise)
    assert any(name.startswith("pixel_classifier") for name in learning(batch_wise))


def test_visibility_by_threshold_by_argmax_and_without(project):
    method = build("bpbreid", project, parts=3)
    M = torch.zeros(1, 4, 2, 1)
    M[0, :, 0, 0] = torch.tensor([0.1, 0.45, 0.43, 0.02])  # above the threshold, but not the most probable
    M[0, :, 1, 0] = torch.tensor([0.3, 0.2, 0.15, 0.35])  # the most probable, but below
    expected = {"threshold": [True, True, False], "argmax": [True, False, True], "all": [True, True, True]}
    for name, visible in expected.items():
        method.use(visibility=name)
        assert method.visible(M, 0.4)[0].tolist() == visible


@torch.no_grad()
def test_a_test_compares_what_it_is_told_to(project):
    method = build("bpbreid", project, embedding=16).eval()
    batch = batch_for(method)
    usual, _ = method.embed(batch)
    for name in (*HOLISTIC, *method.groups):
        method.use(embeddings=[name])
        features, visibility = method.embed(batch)
        assert features.shape == (8, 1, 80 if name == "concatenated" else 16)
        assert name in method.groups or (visibility == 1).all()
        assert method.part_names() == (name,)
        assert method.maps(batch).shape[1] == 1
        if name in method.groups:
            assert torch.equal(features[:, 0], usual[:, 1 + method.groups.index(name)])
    method.use(embeddings=["concatenated", "parts", "global"], visibility="all")
    features, visibility = method.embed(batch)
    assert features.shape == (8, 7, 80)
    assert torch.equal(features[:, 1:6, :16], usual[:, 1:])
    assert (features[:, 1:, 16:] == 0).all()
    assert (visibility == 1).all()
    assert method.maps(batch).shape[1] == 7
    method.use()
    assert torch.equal(method.embed(batch)[0], usual)


@torch.no_grad()
def test_vectors_of_any_length_and_the_foreground_behind_its_batch_norm(project):
    method = build("bpbreid", project, embedding=16).eval()
    batch = batch_for(method)
    method.use(normalize=False)
    raw, _ = method.embed(batch)
    norm = method.necks["foreground"].norm
    norm.running_mean.uniform_()
    norm.running_var.uniform_(0.5, 2)
    method.use(neck="after", normalize=False)
    after, _ = method.embed(batch)
    assert torch.allclose(after[:, 0], norm(raw[:, 0]))
    assert not torch.allclose(after[:, 0], raw[:, 0], atol=0.1)
    assert torch.equal(after[:, 1:], raw[:, 1:])
    method.use(neck="after")
    unit, _ = method.embed(batch)
    assert torch.allclose(unit, torch.nn.functional.normalize(after, dim=-1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"embeddings": []}, "list of one or more"),
        ({"embeddings": "parts"}, "list of one or more"),
        ({"embeddings": ["left_arm"]}, r"unknown embedding \(at_test.bpbreid.embeddings\) 'left_arm'; known: .*arms"),
        ({"visibility": "none"}, "unknown visibility"),
        ({"neck": "behind"}, "unknown place"),
    ],
)
def test_a_wrong_choice_at_test_is_named(project, options, words):
    with pytest.raises(UserError, match=words):
        build("bpbreid", project).use(**options)


@pytest.mark.parametrize(
    ("option", "value"),
    [("attention", "none"), ("part_triplet", "sum"), ("foreground_pooling", "max"), ("label_count", "pixels")],
)
def test_a_wrong_switch_is_named(project, option, value):
    with pytest.raises(UserError, match=rf"methods\.bpbreid\.{option}\) '{value}'; known:"):
        build("bpbreid", project, **{option: value})


def test_earlier_weights_files_name_none_of_the_later_switches(project):
    _, own = loaded(project).recipe_of("bpbreid")
    later = ("attention", "part_triplet", "foreground_pooling", "label_count")
    earlier = {name: value for name, value in own.items() if name not in later}
    now, before = (methods.outline("bpbreid", backbone="mobilenet_v2", **each) for each in (own, earlier))
    assert all(vars(now)[name] == vars(before)[name] for name in ("attention", "part_triplet", "pool", "label_count"))


def test_the_codes_way_of_labels_to_the_feature_map(project):
    method = build("bpbreid", project, label_path="quarter")
    fields = torch.rand(2, 36, 9, 5) ** 8
    E = grouping.group(fields, method.variant)
    background = (E.amax(1, keepdim=True) < method.background_threshold).float()
    P = (15 * torch.cat([background, E], 1)).softmax(1)  # (B, K+1, 9, 5)
    image, quarter, cells = (64, 32), (16, 8), (4, 2)

    def corner_on_corner(maps, size):
        (h, w), (H, W) = size, maps.shape[2:]
        out = torch.zeros(*maps.shape[:2], h, w)
        for i, j in np.ndindex(h, w):
            y, x = i * (H - 1) / (h - 1), j * (W - 1) / (w - 1)
            for k, m in np.ndindex(H, W):
                if near := max(0, 1 - abs(y - k)) * max(0, 1 - abs(x - m)):
                    out[:, :, i, j] += maps[:, :, k, m] * near
        return out

    full = torch.stack([torch.stack([P[:, :, i * 9 // 64, j * 5 // 32] for j in range(32)], -1) for i in range(64)], -2)
    expected = corner_on_corner(corner_on_corner(full, quarter), cells)
    clear = expected.topk(2, 1)[0].diff(dim=1).abs()[:, 0] > 1e-4
    Y = method.part_labels(fields, cells, image)
    assert clear.float().mean() > 0.8
    assert torch.equal(Y[clear], expected.argmax(1)[clear])
    assert not torch.equal(Y, build("bpbreid", project).part_labels(fields, cells, image))


@pytest.mark.parametrize("identity_on", [["global", "foreground", "concatenated"], ["global", "parts"]])
def test_necks_without_a_loss_keep_running_averages(project, identity_on):
    method = build("bpbreid", project, identity_on=identity_on).train()
    method.losses(batch_for(method))
    necks = [*method.necks.values(), *method.part_necks]
    assert all(int(neck.norm.num_batches_tracked) == 1 for neck in necks)
    assert all(neck.norm.running_mean.abs().sum() > 0 for neck in necks)


def test_identity_losses_on_parts_are_averaged_or_summed(project):
    terms = {}
    for how in ("mean", "sum"):
        method = build("bpbreid", project, identity_on=["parts"], triplet_on=[], part_identity=how).train()
        terms[how] = method.losses(batch_for(method))["identity"]
    one = build("bpbreid", project, identity_on=["parts"], triplet_on=[]).train()
    f = one.embeddings(*_maps(one))["parts"]
    by_part = [-(0.9 * own(logits) + 0.1 * logits.mean(1)).mean() for logits in part_logits(one, f)]
    assert torch.allclose(terms["mean"], sum(by_part) / 5, rtol=1e-4)
    assert torch.allclose(terms["sum"], sum(by_part), rtol=1e-4)


def _maps(method):
    G = method.feature_map(batch_for(method).images)
    return G, method.probabilities(G, batch_for(method))[0]


def own(logits):
    return logits[torch.arange(8), torch.arange(8) // 2]


def part_logits(method, f):
    return [neck(f[:, k]).log_softmax(1) for k, neck in enumerate(method.part_necks)]


def test_a_triplet_loss_may_see_only_what_both_images_show(project):
    torch.manual_seed(1)
    feature, pid = torch.randn(6, 3, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    visible = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1], [0, 0, 1]]).bool()
    method = build("bpbreid", project, triplet_distance="euclidean")

    def between(i, j):
        both = [k for k in range(3) if visible[i, k] and visible[j, k]]
        return sum(float((feature[i, k] - feature[j, k]).norm()) for k in both) / len(both) if both else None

    terms = []
    for i in range(6):
        pairs = [(int(pid[j]), between(i, j)) for j in range(6) if j != i]
        positive = [d for p, d in pairs if p == pid[i] and d is not None]
        negative = [d for p, d in pairs if p != pid[i] and d is not None]
        if positive and negative:
            terms.append(max(0.0, max(positive) - min(negative) + 0.3))
    assert float(method.triplet_loss(feature, pid, visible)) == pytest.approx(sum(terms) / len(terms), rel=1e-5)
    assert between(3, 5) is None  # no part in common: such a pair is no triplet's
    assert len(terms) == 6
    with_it = build("bpbreid", project, training_visibility=True, visibility_threshold=0.166).train()
    without = build("bpbreid", project, visibility_threshold=0.166).train()
    losses = [float(each.losses(batch_for(each))["triplet"].detach()) for each in (with_it, without)]
    assert losses[0] != losses[1]


def test_k_is_the_papers_for_holistic_and_for_occluded_sets(project):
    values = params.read(project / "params.yaml")
    some = ("synthetic", "market1501", "folder", "occluded_duke")
    found = {d: params.parse({**values, "dataset": d}).recipe_of("bpbreid")[1]["parts"] for d in some}
    assert found == {"synthetic": 5, "market1501": 5, "folder": 5, "occluded_duke": 8}


@pytest.mark.parametrize(("recipe", "backbone"), [("paper_hr", "hrnet_w32"), ("paper_ri", "resnet50_ibn_a")])
def test_the_recipes_of_table_1(project, recipe, backbone):
    values = params.read(project / "params.yaml") | {"recipe": recipe}
    given, _ = params.parse(values).recipe_of("bpbreid")
    assert (given.backbone, given.height, given.width, given.learning_rate) == (backbone, 384, 128, 3.5e-4)
