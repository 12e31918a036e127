"""FSAM against slow loops over the paper's equations; every variant of its tables."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from methods.test_methods import batch_for
from methods.test_methods import build as as_built
from partreid import methods
from partreid.backbones.parser import PARSERS
from partreid.backbones.schp import SCHP
from partreid.errors import UserError
from partreid.inputs.batch import Inputs
from partreid.inputs.kinds import KINDS, no_change
from partreid.losses.mutual import dense_similarity, symmetric_divergence
from small_networks import loaded, small

TERMS = {
    "identity_shape", "triplet_shape", "preservation", "identity_appearance", "triplet_appearance", "similarity",
    "divergence",
}  # fmt: skip
SHAPE_SIDE = ("F_s.", "F_m.", "neck_s.")


def build(*arguments, **changes):
    method = as_built(*arguments, **{**small("fsam"), **changes})
    method.begin_training()
    return method


def total(terms):
    return torch.stack(list(terms.values())).sum()


def learns(method, loss):
    """Names of the parameters that a loss moves."""
    method.zero_grad()
    loss.backward()
    return {name for name, p in method.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def own(project):
    return loaded(project).recipe_of("fsam")[1]


@pytest.mark.parametrize(
    ("mask", "shape", "count"),
    # 64 filters of 7 x 7 for four more channels than a colour image has
    [("foreground", "fine", 53_437_504), ("parts", "colours", 53_437_504), ("parts", "fine", 53_437_504 + 64 * 4 * 49)],
)
def test_parameter_counts_of_the_paper(project, mask, shape, count):
    options = {**own(project), "parser": "schp", "mask": mask, "shape": shape, "branches": 3}
    with torch.device("meta"):
        method = methods.build("fsam", backbone="resnet50", identities=150, **options)
    assert sum(p.numel() for p in method.backbone.parameters()) == 23_508_032  # all that a test needs
    assert sum(p.numel() for p in method.F_s.parameters()) == count


VARIANTS = {
    "one branch": {"branches": 1},
    "3B": {"branching": "added"},
    "foreground": {"mask": "foreground"},
    "initial masks": {"shape": "coarse"},
    "initial foreground": {"shape": "coarse", "mask": "foreground"},
    "labelled masks": {"shape": "coarse", "coarse": "label"},
    "labels preserved": {"coarse": "label"},
    "two appearance streams": {"shape": "colours", "branches": 1},
    "one-way": {"transfer": "one_way"},
    "no neck": {"neck": "fc"},
    "norms": {"reduction": "frobenius"},
    "squares": {"reduction": "squared"},
    "the large parser": {"parser": "schp"},
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_variant_trains_and_embeds_both_streams(project, variant, monkeypatch):
    monkeypatch.setitem(PARSERS, "schp", lambda: SCHP(7, (1, 1, 1, 1)))  # the architecture, a bottleneck per stage
    method = build("fsam", project, **VARIANTS[variant]).train()
    batch = batch_for(method)
    terms = method.losses(batch)
    shape = VARIANTS[variant].get("shape", "fine")
    assert set(terms) == (TERMS if shape == "fine" else TERMS - {"preservation"})
    moved = learns(method, total(terms))
    for part in ("backbone.", "F_s.network.", "neck_a.classifier", "neck_s.classifier"):
        assert any(name.startswith(part) for name in moved), part
    assert any(name.startswith("F_m.") for name in moved) == (shape == "fine")
    assert shape != "fine" or float(terms["preservation"].detach()) > 0
    width = method.backbone.channels
    for stream, dimensions in (("appearance", width), ("shape", width), ("both", 2 * width)):
        method.use(stream=stream)
        features, visible = method.eval().embed(batch)
        assert features.shape == (8, 1, dimensions)
        assert visible.shape == (8, 1)
        assert method.part_names() == (stream,)


def test_gradients_of_every_branch_and_of_none_that_is_not_chosen(project):
    method = build("fsam", project).train()
    batch = batch_for(method)
    moved = learns(method, total(method.losses(batch)))
    assert all(any(name.startswith(f"F_s.others.{i}.") for name in moved) for i in (0, 1))
    batch.labels["poses"][:] = torch.tensor([0.0, 1, 0])
    moved = learns(method, total(method.losses(batch)))
    assert any(name.startswith("F_s.others.0.") for name in moved)
    assert not any(name.startswith(("F_s.others.1.", "F_s.network.features.14.")) for name in moved)


def test_another_number_of_pose_clusters_is_named(project):
    method = build("fsam", project, branches=2)
    with pytest.raises(UserError, match=r"3 clusters.*2 branches.*labels\.poses\.clusters"):
        method.losses(batch_for(method))


@pytest.mark.parametrize("source", ["initial", "label"])
@torch.no_grad()
def test_losses_are_the_papers(project, source):
    # the weights are 1, so that the terms are the paper's
    weights = {"similarity_weight": 1, "divergence_weight": 1, "preservation_weight": 1}
    method = build("fsam", project, neck="fc", triplet_distance="euclidean", coarse=source, **weights).train()
    batch = batch_for(method)
    terms = {name: float(value) for name, value in method.losses(batch).items()}
    a = method.backbone.block_maps(batch.images)
    M = method.F_m(batch.clean).softmax(1)
    s = method.F_s.block_maps(M, batch.labels["poses"].argmax(1))
    for stream, maps, neck in (("appearance", a, method.neck_a), ("shape", s, method.neck_s)):
        x = maps[-1].mean((2, 3))
        p = neck.classifier(x).softmax(1)
        entropy = -np.mean([float(p[i, batch.pid[i]].log()) for i in range(8)])  # Eq. 2
        assert terms[f"identity_{stream}"] == pytest.approx(entropy, rel=1e-4)
        hard = []
        for i in range(8):
            d = [float((x[i] - x[j]).norm()) for j in range(8)]
            positive = max(d[j] for j in range(8) if j != i and batch.pid[j] == batch.pid[i])
            negative = min(d[j] for j in range(8) if batch.pid[j] != batch.pid[i])
            hard.append(max(0.0, positive - negative + 0.3))  # Eq. 3
        assert terms[f"triplet_{stream}"] == pytest.approx(np.mean(hard), rel=1e-3, abs=1e-3)
    if source == "label":
        coarse = F.interpolate(batch.labels["schp"][:, :7], (64, 32), mode="bilinear")
    else:
        coarse = build("fsam", project).F_m.eval()(batch.clean).softmax(1)  # of the same seed: what F_m started as
    norms = [float((M[i] - coarse[i]).norm()) ** 2 / (64 * 32) for i in range(8)]  # Eq. 4, P = 64 * 32
    assert terms["preservation"] == pytest.approx(np.mean(norms), rel=1e-4)
    assert terms["similarity"] == pytest.approx(float(dense_similarity(a, s, "mean_square")), rel=1e-3)
    logits = method.neck_a(a[-1].mean((2, 3))), method.neck_s(s[-1].mean((2, 3)))
    assert terms["divergence"] == pytest.approx(float(symmetric_divergence(*logits)), rel=1e-3)


def test_the_weights_of_eq_12_weigh(project):
    one = {"similarity_weight": 1.0, "divergence_weight": 1.0, "preservation_weight": 1.0}
    more = {"similarity_weight": 5.0, "divergence_weight": 3.0, "preservation_weight": 10.0}
    with torch.no_grad():
        before, after = (build("fsam", project, **w).train() for w in (one, more))
        before, after = (method.losses(batch_for(method)) for method in (before, after))
    for name, factor in {"similarity": 5, "divergence": 3, "preservation": 10, "identity_shape": 1}.items():
        assert float(after[name]) == pytest.approx(factor * float(before[name]), rel=1e-4)


@pytest.mark.parametrize("term", ["similarity", "divergence"])
def test_one_way_moves_the_appearance_stream_alone(project, term):
    for transfer, both in (("two_way", True), ("one_way", False)):
        method = build("fsam", project, transfer=transfer).train()
        for neck in (method.neck_a, method.neck_s):  # else logits are nearly 0
            torch.nn.init.normal_(neck.classifier.weight)
        moved = learns(method, method.losses(batch_for(method))[term])
        assert any(name.startswith("backbone.") for name in moved)
        for part in SHAPE_SIDE[:2]:
            assert any(name.startswith(part) for name in moved) == both


def test_identities_guide_the_mask_and_leave_the_other_stream_alone(project):
    method = build("fsam", project).train()
    terms = method.losses(batch_for(method))
    moved = learns(method, terms["identity_shape"] + terms["triplet_shape"])  # Eq. 1: of theta_m and theta_s
    assert {name.split(".")[0] for name in moved} == {"F_m", "F_s", "neck_s"}
    moved = learns(method, method.losses(batch_for(method))["preservation"])  # Eq. 4: of theta_m
    assert {name.split(".")[0] for name in moved} == {"F_m"}


def test_masks_are_of_the_image_before_erasing(project):
    method = build("fsam", project).train()
    batch = batch_for(method)
    erased = replace(batch, images=torch.zeros_like(batch.images))
    with torch.no_grad():
        before, after = method.losses(batch), method.losses(erased)
    assert float(before["preservation"]) == float(after["preservation"])
    assert float(before["triplet_shape"]) == float(after["triplet_shape"])
    assert float(before["triplet_appearance"]) != float(after["triplet_appearance"])


def test_an_unlabelled_image_has_no_preservation(project):
    method = build("fsam", project, coarse="label").train()
    batch = batch_for(method)
    batch.labelled["schp"][0] = False
    with torch.no_grad():
        before = float(method.losses(batch)["preservation"])
        batch.labels["schp"][0] = 0
        assert float(method.losses(batch)["preservation"]) == before > 0
    batch.labelled["schp"][:] = False
    assert float(method.losses(batch)["preservation"].detach()) == 0


def test_what_is_preserved_is_what_the_parser_said_at_first(project):
    method = build("fsam", project).train()
    assert method.labels == ("poses",)
    batch = batch_for(method)
    method.begin_epoch(0, ())
    with torch.no_grad():
        first = method.coarse_masks(batch, batch.clean)
        torch.testing.assert_close(first, method.eval().classes(batch.clean))  # soft, in test mode
        for p in method.train().F_m.parameters():
            p.add_(0.1)
        method.classes(batch.clean)  # moves F_m's running averages
        assert torch.equal(method.coarse_masks(batch, batch.clean), first)
        assert (method.eval().classes(batch.clean) - first).abs().max() > 0.01
    assert not any("initial" in name for name in method.state_dict())  # neither saved nor trained


def test_coarse_masks_leave_the_parser_as_it_was(project):
    """So that a test of S* still sees them."""
    method = build("fsam", project, shape="coarse").train()
    batch = batch_for(method)
    before = {name: value.clone() for name, value in method.F_m.state_dict().items()}
    optimizer = torch.optim.Adam(method.parameters(), 1e-2, weight_decay=0.1)
    total(method.losses(batch)).backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in method.F_m.state_dict().items())


def test_the_baseline_is_the_appearance_stream_alone(project):
    method = build("fsam", project, streams="appearance").train()
    assert method.labels == () == tuple(method.starts_from)
    assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"backbone", "neck_a"}
    given = batch_for(method)
    assert not method.reads_clean
    terms = method.losses(replace(given, clean=given.clean[:0]))
    assert set(terms) == {"identity_appearance", "triplet_appearance"}
    both = build("fsam", project).train()
    both.load_state_dict(method.state_dict(), strict=False)
    found = both.losses(batch_for(both))
    assert all(torch.equal(value, found[name]) for name, value in terms.items())
    with pytest.raises(UserError, match=r"at_test\.fsam\.stream is shape.*train both"):
        method.use(stream="shape")


@pytest.mark.parametrize("weight", ["similarity", "divergence", "preservation"])
def test_a_term_of_weight_0_is_not_computed(project, weight):
    method = build("fsam", project, **{f"{weight}_weight": 0.0}, coarse="label").train()
    assert set(method.losses(batch_for(method))) == TERMS - {weight}
    assert ("schp" in method.labels) == (weight != "preservation")


def test_a_second_appearance_stream_sees_an_augmentation_of_its_own(project):
    method = build("fsam", project, shape="colours", branches=1)
    assert method.labels == () == tuple(method.starts_from)
    batch = batch_for(method, size=3)
    batch.changes[0] = torch.tensor([1, 0, 0, 0, 0, 0, 0])  # mirrored
    batch.changes[1] = torch.tensor([0, 0, 0, 0.5, 0, 1, 1])  # the lower half erased
    seen = method.shape_input(batch, batch.clean)
    assert torch.equal(seen[0], batch.clean[0])
    assert torch.equal(seen[1], batch.clean[1].flip(2))
    assert torch.equal(seen[2, :, :32], batch.clean[2, :, :32])
    assert seen[2, :, 32:].flatten(1).std(1).max() < 1e-6
    assert torch.equal(
        method.shape_input(Inputs(batch.images), batch.images), batch.images
    )  # a test's images are whole


@torch.no_grad()
def test_a_test_needs_the_appearance_stream_and_no_label(project):
    method = build("fsam", project).eval()
    images = batch_for(method).images
    features, _ = method.embed(Inputs(images))  # no labels at all
    assert method.labels_at_test == ()
    for name, p in method.named_parameters():
        if name.startswith(SHAPE_SIDE):
            p.fill_(float("nan"))
    assert torch.equal(method.embed(Inputs(images))[0], features)
    method.use(stream="shape")
    assert method.labels_at_test == ("poses",)
    assert build("fsam", project, shape="coarse").labels_at_test == ()


@torch.no_grad()
def test_both_is_appearance_and_shape_at_unit_length(project):
    method = build("fsam", project).eval()
    batch, found = batch_for(method), {}
    for stream in ("appearance", "shape", "both"):
        method.use(stream=stream)
        found[stream] = method.embed(batch)[0][:, 0]
    units = [F.normalize(found[stream], dim=1) for stream in ("appearance", "shape")]
    torch.testing.assert_close(found["both"], torch.cat(units, 1))


@pytest.mark.parametrize(
    "option", ["parser", "mask", "shape", "branching", "neck", "transfer", "reduction", "coarse", "streams"]
)
def test_unknown_names_are_named(project, option):
    with pytest.raises(UserError, match="nonsense"):
        build("fsam", project, **{option: "nonsense"})
    with pytest.raises(UserError, match="1 or more"):
        build("fsam", project, branches=0)


def test_a_flip_exchanges_the_branches_of_left_and_right():
    stored = {"clusters": torch.eye(3)[[0, 1, 2, 0, 1, 2]]}
    changes = no_change(6)
    changes[3:, 0] = 1
    assert KINDS["poses"](stored, changes).argmax(1).tolist() == [0, 1, 2, 2, 1, 0]


def test_imagenet_weights_start_both_streams(project, monkeypatch):
    from partreid import backbones

    def fill(network, _):
        for p in network.parameters():
            torch.nn.init.constant_(p, 0.5)

    monkeypatch.setattr(backbones, "load_imagenet", fill)
    method = build("fsam", project, backbone="mobilenet_v2")
    method.load_initial("mobilenet_v2")
    assert all((p == 0.5).all() for p in method.backbone.parameters())
    first = method.F_s.network.features[0][0].weight
    assert (first[:, 0] == 0).all()
    assert (first[:, 1:] == 1.5).all()  # the sum over red, green and blue
    assert all((p == 0.5).all() for name, p in method.F_s.named_parameters() if "features.0.0" not in name)


def test_branches_start_alike_where_each_image_has_its_own_and_apart_where_they_are_added(project, monkeypatch):
    from partreid import backbones

    monkeypatch.setattr(backbones, "load_imagenet", lambda *_: None)
    for branching, alike in (("pose", True), ("added", False)):
        method = build("fsam", project, backbone="mobilenet_v2", branching=branching)
        method.load_initial("mobilenet_v2")
        last = method.F_s.network.blocks()[-1]
        for other in method.F_s.others:
            pairs = zip(last.parameters(), other.parameters(), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs if a.dim() == 4) == alike


def test_a_backbone_without_blocks_is_refused(project, monkeypatch):
    from partreid import backbones

    monkeypatch.setitem(backbones.BACKBONES, "tiny", torch.nn.Identity)
    with pytest.raises(UserError, match="tiny has none"):
        build("fsam", project)
