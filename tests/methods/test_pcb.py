"""PCB against a slow loop over its strips."""

import torch

from methods.test_methods import batch_for, build


def test_every_strip_is_averaged_reduced_and_classified_by_itself(project):
    method = build("pcb", project, parts=2, embedding=8).eval()
    features = torch.randn(3, method.backbone.channels, 4, 2)
    h = method.strips(features)
    for b in range(3):
        for k in range(2):
            average = features[b, :, 2 * k : 2 * k + 2].mean((1, 2))
            y = method.reduce.weight[k] @ average + method.reduce.bias[k]
            y = (y / (1 + method.reduce.norm.eps) ** 0.5).relu()  # fresh running averages: mean 0, variance 1
            assert torch.allclose(h[b, k], y, atol=1e-5)
    logits = method.part_logits(features)
    assert logits.shape == (3, 2, 6)
    other = features.clone()
    other[:, :, :2] = 0
    assert torch.equal(method.part_logits(other)[:, 1], logits[:, 1])


def test_it_learns_with_the_identity_loss_alone(project):
    method = build("pcb", project, parts=2, embedding=8).train()
    terms = method.losses(batch_for(method))
    assert set(terms) == {"identity"}
    terms["identity"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.parameters())
