"""PAH-Net against slow loops over the paper's equations, its size, and every switch."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from losses.test_multi_similarity import slow
from methods.test_methods import batch_for, build, persons
from partreid import backbones, methods
from partreid.errors import UserError
from partreid.inputs.batch import Inputs
from partreid.labels.pseudo_parts import part_maps
from partreid.layers.crops import crop
from partreid.methods import pah
from small_networks import loaded, small

GLOBAL = ["global GMP", "global AE", "global GAP"]
HEAD = ["head GMP", "head AE", "head GAP"]


def ready(project, **changes):
    """A small PAH-Net with pseudo-labels for a batch, and the batch."""
    method = build("pah", project, **{**small("pah"), **changes}).train()
    batch = batch_for(method)
    method.begin_epoch(0, persons(batch))
    return method, batch


def total(method, batch):
    return torch.stack(list(method.losses(batch).values())).sum()


def million(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


def paper(project):
    """The paper's network for Celeb-reID, without weights."""
    paper = dataclasses.replace(loaded(project), recipe="paper")
    recipe, own = paper.recipe_of("pah")
    with torch.device("meta"):
        return methods.build("pah", backbone=recipe.backbone, identities=632, **own)


def test_parameter_count_of_the_text(project):
    method = paper(project)
    assert million(method.backbone["global"]) == pytest.approx(3.302, abs=5e-4)
    assert million(method.backbone["parts"]) == pytest.approx(30.882, abs=5e-4)
    classifiers = sum(million(neck.classifier) for neck in method.necks.values())
    assert million(method) - classifiers == pytest.approx(37.53, abs=5e-3)
    assert million(method) == pytest.approx(46.75, abs=5e-3)


def test_the_papers_sizes(project):
    method = paper(project)
    images = torch.empty(2, 3, 384, 128, device="meta")
    fork = method.backbone["head"]
    front = fork.front(images)
    assert front.shape == (2, 384, 48, 16)
    assert fork.tail_1(front).shape == fork.tail_2(front).shape == (2, 512, 24, 8)
    assert method.backbone["parts"](images).shape == (2, 1920, 96, 32)
    assert method.W_part.weight.shape == (7, 1920, 1, 1)
    assert method.W_part.bias is None
    assert sum(neck.norm.num_features for neck in method.necks.values()) == 14_592
    assert [*method.necks] == [*GLOBAL, "parts", *HEAD]


def test_eq_1_to_4_by_loops(project):
    method = build("pah", project, erase_rows="band").train()
    images = torch.randn(3, 3, 192, 32)
    fork = method.backbone["global"].eval()
    with torch.no_grad():
        f = method.pooled("global", images)
        F_21, F_22 = fork.tail_1(fork.front(images)), fork.tail_2(fork.front(images))
    h, w = F_22.shape[2:]
    assert h == 12
    for b in range(3):
        energy = [sum(float(F_22[b, :, i, j].square().sum()) for j in range(w)) for i in range(h)]
        start = max(range(h - 3), key=lambda i: sum(energy[i : i + 4]))
        erased = F_22[b].clone()
        erased[:, start : start + 4] = 0
        assert torch.equal(f["global GMP"][b], F_21[b].flatten(1).max(1).values)
        assert torch.allclose(f["global GAP"][b], F_22[b].flatten(1).sum(1) / (h * w), atol=1e-5)
        assert torch.equal(f["global AE"][b], erased.flatten(1).max(1).values)


def test_rules_of_erasing():
    energy = torch.tensor([[9.0, 0, 0, 4, 4, 4, 0, 1, 0]])
    assert pah.band(energy, 3)[0].nonzero()[:, 0].tolist() == [3, 4, 5]
    assert pah.top(energy, 3)[0].sum() == 3
    assert pah.top(energy, 3)[0, 0]
    assert pah.band(energy, 9).all()


@pytest.mark.parametrize("rule", sorted(pah.ROWS))
def test_a_third_of_the_rows_is_erased(project, rule):
    method = build("pah", project, erase_rows=rule)
    for h, erased in ((24, 8), (8, 3), (4, 1), (1, 1)):
        kept = method.kept(torch.rand(2, 5, h, 3))
        assert kept.shape == (2, h)
        assert (kept == 0).sum(1).tolist() == [erased, erased]


def test_erasing_is_on_where_and_when_it_should_be(project):
    images = torch.randn(2, 3, 64, 32)

    def erases(stream, training, **changes):
        method = build("pah", project, **changes).train(training)
        for module in method.backbone.modules():  # the same statistics in both modes
            module.training = False
        with torch.no_grad():
            f = method.pooled(stream, images)
            fork = method.backbone[stream]
            return not torch.equal(f[f"{stream} AE"], fork.tail_2(fork.front(images)).amax((2, 3)))

    for training in (True, False):
        assert erases("global", training)
        assert erases("head", training)
        assert not erases("global", training, erase_in=["head"])
        assert not erases("head", training, erase_in=[])
    assert erases("global", True, erase_at_test=False)
    assert not erases("global", False, erase_at_test=False)


def test_eq_7_divides_by_the_number_of_pixels():
    F_dense, P = torch.randn(2, 3, 4, 2), torch.rand(2, 7, 4, 2).softmax(1)
    f_l = pah.PAH.aggregated(F_dense, P)
    for b, k, c in np.ndindex(2, 6, 3):
        mean = sum(float(P[b, k + 1, i, j] * F_dense[b, c, i, j]) for i in range(4) for j in range(2)) / 8
        assert float(f_l[b, 3 * k + c]) == pytest.approx(mean, rel=1e-4, abs=1e-6)


def test_losses_by_loops(project):
    method, batch = ready(project, pair_weight=0.9, part_weight=0.11)
    with torch.no_grad():
        terms = method.losses(batch)
        f, _, scores = method.vectors(batch)
        logits = {name: method.necks[name](vector) for name, vector in f.items()}
    pid, P = batch.pid, scores.softmax(1)
    assert [*f] == [*GLOBAL, "parts", *HEAD]
    L_id = sum(-float(logits[n].softmax(1)[b, pid[b]].log()) / 8 for n in f for b in range(8))
    constants = {"alpha_positive": 2, "alpha_negative": 40, "margin": 0.5, "mining": 0.7}
    L_pair = sum(slow(f[n], pid, **constants)[0] for n in f)
    Y = method.made["pseudo_parts"]
    L_psd = np.mean([-float(P[b, int(Y[b, i, j]), i, j].log()) for b, i, j in np.ndindex(*Y.shape)])
    assert float(terms["identity"]) == pytest.approx(L_id, rel=1e-4)
    assert float(terms["pair"]) == pytest.approx(0.9 * L_pair, rel=1e-4)
    assert float(terms["parts"]) == pytest.approx(0.11 * L_psd, rel=1e-4)
    method.part_loss = "sum"
    with torch.no_grad():
        assert float(method.losses(batch)["parts"]) == pytest.approx(0.11 * L_psd * Y[0].numel(), rel=1e-4)


def test_embedding_is_eq_16(project):
    method = build("pah", project).eval()
    batch = batch_for(method)
    with torch.no_grad():
        features, _ = method.embed(batch)
        f, *_ = method.vectors(batch)
        expected = [method.necks[name].norm(f[name]) for name in [*GLOBAL, "parts", *HEAD]]
    assert torch.equal(features[:, 0], torch.cat(expected, 1))


COMBINATIONS = [["global"], ["parts"], ["head"], ["global", "parts"], ["parts", "head"], ["global", "head"]]


@pytest.mark.parametrize("streams", [*COMBINATIONS, ["global", "parts", "head"]])
def test_every_combination_of_streams_trains_and_embeds(project, streams):
    method, batch = ready(project, streams=streams)
    total(method, batch).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.backbone.parameters())
    features, _ = method.eval().embed(batch)
    vectors = sum(6 if s == "parts" else 3 for s in streams)
    assert features.shape[:2] == (8, 1)
    assert len(method.necks) == vectors - 5 * ("parts" in streams)
    assert method.maps(batch).shape[1] == ("parts" in streams)
    assert (method.made["pseudo_parts"].shape[0] == 8) == ("parts" in streams)


@pytest.mark.parametrize("streams", COMBINATIONS)
def test_a_training_of_some_streams_is_a_part_of_a_training_of_all(project, streams):
    every, batch = ready(project)
    some, _ = ready(project, streams=streams)
    some.load_state_dict(every.state_dict(), strict=False)
    some.begin_epoch(0, persons(batch))
    total(every, batch).backward()
    total(some, batch).backward()
    theirs = dict(every.named_parameters())
    for name, p in some.named_parameters():
        torch.testing.assert_close(p.grad, theirs[name].grad, msg=name)


@torch.no_grad()
@pytest.mark.parametrize("head_box", ["label", "own"])
def test_a_test_compares_the_vectors_of_the_streams_it_is_given(project, head_box):
    method = build("pah", project, head_box=head_box).eval()
    batch = batch_for(method)
    f, *_ = method.vectors(batch)
    normed = {name: method.necks[name].norm(vector) for name, vector in f.items()}
    for streams in COMBINATIONS:
        method.use(streams=streams[::-1])
        own = [vector for name, vector in normed.items() if name.split()[0] in streams]
        assert method.labels_at_test == (("heads",) if "head" in streams and head_box == "label" else ())
        found, _ = method.embed(batch if method.labels_at_test else Inputs(batch.images))
        torch.testing.assert_close(found[:, 0], torch.cat(own, 1))
    assert [*method.train().vectors(batch)[0]] == [*f]  # which trains all of them nevertheless


def test_a_test_compares_what_was_trained(project):
    method = build("pah", project, streams=["global", "parts"])
    assert method.compared == ("global", "parts")  # of the three that params.yaml names
    with pytest.raises(UserError, match=r"at_test\.pah\.streams is \[head\], and the network has global, parts alone"):
        method.use(streams=["head"])
    with pytest.raises(UserError, match=r"at_test\.pah\.streams is \[\]"):
        method.use(streams=[])


@pytest.mark.parametrize(
    "changes",
    [
        {"erase_in": []},
        {"erase_at_test": False},
        {"part_loss": "sum"},
        {"smoothing": 0.1},
        {"head_box": "own"},
        {"parts": 3},
        {"mining": 0.0},
    ],
    ids=str,
)
def test_every_switch_trains_and_changes_something(project, changes):
    def state(changes):
        method, batch = ready(project, **changes)
        loss = total(method, batch)
        loss.backward()
        with torch.no_grad():
            return float(loss.detach()), method.eval().embed(batch)[0]

    (loss, features), (changed, moved) = state({}), state(changes)
    assert np.isfinite(changed)
    assert loss != changed or features.shape != moved.shape or not torch.equal(features, moved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": []}, "streams is empty; name one or more of global, parts, head"),
        ({"streams": "global"}, "streams is a list of global, parts, head, found 'global'"),
        ({"streams": ["face"]}, "unknown stream.* 'face'; known: global, head, parts"),
        ({"erase_in": ["parts"]}, "unknown .*erase_in.* 'parts'; known: global, head"),
        ({"erase_rows": "middle"}, r"\(erase_rows\) 'middle'; known: band, top"),
        ({"head_box": "tool"}, r"\(head_box\) 'tool'; known: label, own"),
        ({"part_loss": "median"}, r"\(part_loss\) 'median'; known: mean, sum"),
        ({"head_box": "own", "streams": ["global", "head"]}, "streams has no parts"),
        ({"part_backbone": "vgg"}, "unknown backbone 'vgg'"),
        ({"backbone": "resnet50"}, "ResNet50 has no front and tail"),
    ],
)
def test_values_that_make_no_network_are_named(project, changes, message):
    with pytest.raises(UserError, match=message):
        build("pah", project, **changes)


# pseudo-labels


def test_pseudo_labels_are_made_per_identity_in_test_mode_and_leave_the_network_as_it_was(project):
    method = build("pah", project).train()
    batch = batch_for(method)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.begin_epoch(0, persons(batch))
    assert method.training
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    with torch.no_grad():
        for rows, images in persons(batch):
            dense = method.backbone["parts"].eval()(images).movedim(1, -1).contiguous()
            expected = part_maps(dense, 6)
            assert torch.equal(method.made["pseudo_parts"][rows], expected)


@torch.no_grad()
def test_an_identitys_features_come_in_pieces_into_one_tensor(project, monkeypatch):
    method, batch = ready(project)
    whole = method.eval().places(batch.clean, torch.device("cpu"))
    monkeypatch.setitem(pah.AT_ONCE, "cpu", 3)
    assert torch.allclose(method.places(batch.clean, torch.device("cpu")), whole, atol=1e-5)
    assert whole.is_contiguous()
    assert torch.allclose(whole.movedim(-1, 1), method.dense(batch.clean), atol=1e-5)


def test_pseudo_labels_do_not_depend_on_the_order_of_persons_and_images(project):
    method, batch = ready(project)
    first = method.made["pseudo_parts"].clone()
    method.begin_epoch(1, persons(batch))
    assert torch.equal(method.made["pseudo_parts"], first)
    method.begin_epoch(1, reversed(list(persons(batch))))
    assert torch.equal(method.made["pseudo_parts"], first)


def test_pseudo_labels_follow_the_image(project):
    method, batch = ready(project)
    Y = torch.zeros(8, 16, 8, dtype=torch.uint8)
    Y[:, 2:6, 1:4], Y[:, 8:12, 4:8] = 1, 6
    method.made = {"pseudo_parts": Y}
    batch.changes[1, 0] = 1  # flipped
    batch.changes[2, 1] = 0.25  # four cells down
    batch.changes[3, 2] = -0.25  # two cells to the left
    batch.changes[4, 3:] = torch.tensor([0.0, 0, 0.25, 1])  # the upper quarter erased
    found = method.pseudo_labels(batch)
    assert torch.equal(found[0], Y[0].long())
    assert torch.equal(found[1], Y[1].long().flip(1))
    assert torch.equal(found[2, 4:], Y[2, :-4].long())
    assert (found[2, :4] == 0).all()
    assert torch.equal(found[3, :, :-2], Y[3, :, 2:].long())
    assert (found[3, :, -2:] == 0).all()
    assert (found[4, :4] == 0).all()
    assert torch.equal(found[4, 4:], Y[4, 4:].long())


def test_pseudo_labels_are_those_of_the_rows(project):
    method, batch = ready(project)
    swapped = dataclasses.replace(batch, rows=batch.rows.flip(0))
    assert torch.equal(method.pseudo_labels(swapped), method.pseudo_labels(batch).flip(0))


# heads


def test_without_a_head_the_upper_middle_of_the_image_stands_in(project):
    method = build("pah", project)
    batch = batch_for(method)
    batch.labelled["heads"][2] = False
    heads = method.head_images(batch, None)
    for b in range(8):
        if b != 2:
            assert torch.equal(heads[b], batch.labels["heads"][b])
    region = batch.images[2:3, :, :16, 8:24]
    expected = F.interpolate(region, (64, 32), mode="bilinear", align_corners=False)
    assert torch.allclose(heads[2:3, :, 2:-4, 1:-1], expected[:, :, 2:-4, 1:-1], atol=1e-4)


def test_without_a_head_stream_nothing_finds_heads(project):
    method = build("pah", project, head_box="own", streams=["global"])
    assert not any(name.startswith("W_head") for name in method.state_dict())


def test_the_networks_own_head_box_needs_no_label(project):
    method = build("pah", project, head_box="own")
    assert method.labels == ("heads",)
    assert method.labels_at_test == ()
    batch = batch_for(method)
    with torch.no_grad():
        F_dense = method.dense(batch.images)
        assert torch.equal(
            method.train().head_images(batch, F_dense), batch.labels["heads"]
        )  # training takes the label's
        boxes = method.eval().own_boxes(F_dense)
        inputs = Inputs(batch.images)
        assert torch.equal(method.head_images(inputs, F_dense), crop(batch.images, boxes))
        assert torch.isfinite(method.embed(inputs)[0]).all()
    without = build("pah", project, streams=["global", "parts"])
    assert without.labels == without.labels_at_test == ()
    assert build("pah", project).labels_at_test == ("heads",)


class Says(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


def test_head_loss_by_loops_is_least_where_the_places_are_those_of_the_box(project):
    method = build("pah", project, head_box="own").eval()
    F_dense = torch.randn(3, 472, 4, 4)
    boxes = torch.tensor([[0.25, 0.0, 0.75, 0.25], [torch.nan] * 4, [0.5, 0.5, 1.5, 1.5]])  # two cells, none, four
    with torch.no_grad():
        loss = float(method.head_loss(F_dense, boxes))
        scores = method.W_head(F_dense).flatten(1)
    cells = [[1, 2], [], [10, 11, 14, 15]]
    terms = [-float(scores[b].log_softmax(0)[c]) / len(cells[b]) for b in (0, 2) for c in cells[b]]
    assert loss == pytest.approx(sum(terms) / 2, rel=1e-5)
    right = torch.tensor([[0.0 if c in wanted else -50.0 for c in range(16)] for wanted in cells])
    method.W_head = Says(right.view(3, 1, 4, 4))
    assert float(method.head_loss(F_dense, boxes)) == pytest.approx((np.log(2) + np.log(4)) / 2, abs=1e-4)
    assert float(method.head_loss(F_dense, boxes[1:2].expand(3, 4))) == 0


def test_what_finds_the_head_learns_faster_and_no_parameter_is_left_out(project):
    for head_box, rates in (("label", [1]), ("own", [1, 5])):
        method = build("pah", project, head_box=head_box)
        groups = method.parameter_groups(5e-4)
        assert [group.get("rate", 1) for group in groups] == rates
        assert sorted(map(id, method.parameters())) == sorted(id(p) for group in groups for p in group["params"])
    assert groups[1]["params"] == list(method.W_head.parameters())


def test_finding_the_head_leaves_the_rest_of_the_training_as_it_is(project):
    trained = []
    for head_box in ("label", "own"):
        method, batch = ready(project, head_box=head_box)
        optimizer = torch.optim.Adam(method.parameters(), 1e-3)
        for _ in range(2):
            optimizer.zero_grad()
            total(method, batch).backward()
            optimizer.step()
        trained.append(method.state_dict())
    without, found = trained
    assert all(torch.equal(value, found[name]) for name, value in without.items())
    assert {name.partition(".")[0] for name in set(found) - set(without)} == {"W_head"}


def test_published_weights_go_into_every_stream(project, monkeypatch):
    loaded = []

    def load(backbone, name):
        loaded.append(name)
        for p in backbone.parameters():
            torch.nn.init.constant_(p, 0.5)

    monkeypatch.setattr(backbones, "load_imagenet", load)
    method = build("pah", project)
    method.load_initial("mobilenet_v2")
    assert sorted(loaded) == ["mobilenet_v2", "mobilenet_v2", method.part_backbone]
    assert all((p == 0.5).all() for p in method.backbone.parameters())


def test_tails_are_not_shared(project):
    fork = build("pah", project).backbone["global"]
    pairs = zip(fork.tail_1.parameters(), fork.tail_2.parameters(), strict=True)
    assert not any(a is b for a, b in pairs)


def test_persons_are_gathered_whole_and_in_order():
    persons = [(torch.arange(n), torch.zeros(n, 3, 2, 2)) for n in (3, 2, 4, 1)]
    groups = list(pah.gathered(iter(persons), 5))
    assert [[len(rows) for rows, _ in group] for group in groups] == [[3, 2], [4, 1]]
    assert [[len(rows) for rows, _ in group] for group in pah.gathered(iter(persons[:3]), 5)] == [[3, 2], [4]]
    assert [len(group) for group in pah.gathered(iter(persons), 1)] == [1] * 4
    assert [[len(rows) for rows, _ in group] for group in pah.gathered(iter(persons), 4)] == [[3], [2], [4], [1]]
    assert [[len(rows) for rows, _ in group] for group in pah.gathered(iter(persons), 9)] == [[3, 2, 4], [1]]
