"""Grad-CAM against its equations on a classifier whose gradient is known, and the figure of a method."""

import numpy as np
import pytest
import torch

from methods.test_methods import build
from partreid.methods.base import Trained
from partreid.report import figures, gradcam
from partreid.report.context import Context

EVERYWHERE = torch.ones(3, 4, dtype=torch.bool)


def test_it_is_the_papers_weighted_sum():
    generator = torch.Generator().manual_seed(0)
    F = torch.randn(2, 5, 4, 3, generator=generator)
    W = torch.randn(3, 6, 5, generator=generator)  # three parts' linear classifiers on the average

    def part_logits(features):
        return torch.einsum("bc,kic->bki", features.mean((2, 3)), W)

    cams, logits = gradcam.maps(F, part_logits, EVERYWHERE), part_logits(F)
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
    cams = gradcam.maps(torch.ones(1, 2, 3, 3), lambda features: -features.mean((2, 3))[:, None], EVERYWHERE[:1, :3])
    assert (cams == 0).all()


@pytest.mark.parametrize(("name", "changes"), [("pcb", {}), ("mpn", {"tasks": "auxiliary"}), ("mpn", {})])
def test_strips_have_their_evidence_in_their_strip(project, name, changes):
    method = build(name, project, parts=2, embedding=16, **changes).eval()
    torch.nn.init.normal_(method.classifier.weight)
    cams = gradcam.maps(torch.rand(4, method.backbone.channels, 4, 2), method.part_logits, method.part_rows(4))
    elsewhere = torch.cat([cams[:, 0, 2:], cams[:, 1, :2]])
    assert (elsewhere == 0).all() == (changes != {} or name == "pcb")
    assert (cams > 0).any()


@pytest.mark.parametrize("name", ["mpn", "pcb"])
def test_the_figure_has_a_map_for_each_part(project, table, album, tmp_path, name):
    trained = Trained(build(name, project, parts=3, embedding=16).eval(), 64, 32, {"model": name})
    context = Context(trained, album, table, tmp_path / "index", np.array([0, 7]), "folder", 1)
    (figure,) = figures.of(context)
    two, one = figure.picture, gradcam.picture([album.thumb(0)], np.zeros((1, 1, 2, 2)), ["part 1"])
    assert two.dtype == np.uint8
    assert two.shape[0] > 1.5 * one.shape[0]
    assert two.shape[1] > 1.5 * one.shape[1]
    assert "figures 8 and 9" in figure.caption


def test_a_method_without_pictures_of_its_own_has_none_and_no_other_methods(project, table, album, tmp_path):
    trained = Trained(build("bot", project).eval(), 64, 32, {"model": "bot"})
    context = Context(trained, album, table, tmp_path / "index", np.array([0]), "folder", 1)
    assert figures.of(context) == []
    with pytest.raises(TypeError, match="of PAH was asked of BagOfTricks"):
        figures.FIGURES["pah"](context)
