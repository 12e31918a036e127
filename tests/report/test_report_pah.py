"""PAH-Net's own pictures."""

import numpy as np
import pytest
import torch

from methods.test_methods import batch_for, build
from partreid.inputs.images import normalise
from partreid.labels import made
from partreid.methods.base import Trained
from partreid.report import pah
from partreid.report.context import Context
from partreid.report.figures import FIGURES
from partreid.storage import image_table


def test_photo_is_the_inverse_of_normalise():
    image = torch.randint(0, 256, (1, 6, 4, 3), dtype=torch.uint8)
    assert np.array_equal(pah.photo(normalise(image)[0]), image[0].numpy())


def test_erased_rows_are_black_and_others_are_the_image():
    image = np.full((40, 20, 3), 200, np.uint8)
    energy = np.zeros((4, 2))
    energy[2, 1] = 7
    kept = np.array([True, True, False, True])
    shown, heat, dark = pah.erased(image, energy, kept)
    assert shown is image
    assert not dark[20:30].any()
    assert (dark[:20] == 200).all()
    assert (dark[30:] == 200).all()
    assert heat[25, 15].astype(int).sum() != heat[5, 5].astype(int).sum()


@pytest.fixture
def context(table, album, tmp_path, monkeypatch, project):
    """A random network that reads the head off its own parts, so that no label is needed, and pseudo-labels."""
    monkeypatch.chdir(tmp_path)

    def make(dataset="synthetic", **changes):
        method = build("pah", project, **{"head_box": "own", **changes}).eval()
        splits = ["train" if n % 2 else split for n, split in enumerate(table["split"].to_pylist())]
        trained_on = table.set_column(table.column_names.index("split"), "split", [splits])
        index = tmp_path / "table.parquet"
        image_table.write(trained_on, index)
        file = made.file("pseudo_parts", "synthetic")
        maps = np.tile(np.arange(6, dtype=np.uint8)[:, None], (18, 1, 4))
        paths = [path for path, split in zip(table["path"].to_pylist(), splits, strict=True) if split == "train"]
        made.write(file, "pseudo_parts", index, paths, maps, {"epoch": 4})
        trained = Trained(method, 64, 32, {"dataset": "synthetic"})
        ids = np.array([0, 6, 12])
        return Context(trained, album, trained_on, index, ids, dataset, 1)

    return make


def test_every_figure_of_the_paper_is_drawn(context):
    figures = FIGURES["pah"](context())
    assert [figure.title for figure in figures] == [
        "Adversarial erasing",
        "Parts found without labels",
        "Pseudo-labels",
    ]
    assert all(figure.picture.dtype == np.uint8 and figure.picture.shape[2] == 3 for figure in figures)
    assert "global and head streams" in figures[0].caption
    assert "epoch 4" in figures[2].caption


def test_only_what_the_network_has_is_drawn(context):
    titles = {
        streams: [figure.title for figure in FIGURES["pah"](context(streams=streams.split(), erase_in=["global"]))]
        for streams in ("global", "parts", "parts head")
    }
    assert titles == {
        "global": ["Adversarial erasing"],
        "parts": ["Parts found without labels", "Pseudo-labels"],
        "parts head": ["Adversarial erasing", "Parts found without labels", "Pseudo-labels"],
    }


def test_a_test_on_another_data_set_shows_no_training_images(context):
    assert len(FIGURES["pah"](context(dataset="market1501"))) == 2


@torch.no_grad()
def test_parts_of_many_images_take_several_rows(project):
    method = build("pah", project).eval()
    batch = batch_for(method)
    images = [np.full((64, 32, 3), 90, np.uint8)] * 8
    figure = pah.own_parts(method, batch, images)
    assert figure.picture.shape[0] > 2 * 160  # 16 pictures in two rows
    assert "box" not in figure.caption
