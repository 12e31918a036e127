"""What the tests of the page to search with share: a gallery of persons in plain colours, an untrained model."""

import os
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import torch

import coloured_persons
from partreid import methods, params
from partreid.api.model import load
from partreid.evaluation.distances import DISTANCES
from partreid.inference import assembled, embed, stored_of
from partreid.inputs.images import read_image
from partreid.search import gallery as galleries
from partreid.search.finder import Ready
from partreid.search.threshold import Threshold
from partreid.serving import asking, search_page
from partreid.storage import embeddings, image_table
from partreid.storage.files import sha256

PROJECT = Path(__file__).parents[1]
PERSONS = 14
SETTLED = 0.958  # how far batch norms know the photos: at 1 they would make much of the noise in them


def asked(root: Path, model: str, find=None, **use) -> asking.Asking:
    """`PERSONS` persons by two cameras, both in the gallery; a threshold that takes a person's other image."""
    before = Path.cwd()
    os.chdir(root)
    try:
        return _asked(root, model, find, use)
    finally:
        os.chdir(before)


def _asked(root, model, find, use):
    coloured_persons.project(root, PERSONS)
    index, run = root / "data/index/folder.parquet", root / f"runs/{model}-folder"
    table = image_table.read(index)
    place = table.schema.get_field_index("split")
    table = table.set_column(place, table.schema.field(place), pa.array(["gallery"] * len(table)))
    image_table.write(table, index)
    torch.manual_seed(1)
    _, options = params.load(PROJECT / "params.yaml").recipe_of(model)
    method = methods.build(model, backbone="mobilenet_v2", identities=3, **options)
    _settle(method, [root / "photos" / path for path in table["path"].to_pylist()])
    about = {"model": model, "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "folder"}
    weights = run / "weights.safetensors"
    methods.save(weights, method, {**about, "height": 64, "width": 32})
    trained = methods.load(weights)
    trained.method.use(**use)
    header = {"model": model, "dataset": "folder", "target": "folder", "distance": trained.method.distance}
    header |= {"table": sha256(index), "weights": sha256(weights), "at_test": use}
    batches = embed(trained, table, root / "photos", {}, torch.device("cpu"), quiet=True)
    embeddings.write(run / "embeddings.npz", header, batches)
    gallery = galleries.from_file(run / "embeddings.npz", sha256(weights), params.load(root / "params.yaml"))
    ready = Ready(gallery, trained.method.distance, "whole")
    return asking.Asking(load(weights, device="cpu", at_test=use), gallery, ready, _limit(ready, gallery), find)


def _limit(ready: Ready, gallery: galleries.Gallery) -> Threshold:
    """Halfway between the furthest two images of one person and the nearest two of others."""
    who = np.array([place.partition("_")[0] for place in gallery.places])
    rows = ready.rows.rows(0, len(gallery))
    found = DISTANCES[gallery.stored.header["distance"]](rows, rows).numpy()
    same = who[:, None] == who
    assert found[same].max() < found[~same].min()
    limit = float(found[same].max() + found[~same].min()) / 2
    return Threshold(limit, 0.001, 0.001, 1000, (0.0, 0.01), 0.001, 0.9, 1000, 100, 8, 16, "test")


def _settle(method, photos: list[Path]) -> None:
    """Have the batch norms know the photos; without that, a new network tells hardly anybody from anybody."""
    inputs = assembled(stored_of([read_image(photo) for photo in photos], {}, 64, 32))
    for norm in method.modules():
        if hasattr(norm, "momentum"):
            norm.momentum = SETTLED
    with torch.no_grad():
        method.train().embed(inputs)
    method.eval()


def part(asked: asking.Asking):
    """The part of the server."""
    facts = [("model", "bot"), ("distance", asked.model.distance)]
    return search_page.part(
        asked, f"Threshold {asked.limit.distance:.4f}: nearer images are called the same person.", facts, "bot · test"
    )


def several(root: Path, persons) -> tuple[np.ndarray, np.ndarray]:
    """A photo of several of them side by side, uint8 RGB, and their boxes (N, 4)."""
    photo = np.full((180, 20 + 90 * len(persons), 3), 90, np.uint8)
    boxes = []
    for number, person in enumerate(persons):
        x = 20 + 90 * number
        photo[30:158, x : x + 64] = cv2.imread(str(root / "photos" / f"{person}_0.png"))[..., ::-1]
        boxes.append([x, 30, x + 64, 158])
    return photo, np.array(boxes, np.float32)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
