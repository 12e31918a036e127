"""A trained network for photos."""

import copy
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from partreid import methods
from partreid.api import forked
from partreid.api import photos as given_photos
from partreid.api.boxes import cut_out
from partreid.api.labels import Given, labels
from partreid.api.people import People
from partreid.api.photos import Photo
from partreid.errors import UserError, choose, positive
from partreid.inference import assembled, stored_of
from partreid.inputs.batch import Inputs
from partreid.inputs.kinds import HEADS
from partreid.methods.base import Trained
from partreid.params import EXPORTS
from partreid.storage import files, weights
from partreid.storage.files import sha256

BATCH = 64
FILE = f"weights{weights.ENDING}"
CARD = "weights.md"
PRECISIONS = ("auto", "float32", "bfloat16")


class Model:
    """A network that turns photos of one person each into embeddings. `load` makes one; threads may share it.

    name: of the method. header: all that the weights file says of how it came to be. parts: names of the embedded
    parts. distance: how embeddings are compared. height, width: what photos are resized to. needs: the labels that a
    test needs (most methods: none). device: where it runs.
    """

    def __init__(self, trained: Trained, file: Path, device: torch.device, bfloat16: bool, at_test: Mapping[str, Any]):
        self._file, self._digest = file, sha256(file)
        # who asks goes before what converted weights bring, which goes before params.yaml alone
        asked = {"at_test": {**trained.header.get("at_test", {}), **at_test}}
        chosen = replace(trained, header={**trained.header, **asked}).use({})
        self._at_test = json.loads(json.dumps(chosen))  # as files have it: lists for tuples
        self._method = trained.method.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._method.mixed = bfloat16
        self.name: str = trained.header["model"]
        self.header: Mapping[str, Any] = trained.header
        self.height, self.width, self.device = trained.height, trained.width, device
        self.parts: tuple[str, ...] = self._method.part_names()
        self.distance: str = self._method.distance
        self.needs: tuple[str, ...] = self._method.labels_at_test

    def embed(
        self, photos: Photo | Iterable[Photo] | Tensor, *, labels: Given | None = None, batch: int = BATCH
    ) -> People:
        """Embed one photo or many, in order.

        photos: paths, uint8 arrays of any sizes, PIL images, mixed as you like; an array (N, H, W, 3); or a float
        tensor (N, 3, height, width) that is already resized and normalised. An array is RGB (H, W, 3), grey (H, W),
        which becomes RGB, or RGBA (H, W, 4), whose alpha is left out. labels: kind -> array, a row per photo, for
        methods that need some (`needs`); what is not given is made by the tool that the weights name. batch: photos
        through the network at a time. UserError for a photo that cannot be read.
        """
        batch, given = positive(batch, "batch"), _by_kind(labels)
        if isinstance(photos, Tensor):
            return self._of_tensor(photos, given, batch)
        every = given_photos.listed(photos)
        features: list[np.ndarray] = []
        visibility: list[np.ndarray] = []
        for start in range(0, len(every), batch):
            images = [given_photos.array(photo, start + n) for n, photo in enumerate(every[start : start + batch])]
            here = self._labels(images, _rows(given, start, len(images), len(every)))
            inputs = assembled(stored_of(images, here, self.height, self.width))
            for into, found in zip((features, visibility), self._embedded(inputs), strict=True):
                into.append(found)
        return self._people(features, visibility, [given_photos.file_of(photo) for photo in every])

    def embed_boxes(self, frame: Photo, boxes: ArrayLike, *, labels: Given | None = None, batch: int = BATCH) -> People:
        """Embed the persons in boxes of one frame, in order; of no boxes, nobody.

        frame: one photo, as `embed` takes it, not a tensor. boxes: (N, 4), x0, y0, x1, y1 in pixels of the frame; what
        lies outside it is cut off, and every pixel that a box touches is in. labels, batch: as of `embed`, of the N
        photos that were cut out. UserError for a box that holds nothing of the frame.
        """
        photos = cut_out(given_photos.array(frame, 0), boxes)
        return self.embed(photos, labels=labels, batch=batch) if photos else self._nobody()

    def save(self, folder: str | Path) -> Path:
        """Write the weights, and the model card if there is one, into a folder that `load` takes; its path."""
        folder = Path(folder)
        for file, name in ((self._file, FILE), (self._file.with_suffix(".md"), CARD)):
            if file.is_file():
                files.copy(file, folder / name)
        return folder

    def export(
        self, path: str | Path, photos: Iterable[Photo], *, precision: str = "float32", labels: Given | None = None
    ) -> Path:
        """Write the network as ONNX (partreid.export.graph) in float32 or int8, whatever it runs in; the file's path.

        photos: float32 is checked on them: give eight or more. int8, which is made of checked float32, takes its ranges
        from them: give a hundred or more, of the cameras that it will serve, and measure what it costs. UserError, and
        no file, where onnxruntime does not answer as torch does in float32, or the photos show hardly a difference.
        Needs the extra `partreid[export]`.
        """
        from partreid.export import checking, graph, quantised

        choose(EXPORTS, precision, "precision")
        files.writable(Path(path))
        images = [given_photos.array(photo, n) for n, photo in enumerate(given_photos.listed(photos))]
        if len(images) < 2:
            raise UserError(f"an export is checked on photos: give two or more, best eight, found {len(images)}")
        here = self._labels(images, _rows(_by_kind(labels), 0, len(images), len(images)))
        example = graph.pixels_of(assembled(stored_of(images, here, self.height, self.width)))
        method = copy.deepcopy(self._method).cpu()  # other threads may be at work with this one
        method.mixed = False
        trained = Trained(method, self.height, self.width, dict(self.header))
        with tempfile.TemporaryDirectory(prefix="partreid-") as folder:
            exact = Path(path) if precision == "float32" else Path(folder) / "model.onnx"
            graph.write(exact, trained, [each[:2] for each in example], self._digest, self._at_test)
            checking.check(exact, method, example)
            if precision == "int8":
                quantised.quantise(exact, Path(path), example)
        return Path(path)

    def __repr__(self) -> str:
        about = f"{self.name}, {self.height} x {self.width}, {len(self.parts)} parts, {self.distance} distance"
        return f"<partreid.Model {about}, on {self.device}>"

    def _labels(self, images: list[np.ndarray], given: Given) -> dict[str, Any]:
        return labels(self.needs, images, given, self.header.get("label_tools", {}))

    def _of_tensor(self, images: Tensor, given: Given, batch: int) -> People:
        images = images[None] if images.dim() == 3 else images
        if images.shape[1:] != (3, self.height, self.width) or not images.is_floating_point():
            raise UserError(
                f"a tensor of photos is float, (N, 3, {self.height}, {self.width}), normalised; found {images.dtype} "
                f"{tuple(images.shape)}"
            )
        if not len(images):
            raise UserError("there are no photos to embed")
        if not images.isfinite().all():
            raise UserError("a tensor of photos holds NaN or infinity; was it normalised by a standard deviation of 0?")
        if self.needs or given:
            raise UserError(f"a tensor of photos goes without labels; this model needs {self.needs or 'none'}")
        found = [self._embedded(Inputs(some.float())) for some in images.split(batch)]
        return self._people([f for f, _ in found], [v for _, v in found], [None] * len(images))

    def _embedded(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        forked.ready()
        with torch.inference_mode():
            features, visibility = self._method.embed(inputs.to(self.device))
        return features.float().cpu().numpy(), visibility.float().cpu().numpy()

    def _nobody(self) -> People:
        """No photos; how long their vectors would be only the network knows."""
        no_head = {HEADS: np.full((1, 4), np.nan)} if HEADS in self.needs else None
        return self.embed(np.zeros((1, 1, 3), np.uint8), labels=no_head)[:0]

    def _people(self, features: list[np.ndarray], visibility: list[np.ndarray], paths: list[str | None]) -> People:
        if not features:
            raise UserError("there are no photos to embed")
        every = np.concatenate(features), np.concatenate(visibility)
        return People(*every, self.parts, self.distance, self._digest, tuple(paths), self._at_test)


def load(
    path: str | Path,
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    at_test: Mapping[str, Any] | None = None,
) -> Model:
    """Open weights: a file, or a folder that `Model.save` wrote.

    device: "auto" (a CUDA device where there is one), or what torch.device takes. precision: of the backbone,
    "float32", "bfloat16", or "auto", bfloat16 where a CUDA device has it. at_test: the method's choices in a test, as
    `at_test` in params.yaml; they go before those that converted weights bring. UserError when the file is missing,
    damaged, or of another version.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError(f"expected the path of a weights file, found {path!r}")
    file = _file(Path(path))
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    where = _device(device)
    fast = where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    bfloat16 = precision == "bfloat16" or (precision == "auto" and fast)
    if not isinstance(at_test, Mapping | None):
        raise UserError(f"at_test is {at_test!r}, expected names and values, as {{'embeddings': ['global']}}")
    return Model(methods.load(file), file, where, bfloat16, at_test or {})


def _file(path: Path) -> Path:
    """The weights file that is meant. UserError where there is none, in words for who has no project."""
    saved = path.is_dir()
    file = path / FILE if saved else path
    if not file.is_file():
        found = f"in the folder {path.resolve()}: it has no {FILE}" if saved else f"{path.absolute()}"
        raise UserError(
            f"no weights {found}; expected a {FILE} that a training left, or a folder that Model.save wrote"
        )
    return file


def _device(name: str | torch.device) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise UserError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return found


def _by_kind(labels: Given | None) -> Given:
    if not isinstance(labels, Mapping | None):
        raise UserError(f"labels are given by kind, as labels={{'heads': boxes}}; found {type(labels).__name__}")
    return labels or {}


def _rows(given: Given, start: int, count: int, total: int) -> Given:
    """Rows of given labels. UserError when they are not one per photo."""

    def some(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: some(each) for name, each in value.items()}
        rows = len(value) if hasattr(value, "__len__") else 0
        if rows != total:
            raise UserError(f"labels have a row per photo: found {rows} rows, {total} photos")
        return np.asarray(value)[start : start + count]

    return {kind: some(value) for kind, value in given.items()}
