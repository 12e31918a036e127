import math

import pytest
import torch

from partreid.body.parsing import PARSING
from partreid.errors import UserError
from partreid.inputs.batch import Batch
from partreid.pretraining.parsing import Parsing


def learner(**changes):
    torch.manual_seed(0)
    options = {"parser": "mini", "published": False, **changes}
    return Parsing(backbone="mobilenet_v2", identities=2, **options)


def batch():
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(0, 7, (4, 16, 8), generator=generator)
    label = torch.zeros(4, 8, 16, 8)
    label[:, :7] = torch.nn.functional.one_hot(classes, len(PARSING)).movedim(-1, 1)
    clean = torch.randn(4, 3, 64, 32, generator=generator)
    return Batch(
        images=torch.zeros_like(clean),  # as if all had been erased
        labels={"schp": label},
        labelled={"schp": torch.tensor([True, True, False, True])},
        pid=torch.tensor([0, 0, 1, 1]),
        clean=clean,
        rows=torch.arange(4),
        changes=torch.zeros(4, 7),
    )


def test_the_loss_is_the_cross_entropy_of_known_pixels():
    model, given = learner().eval(), batch()
    with torch.no_grad():
        found = float(model.losses(given)["parsing"])
        p = model.F_m(given.clean).softmax(1)
    target = torch.nn.functional.interpolate(given.labels["schp"][:, :7], (64, 32), mode="bilinear")
    terms = []
    for image in (0, 1, 3):
        for y in range(64):
            for x in range(32):
                pixel = zip(target[image, :, y, x].tolist(), p[image, :, y, x].tolist(), strict=True)
                terms.append(-sum(t * math.log(q) for t, q in pixel))
    assert found == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_without_any_label_nothing_is_learned():
    model, given = learner(), batch()
    given.labelled["schp"][:] = False
    loss = model.losses(given)["parsing"]
    loss.backward()
    assert float(loss.detach()) == 0


def test_a_few_steps_learn_masks():
    model, given = learner().train(), batch()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(10):
        loss = model.losses(given)["parsing"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_missing_published_weights_name_the_file_and_the_way_without(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"pascal-person-part\.pth.*pretraining\.parsing\.published"):
        learner(parser="schp", published=True).load_initial("resnet50")
