import pytest
import torch

from backbones.test_openpose import checkpoint
from partreid import backbones
from partreid.backbones import openpose
from partreid.errors import UserError
from partreid.inputs.batch import Batch
from partreid.inputs.images import normalise
from partreid.pretraining.partmaps import PartMaps
from partreid.storage import published_weights


def batch_of(maps, known, height=32, width=16):
    images = torch.randn(len(maps), 3, height, width, generator=torch.Generator().manual_seed(3))
    rows = torch.arange(len(maps))
    labels, labelled = {"partmaps": maps}, {"partmaps": torch.tensor(known)}
    changes = torch.zeros(len(maps), 7)
    return Batch(images, labels, labelled, pid=rows, clean=images, rows=rows, changes=changes)


@pytest.mark.parametrize("channels", [57, 185])
def test_the_loss_is_the_squared_distance_after_both_stages(channels):
    torch.manual_seed(0)
    learner = PartMaps(backbone="small_cpm", identities=2, published=False).eval()
    maps = torch.rand(3, channels, 4, 2)
    batch = batch_of(maps, [True, False, True])
    terms = learner.losses(batch)
    limbs = joints = 0.0
    for stage in learner.part_network.every_stage(batch.images):
        for b in (0, 2):
            squares = (stage[b, :57] - maps[b, :57]).square().mean((1, 2))
            limbs += float(squares[:38].sum().detach()) / 2
            joints += float(squares[38:].sum().detach()) / 2
    assert float(terms["limbs"].detach()) == pytest.approx(limbs, rel=1e-5)
    assert float(terms["joints"].detach()) == pytest.approx(joints, rel=1e-5)


def test_images_without_anybody_say_nothing():
    learner = PartMaps(backbone="small_cpm", identities=2, published=False).train()
    loss = sum(learner.losses(batch_of(torch.rand(2, 57, 4, 2), [False, False])).values())
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is None or not p.grad.any() for p in learner.parameters())


@pytest.mark.parametrize("backbone", ["small_cpm", "openpose"])
def test_it_learns_maps(backbone):
    torch.manual_seed(0)
    learner = PartMaps(backbone=backbone, identities=2, published=False).train()
    maps = torch.zeros(4, 57, 20, 10)  # larger than the network's 4 x 2 cells
    maps[:, 50, :10] = 1
    batch = batch_of(maps, [True] * 4)
    optimizer = torch.optim.Adam(learner.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        loss = torch.stack(list(learner.losses(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert min(losses) < 0.5 * losses[0]


def test_published_weights_are_openposes(tmp_path, monkeypatch):
    state = checkpoint(6)
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path))
    torch.save(state, tmp_path / published_weights.WEIGHTS["openpose_coco"].file)
    learner = PartMaps(backbone="openpose", identities=2, published=True)
    learner.load_initial("openpose")
    for name, value in learner.part_network.network.state_dict().items():
        assert torch.equal(value, state[name])


def test_without_the_published_weights_the_error_says_both_ways_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path))
    learner = PartMaps(backbone="openpose", identities=2, published=True)
    with pytest.raises(UserError, match=r"Download body_pose_model\.pth .* Or learn the cached part maps instead"):
        learner.load_initial("openpose")


def test_a_small_network_starts_from_mobilenet(tmp_path, monkeypatch):
    source = backbones.build("mobilenet_v2")
    torch.save(source.state_dict(), tmp_path / "m.pth")
    monkeypatch.setattr(published_weights, "path", lambda _: tmp_path / "m.pth")
    learner = PartMaps(backbone="small_cpm", identities=2, published=False)
    learner.load_initial("small_cpm")
    for name, value in learner.part_network.front.state_dict().items():
        assert torch.equal(value, source.features.state_dict()[name])


def test_part_networks_see_what_openpose_sees():
    pixels = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8)
    torch.testing.assert_close(openpose.from_normalised(normalise(pixels)), openpose.prepare(pixels), atol=1e-6, rtol=0)


def test_a_small_network_has_about_three_million_parameters():
    # R-CPM: "about 3 M"; with Part-Aligned Bilinear's 3x3 convolution 185 -> 128
    count = sum(p.numel() for p in backbones.build("small_cpm").parameters())
    assert count + 9 * 185 * 128 + 128 == 2_849_586


@pytest.mark.parametrize(
    ("backbone", "published", "message"),
    [
        ("mobilenet_v2", False, "backbone is mobilenet_v2, expected openpose or small_cpm"),
        ("small_cpm", True, "no published weights for small_cpm"),
    ],
)
def test_other_networks_are_refused(backbone, published, message):
    with pytest.raises(UserError, match=message):
        PartMaps(backbone=backbone, identities=2, published=published)
