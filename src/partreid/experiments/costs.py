"""What a method costs: the size of what a test needs, and steps of training and test to take the time of.

The steps run on batches that are made up, so they need no data set and no label, and time the network alone.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from partreid.inputs.batch import Batch
from partreid.methods.base import Learner, Method, Persons
from partreid.params import Recipe
from partreid.training.step import optimizer_of

BODY = (
    (1, 16, 30),
    (2, 30, 60),
    (5, 60, 90),
    (6, 90, 118),
)  # class of partreid.body.parsing, rows of a label of 128 rows


def made_up(learner: Learner, size: int, height: int, width: int, images_per_id: int = 4, clusters: int = 3) -> Batch:
    """A batch as the learner's training and test see it: noise, each image with a body in the middle.

    clusters: of the label `poses`. Person number n is in images_per_id images; 0 <= n < size / images_per_id.
    """
    makers: Mapping[str, Callable[[], Tensor]] = {
        "pifpaf": lambda: torch.rand(size, 36, 33, 17),
        "schp": lambda: body(size),
        "poses": lambda: torch.eye(clusters)[torch.arange(size) % clusters],
        "partmaps": lambda: torch.rand(size, 57, 20, 10),
        "heads": lambda: torch.randn(size, 3, height, width),
    }
    kinds = {*learner.labels, *getattr(learner, "labels_at_test", ())}
    labels = {kind: makers[kind]() for kind in sorted(kinds)}
    if "heads" in kinds:
        labels["head_boxes"] = torch.tensor([[0.3, 0.05, 0.7, 0.2]]).repeat(size, 1)
    images, rows = torch.randn(size, 3, height, width), torch.arange(size)
    return Batch(
        images=images,
        labels=labels,
        labelled={kind: torch.ones(size, dtype=torch.bool) for kind in kinds},
        pid=rows // images_per_id,
        clean=images,
        rows=rows,
        changes=torch.zeros(size, 7),
    )


def body(size: int) -> Tensor:
    """The label `schp` of somebody who stands in the middle: (size, 8, 128, 64)."""
    maps = torch.zeros(size, 8, 128, 64)
    maps[:, 0] = 1
    for part, top, bottom in BODY:
        maps[:, 0, top:bottom, 16:48] = 0
        maps[:, [part, 7], top:bottom, 16:48] = 1
    return maps


def persons(batch: Batch) -> Persons:
    """The batch as if it were the training set."""
    for pid in batch.pid.unique():
        rows = (batch.pid == pid).nonzero()[:, 0]
        yield batch.rows[rows], batch.clean[rows]


def training_step(learner: Learner, recipe: Recipe, batch: Batch, bfloat16: bool = False) -> Callable[[], Tensor]:
    """A function that does what training does with a batch of images, once, and returns the loss.

    That includes, for as many images, what the method does at the beginning of an epoch.
    """
    optimizer = optimizer_of(learner, recipe)
    learner.begin_training()

    def step() -> Tensor:
        learner.train().mixed = bfloat16
        learner.begin_epoch(0, persons(batch))
        loss = torch.stack(list(learner.losses(batch).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return _finished(loss.detach())

    return step


def embedding_step(method: Method, batch: Batch, bfloat16: bool = False) -> Callable[[], Tensor]:
    """A function that embeds the batch, once, and returns the features (B, P, D)."""

    def step() -> Tensor:
        method.eval().mixed = bfloat16
        with torch.inference_mode():
            return _finished(method.embed(batch)[0])

    return step


def size(method: Method, batch: Batch) -> tuple[int, int]:
    """How many parameters the embedding depends on, and how many numbers there are to an image's embedding.

    What only training needs, as classifiers and auxiliary tasks, does not count.
    """
    frozen = [p for p in method.parameters() if not p.requires_grad]
    for p in frozen:
        p.requires_grad_(True)
    method.eval().zero_grad(set_to_none=True)
    features, _ = method.embed(batch)
    features.sum().backward()
    found = sum(p.numel() for p in method.parameters() if p.grad is not None), features[0].numel()
    method.zero_grad(set_to_none=True)
    for p in frozen:
        p.requires_grad_(False)
    return found


def _finished(result: Tensor) -> Tensor:
    """The result once it is there: a GPU returns before it has done the work."""
    if result.is_cuda:
        torch.cuda.synchronize()
    return result
