"""Grad-CAM against its equations on a classifier whose gradient is known, and the figure of a method."""

import numpy as np
import pytest
import torch

from methods.test_methods import build
from partreid.methods import Trained
from partreid.report import gradcam
from partreid.report.context import Context
from partreid.report.figures import FIGURES


def test_it_is_the_papers_weighted_sum():
    generator = torch.Generator().manual_seed(0)
    F = torch.randn(2, 5, 4, 3, generator=generator)
    W = torch.randn(3, 6, 5, generator=generator)  # three parts' linear classifiers on the average

    def part_logits(features):
        return torch.einsum("bc,kic->bki", features.mean((2, 3)), W)

    cams, logits = gradcam.maps(F, part_logits), part_logits(F)
    assert cams.shape == (2, 3, 4, 3)
    for b, k in np.ndindex(2, 3):
        winner = int(logits[b, k].argmax())
        alpha = W[k, winner] / 12  # the gradient of an average over 12 cells, the same in each
        cam = np.zeros((4, 3))
        for c in range(5):
            cam += float(alpha[c]) * F[b, c].numpy()
        cam = np.maximum(cam, 0)
        assert np.allclose(cams[b, k], cam / cam.max(), atol=1e-5)


def test_no_evidence_is_a_dark_map():
    cams = gradcam.maps(torch.ones(1, 2, 3, 3), lambda features: -features.mean((2, 3))[:, None])
    assert (cams == 0).all()


def test_strips_have_their_evidence_in_their_strip(project):
    method = build("pcb", project, parts=2, embedding=16).eval()
    torch.nn.init.normal_(method.classifier.weight)
    features = torch.rand(1, method.backbone.channels, 4, 2)
    features[:, :, 2:] = 0
    seen = gradcam.maps(features, method.part_logits)
    assert (seen[:, :, 2:] == 0).all()


@pytest.mark.parametrize("name", ["mpn", "pcb"])
def test_the_figure_has_a_map_for_each_part(project, table, album, tmp_path, name):
    trained = Trained(build(name, project, parts=3, embedding=16).eval(), 64, 32, {})
    context = Context(trained, album, table, tmp_path / "index", np.array([0, 7]), "folder", tmp_path, 1)
    (figure,) = FIGURES[name](context)
    two, one = figure.picture, gradcam.picture([album.thumb(0)], np.zeros((1, 1, 2, 2)), ["part 1"])
    assert two.dtype == np.uint8
    assert two.shape[0] > 1.5 * one.shape[0]
    assert two.shape[1] > 1.5 * one.shape[1]
    assert "figures 8 and 9" in figure.caption
