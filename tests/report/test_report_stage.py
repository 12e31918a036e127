"""stages/report.py on a tiny project with real, untrained methods."""

import runpy
import shutil
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch
import yaml

from partreid import methods, params
from partreid.errors import UserError
from partreid.labels import made
from partreid.report import pipeline
from partreid.storage import cache, chunks, files, image_table, weights

ROOT = Path(__file__).parents[2]
OUTS = ("ranking.png", "attention.png", "curves.png", "cmc.png")


@pytest.fixture
def project(tmp_path, monkeypatch, table, write_results):
    """A function that makes a project whose evaluation of a model has just ended, and returns its main."""

    def make(model, **own):
        for name in pipeline.FILES:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        values.update(model=model, dataset="folder", raw={**values["raw"], "folder": str(tmp_path / "images")})
        values["methods"][model].update(own)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["report.py"])
        image_table.write(table, Path("data/index/folder.parquet"))
        run = Path(f"runs/{model}-folder")
        write_results(Path(f"results/folder/{model}"), run / "curves")
        recipe, options = params.load().recipe_of(model)
        torch.manual_seed(1)
        method = methods.build(model, backbone=recipe.backbone, identities=3, **options)
        header = {"model": model, "backbone": recipe.backbone, "identities": 3, "options": options, "height": 32}
        header |= {"width": 16, "dataset": "folder", "recipe": "laptop", "training": vars(recipe), "seed": 1}
        methods.save(
            run / "weights.safetensors", method, {**header, "revision": "c0ffee-dirty", "precision": "float32"}
        )
        return runpy.run_path(str(ROOT / "stages/report.py"))["main"]

    return make


def _check(folder):
    for name in OUTS:
        assert cv2.imread(str(folder / name)) is not None
    assert (folder / "parts.json").read_text() == "{}\n"  # these photos were not rendered
    return ElementTree.fromstring((folder / "report.html").read_text(encoding="utf-8"))


def test_a_part_method_with_labels(project):
    main = project("bpbreid")
    index = Path("data/index/folder.parquet")
    status = torch.zeros(36, dtype=torch.uint8).numpy()
    status[::6] = cache.MISSING  # every query: nobody found
    header = cache.header("label/pifpaf", "blazepose", "1.2", "e" * 64, {"height": 9}, files.sha256(index))
    fields = torch.zeros((36, 36, 9, 5), dtype=torch.uint8).numpy()
    path = Path("data/labels/pifpaf/folder.npz")
    chunks.write(path, cache.counted(header, status), [{"status": status, "fields": fields}])
    main()
    tree = _check(Path("results/folder/bpbreid"))
    heads = ["".join(head.itertext()) for head in tree.findall(".//table[@class='looks']/thead//th")]
    assert heads[:3] == ["image", "label: pifpaf", "foreground"]
    assert len(heads) == 8
    words = "".join(tree.itertext())
    for said in ("nobody found", "30 ok, 6 missing, 0 failed", "e" * 64, "git checkout c0ffee", "train@bpbreid"):
        assert said in words
    assert "dvc exp run dvc.yaml -S model=bpbreid -S dataset=folder -S recipe=laptop -S train.seed=1" in words


def test_a_part_method_whose_labels_are_gone(project):
    project("bpbreid")()
    tree = _check(Path("results/folder/bpbreid"))
    assert "labels are not on this disk (data/labels/pifpaf/folder.npz)" in "".join(tree.itertext())
    assert len(tree.findall(".//table[@class='looks']/thead//th")) == 7


def test_a_global_method(project):
    project("bot")()
    tree = _check(Path("results/folder/bot"))
    assert tree.find(".//table[@class='looks']") is None
    assert Path("runs/bot-folder/weights.md").read_text().startswith("# bot trained on folder")
    assert "train@bot" in "".join(tree.itertext())


def test_the_labels_that_a_method_made_itself_are_shown(project):
    main, index = project("pah", head_box="own"), Path("data/index/folder.parquet")
    paths = image_table.read(index)["path"].to_pylist()
    maps = np.ones((len(paths), 4, 2), np.uint8)
    made.write(made.file("pseudo_parts", "folder"), "pseudo_parts", index, paths, maps, {"epoch": 3})
    main()
    words = "".join(_check(Path("results/folder/pah")).itertext())
    for said in ("Adversarial erasing", "Parts found without labels", "the clusters of their features in epoch 3"):
        assert said in words


@pytest.mark.filterwarnings("error")  # matplotlib's, of a figure without anything to lay out
def test_a_method_that_was_trained_for_no_epochs(project):
    main, file = project("bot"), Path("runs/bot-folder/weights.safetensors")
    header, state = weights.read(file)
    header["training"]["epochs"] = 0
    weights.save(file, header, state)
    shutil.rmtree("runs/bot-folder/curves/plots/metrics")
    main()
    tree = _check(Path("results/folder/bot"))
    assert tree.find(".//div[@class='curves']") is None


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("results/folder/bot/ranks.parquet", "the evaluate stage makes it"),
        ("runs/bot-folder/weights.safetensors", "`dvc exp run dvc.yaml -S model=bot -S dataset=folder` trains them"),
        ("data/index/folder.parquet", "`dvc repro data/dvc.yaml:index@folder` makes it"),
        ("images/06.png", "make the index anew"),
    ],
)
def test_a_missing_input_is_named_with_what_makes_it(project, gone, said):
    main = project("bot")
    Path(gone).unlink()
    with pytest.raises(UserError) as error:
        main()
    assert gone in str(error.value)
    assert said in str(error.value)
