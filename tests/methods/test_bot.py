"""What Bag of Tricks' options are."""

import pytest
import torch

from methods.test_methods import batch_for, build
from partreid.errors import UserError


@pytest.mark.parametrize(("over", "right", "wrong"), [("all", 0.9 + 0.1 / 6, 0.1 / 6), ("others", 0.9, 0.1 / 5)])
def test_smoothing_over_all_classes_or_the_others(project, over, right, wrong):
    method = build("bot", project, smoothing=0.1, smoothing_over=over).train()
    batch = batch_for(method)
    found = method.losses(batch)["identity"]
    log = method.neck(method.pooled(batch.images)).log_softmax(1)
    own = log[torch.arange(len(log)), batch.pid]
    expected = -(right * own + wrong * (log.sum(1) - own)).mean()
    assert torch.allclose(found, expected, rtol=1e-5)


def test_other_classes_are_named(project):
    with pytest.raises(UserError, match="unknown classes"):
        build("bot", project, smoothing_over="some")
