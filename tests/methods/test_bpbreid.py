"""BPBreID against slow loops over the paper's equations, and its published size."""

import numpy as np
import pytest
import torch

from methods.test_methods import batch_for, build
from partreid.labels import grouping
from partreid.methods.bpbreid import IGNORED, weighted_average


def test_parameter_count_resnet50_k8_702_identities(project):
    # the network of the authors' code with all its heads: 34.580 M
    from partreid import methods, params

    _, own = params.load(project / "params.yaml").recipe_of("bpbreid")
    method = methods.build("bpbreid", backbone="resnet50", identities=702, **{**own, "parts": 8, "embedding": 512})
    assert sum(p.numel() for p in method.parameters()) / 1e6 == pytest.approx(34.580, abs=5e-4)


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 6, 8, 11, "five_v", "six"])
def test_every_number_of_parts_trains_and_embeds(project, parts):
    method = build("bpbreid", project, parts=parts, embedding=16).train()
    torch.stack(list(method.losses(batch_for(method)).values())).sum().backward()
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


def test_part_labels_are_eq_10(project):
    method = build("bpbreid", project)
    fields = torch.rand(3, 36, 6, 4) ** 20  # mostly near 0, some above the threshold
    Y = method.part_labels(fields, (6, 4))
    E = grouping.group(fields, 5)
    for b, h, w in np.ndindex(3, 6, 4):
        column = E[b, :, h, w].tolist()
        expected = 0 if max(column) < 0.5 else 1 + int(np.argmax(column))
        assert int(Y[b, h, w]) == expected
    assert (Y == 0).any()
    assert (Y > 0).any()


def test_triplet_is_eq_7_and_8(project):
    method = build("bpbreid", project)
    parts, pid = torch.randn(6, 5, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    terms = []
    for a in range(6):
        d = [float(torch.stack([(parts[a, k] - parts[b, k]).norm() for k in range(5)]).mean()) for b in range(6)]
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
    method = build("bpbreid", project).train()
    torch.stack(list(method.losses(batch_for(method)).values())).sum().backward()
    has = {name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("necks.concatenated.classifier") for name in has)
    assert not any(name.startswith(("part_necks", "necks.background", "reduce.background")) for name in has)
    method.zero_grad()
    other = build("bpbreid", project, identity_on=["parts"], triplet_on=["background"]).train()
    torch.stack(list(other.losses(batch_for(other)).values())).sum().backward()
    has = {name for name, p in other.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("part_necks.0.classifier") for name in has)
    assert any(name.startswith("reduce.background") for name in has)
    assert not any(name.startswith("necks.") for name in has)
