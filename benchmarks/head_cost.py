"""What finding heads costs PAH-Net, in time and in accuracy.

    python benchmarks/head_cost.py cost [--dataset NAME] [--images 128] [--rounds 3]
    python benchmarks/head_cost.py accuracy [--dataset NAME]

cost: images per second, from decoded images to their distances from all others, with the head crops at hand (107 in the
paper's Table 7), with a head detector (23 with DensePose, a ratio of 0.21), and with boxes that the network finds by
itself (`head_box: own`, no tool at all). The detector is BlazePose, with one look at every image and with three.
Everything runs on one core, so that the ratios say what the work is, not how it is spread; with `--device cuda` the
network runs on the GPU and BlazePose, which has no other place, on the core. The network is the chosen recipe's with
random weights: they change no time. Best of `--rounds`, the alternatives taking turns.

accuracy: rank-1 and mAP of the weights in runs/pah-<dataset>/, trained with `head_box: own`, by every protocol of the
data set, with the boxes of the `heads` label and with its own. But for what finds the head it is the network that
`head_box: label` trains.
"""

import argparse
from dataclasses import replace
from typing import cast

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from partreid import methods, params
from partreid.errors import UserError, choose
from partreid.evaluation.protocols import PROTOCOLS
from partreid.evaluation.results import evaluate, summary, text
from partreid.experiments.timing import best
from partreid.inference import embed
from partreid.inputs.batch import Inputs
from partreid.inputs.heads import cut
from partreid.inputs.images import normalise, resized
from partreid.inputs.kinds import read
from partreid.labels import LABELS, heads
from partreid.methods.pah import PAH
from partreid.program import at_least, run
from partreid.storage import image_table, published_weights
from partreid.storage.embeddings import Embeddings
from partreid.storage.places import Run
from partreid.tools import blazepose
from partreid.tools.reading import read_original
from partreid.training.precision import device_of

BATCH = 32  # images through the network at a time, as in the paper's measurement
PAPER = 23 / 107
GOAL = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "accuracy"])
    parser.add_argument("--dataset", help="params.yaml's by default")
    parser.add_argument("--images", type=at_least(1), default=128)
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    p = params.load()
    here = Run("pah", given.dataset or p.dataset, given.dataset or p.dataset)
    table = image_table.select(
        image_table.read(here.index), *(split for split in image_table.SPLITS if split != "train")
    )
    if given.what == "accuracy":
        accuracy(here, p, table, device_of(given.device))
    else:
        cost(here, p, table.slice(0, given.images), given.rounds, device_of(given.device))


def cost(here: Run, p: params.Params, table: pa.Table, rounds: int, device: torch.device) -> None:
    """Print the images per second of every way to a head, and their ratios."""
    torch.set_num_threads(1)
    recipe, options = p.recipe_of("pah")
    size = recipe.height, recipe.width
    networks = {
        head_box: methods.build("pah", backbone=recipe.backbone, identities=2, **{**options, "head_box": head_box})
        .eval()
        .to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for head_box in ("label", "own")
    }
    originals = [read_original(p.root(here.target) / path) for path in table["path"].to_pylist()]
    images = [image for image in originals if image is not None]
    boxes = detected(images, 1)
    at_hand = crops(images, boxes, *size)

    def found(looks: int) -> Tensor:
        return distances(networks["label"], images, crops(images, detected(images, looks), *size), *size)

    print(f"{len(images)} images of {here.target}, {recipe.height} x {recipe.width}, network on {device}")
    seconds = best(
        rounds,
        {
            "crops at hand": lambda: distances(networks["label"], images, at_hand, *size),
            "blazepose, 1 look": lambda: found(1),
            "blazepose, 3 looks": lambda: found(3),
            "its own": lambda: distances(networks["own"], images, None, *size),
        },
    )
    for name, time_of_it in seconds.items():
        ratio = seconds["crops at hand"] / time_of_it
        goal = f"  (goal: at least {GOAL}; the paper's detector: {PAPER:.2f})" if name == "its own" else ""
        print(f"{name:<20}{len(images) / time_of_it:8.1f} images/s   ratio {ratio:.2f}{goal}")


def detected(images: list[np.ndarray], looks: int) -> list[np.ndarray | None]:
    """Head boxes as the label `heads` makes them from BlazePose; None where it sees none."""
    model = published_weights.path("blazepose_full")
    boxes: list[np.ndarray | None] = []
    for image in images:
        score, landmarks, person = blazepose.detect(image, model, looks)
        sizes = np.array([image.shape[:2]])
        masks = np.rint(255 * person)[None].astype(np.uint8)
        made = heads.make(blazepose.coco(landmarks)[None], masks, sizes, min_score=0.1)
        box = heads.widen(made, sizes, 0.1)[0]
        boxes.append(None if score < blazepose.MIN_PERSON or np.isnan(box).any() else box)
    return boxes


def crops(images: list[np.ndarray], boxes: list[np.ndarray | None], height: int, width: int) -> list[np.ndarray | None]:
    """The heads, at the network's input size; None where there is no box."""
    return [None if box is None else cut(image, box, height, width) for image, box in zip(images, boxes, strict=True)]


def distances(
    network: methods.Method, images: list[np.ndarray], cropped: list[np.ndarray | None] | None, height: int, width: int
) -> Tensor:
    """Cosine distances of all images from each other. cropped: the heads, or None for a network that finds its own."""
    device = next(network.parameters()).device
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            inputs = Inputs(batch([resized(image, height, width) for image in images[part]]))
            if cropped is not None:
                black = np.zeros((height, width, 3), np.uint8)
                known = torch.tensor([head is not None for head in cropped[part]])
                own = batch([black if head is None else head for head in cropped[part]])
                inputs = replace(inputs, labels={"heads": own}, labelled={"heads": known})
            features.append(network.embed(inputs.to(device))[0][:, 0])
        unit = torch.nn.functional.normalize(torch.cat(features), dim=1)
        return (1 - unit @ unit.T).cpu()


def batch(images: list[np.ndarray]) -> Tensor:
    """uint8 (h, w, 3) each -> float32 (n, 3, h, w), normalised."""
    return normalise(torch.from_numpy(np.stack(images)))


def accuracy(here: Run, p: params.Params, table: pa.Table, device: torch.device) -> None:
    """Print the trained network's results with the label's boxes and with its own."""
    trained = methods.load(here.weights)
    method = cast(PAH, trained.method)
    if not method.finds_head:
        raise UserError(f"{here.weights} does not find heads; train it with `dvc exp run -S methods.pah.head_box=own`")
    ids = image_table.integers(table, "image_id")
    labels = {"heads": read("heads", LABELS["heads"].file("heads", here.target), here.index, ids)}
    protocols = choose(PROTOCOLS, here.target, "data set with protocols")
    for method.finds_head in (False, True):
        parts = list(embed(trained, table, p.root(here.target), {} if method.finds_head else labels, device))
        ids, features, visibility = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("image_id", "features", "visibility")
        )
        found = Embeddings(ids, features, visibility, {"distance": method.distance})
        how = p.evaluate
        results = {
            name: summary(evaluate(found, table, protocol, how.average_precision, how.unmatched, how.ranks))
            for name, protocol in protocols.items()
        }
        print(f"boxes: {'its own' if method.finds_head else 'the label'}\n{text(results)}\n")


if __name__ == "__main__":
    run(main)
