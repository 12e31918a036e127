"""Promises every registered method keeps."""

import inspect
import math

import pytest
import torch

from partreid import methods, pretraining
from partreid.errors import UserError
from partreid.inputs.batch import Batch, Inputs
from partreid.methods import METHODS
from partreid.training.step import optimizer_of
from small_networks import loaded


def build(name, project, identities=6, **changes):
    _, own = loaded(project).recipe_of(name)
    torch.manual_seed(0)
    return methods.build(name, **{"backbone": "mobilenet_v2", "identities": identities, **own, **changes})


def batch_for(method, size=8):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(size, 3, 64, 32, generator=generator)
    shapes = {"pifpaf": (36, 17, 9), "schp": (8, 128, 64), "partmaps": (57, 20, 10), "heads": (3, 64, 32)}
    labels = {kind: torch.rand(size, *shapes[kind], generator=generator) for kind in shapes}
    labels["poses"] = torch.eye(3)[torch.arange(size) % 3]
    wanted = {*method.labels, *method.labels_at_test}
    boxes = {"head_boxes": torch.tensor([[0.3, 0.1, 0.6, 0.3]]).repeat(size, 1)} if "heads" in wanted else {}
    return Batch(
        images=images,
        labels={**{kind: labels[kind] for kind in wanted}, **boxes},
        labelled={kind: torch.ones(size, dtype=torch.bool) for kind in wanted},
        pid=torch.arange(size) // 2,
        clean=images,
        rows=torch.arange(size),
        changes=torch.zeros(size, 7),
    )


def persons(batch):
    for pid in batch.pid.unique():
        rows = (batch.pid == pid).nonzero()[:, 0]
        yield batch.rows[rows], batch.clean[rows]


def one_by_one(batch):
    for row in range(len(batch.images)):
        labels, labelled = ({k: v[row : row + 1] for k, v in d.items()} for d in (batch.labels, batch.labelled))
        yield Inputs(batch.images[row : row + 1], labels, labelled)


@pytest.fixture(params=sorted(METHODS))
def name(request):
    return request.param


def test_losses_reach_every_parameter_they_should(name, project):
    method = build(name, project).train()
    method.begin_training()
    batch = batch_for(method)
    method.begin_epoch(0, persons(batch))
    terms = method.losses(batch)
    total = torch.stack(list(terms.values())).sum()
    assert torch.isfinite(total)
    total.backward()
    assert all(p.grad is not None for p in method.backbone.parameters())
    assert sum(p.grad.abs().sum() for p in method.backbone.parameters()) > 0


def test_it_says_how_many_classifiers_its_identity_terms_sum_up(name, project):
    """Classifiers that know nothing have a cross-entropy of ln 6 each."""
    method = build(name, project).train()
    method.begin_training()
    batch = batch_for(method)
    method.begin_epoch(0, persons(batch))
    with torch.no_grad():
        for parameter, value in method.named_parameters():
            if "classifier" in parameter and "pixel" not in parameter:
                value.zero_()
        terms = method.losses(batch)
    assert {term for term in terms if "identity" in term} == set(method.classifiers)
    for term, count in method.classifiers.items():
        assert float(terms[term]) == pytest.approx(count * math.log(6), rel=1e-4), term


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"identity_on": ["parts"], "part_identity": "mean"}, 1),
        ({"identity_on": ["global", "parts"], "part_identity": "sum"}, 6),
        ({"identity_on": ["global", "concatenated"]}, 2),
        ({"identity_on": [], "triplet_on": ["parts"]}, 0),
    ],
)
def test_gilts_classifiers(project, changes, count):
    assert sum(build("bpbreid", project, parts=5, **changes).classifiers.values()) == count


def test_a_few_steps_lower_the_loss(name, project):
    method = build(name, project).train()
    method.begin_training()
    optimizer = torch.optim.Adam(method.parameters(), 1e-3)
    batch, losses = batch_for(method), []
    method.begin_epoch(0, persons(batch))
    for _ in range(8):
        loss = torch.stack(list(method.losses(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < 0.9 * losses[0]


def test_what_the_recipe_freezes_stays_as_it_is_and_the_rest_learns(name, project):
    recipe, _ = loaded(project).recipe_of(name)
    assert recipe.freeze == "stride4"
    method = build(name, project, backbone=recipe.backbone)
    method.begin_training()
    optimizer = optimizer_of(method, recipe)
    batch = batch_for(method)
    before = {key: value.clone() for key, value in method.backbone.state_dict().items()}
    method.train()
    method.begin_epoch(0, persons(batch))
    torch.stack(list(method.losses(batch).values())).sum().backward()
    optimizer.step()
    after = method.backbone.state_dict()
    same = {key for key in before if torch.equal(before[key], after[key])}
    frozen = {value.data_ptr() for layer in method.frozen for value in layer.state_dict().values()}
    assert len(method.frozen) % 4 == 0
    assert len(frozen) > 40
    early = {key for key, value in after.items() if value.data_ptr() in frozen}
    assert early <= same
    assert not [key for key in same - early if key.endswith("num_batches_tracked")]
    assert len(same - early) < 0.1 * len(before)


@pytest.mark.parametrize(("name", "network"), [("pabr", "part_network"), ("fsam", "F_m")])
def test_freezing_covers_what_a_pre_training_made_too(name, network, project):
    method = build(name, project)
    method.freeze()
    inside = list(method.get_submodule(network).modules())
    early = [layer for layer in method.frozen if any(layer is module for module in inside)]
    assert len(early) == 4
    assert not any(p.requires_grad for layer in early for p in layer.parameters())
    assert sum(p.requires_grad for p in method.get_submodule(network).parameters()) > 20


@pytest.mark.parametrize("name", ["partmaps", "parsing"])
def test_a_pre_training_leaves_the_layers_up_to_stride_4(name, project):
    p = loaded(project)
    recipe, options = p.pretraining_of(name)
    assert recipe.freeze == "stride4"
    learner = pretraining.build(name, backbone=recipe.backbone, identities=2, **options)
    optimizer = optimizer_of(learner, recipe)
    learning = {id(value) for group in optimizer.param_groups for value in group["params"] if value.requires_grad}
    early = [value for layer in learner.early() for value in layer.parameters()]
    assert len(learner.frozen) == 4
    assert not learning & {id(value) for value in early}
    assert learning


def test_a_backbone_without_known_early_layers_says_so(project):
    method = build("bot", project, backbone="osnet_x1_0")
    with pytest.raises(UserError, match="which layers of backbone OSNet come first is not known; use freeze: none"):
        method.freeze()


@torch.no_grad()
def test_embedding_keeps_the_contract(name, project):
    method = build(name, project).eval()
    batch = batch_for(method)
    features, visibility = method.embed(batch)
    assert features.shape[:2] == visibility.shape == (8, len(method.part_names()))
    assert features.dtype == torch.float32
    assert set(visibility.unique().tolist()) <= {0.0, 1.0}
    maps = method.maps(batch)
    assert maps.shape[1] in (0, len(method.part_names()))
    assert maps.numel() == 0 or (maps.min() >= 0 and maps.max() <= 1)
    single = torch.cat([method.embed(inputs)[0] for inputs in one_by_one(batch)])
    assert torch.allclose(single, features, atol=1e-4)


def test_saved_and_loaded_is_the_same(name, project, tmp_path):
    method = build(name, project).eval()
    _, own = loaded(project).recipe_of(name)
    header = {"model": name, "backbone": "mobilenet_v2", "identities": 6, "options": own, "height": 64, "width": 32}
    methods.save(tmp_path / "weights.safetensors", method, header)
    generator = torch.get_rng_state()
    again = methods.load(tmp_path / "weights.safetensors")
    assert torch.equal(torch.get_rng_state(), generator)  # no random number is drawn for what the file holds
    batch = batch_for(method)
    with torch.no_grad():
        assert torch.equal(method.embed(batch)[0], again.method.embed(batch)[0])
    assert (again.height, again.width) == (64, 32)


def test_a_method_takes_its_options_as_keywords_only(name):
    arguments = inspect.signature(METHODS[name]).parameters.values()
    assert all(argument.kind is argument.KEYWORD_ONLY for argument in arguments)


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_damaged_weights_are_named(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.safetensors is damaged"):
        methods.load(path)
