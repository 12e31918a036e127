"""IDE: what it learns, and that MPN can start from it."""

import torch

from methods.test_methods import batch_for
from partreid.methods.mpn import MPN
from partreid.pretraining.ide import IDE


def test_it_learns_and_ends_in_a_backbone_for_mpn():
    torch.manual_seed(0)
    learner = IDE(backbone="mobilenet_v2", identities=6, embedding=16, dropout=0.5).train()
    learner.losses(batch_for(MPN))["identity"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.parameters())
    assert MPN.starts_from == {"backbone": "ide"}


def test_dropout_is_an_option_and_off_in_evaluation():
    learner = IDE(backbone="mobilenet_v2", identities=6, embedding=16, dropout=0.5)
    torch.nn.init.normal_(learner.head[-1].weight)
    batch = batch_for(MPN)
    with torch.no_grad():
        assert learner.train().losses(batch)["identity"] != learner.losses(batch)["identity"]
        learner.head[3].p = 0.0
        assert torch.isclose(learner.losses(batch)["identity"], learner.losses(batch)["identity"])
        learner.head[3].p = 0.5
        assert learner.eval().losses(batch)["identity"] == learner.losses(batch)["identity"]
