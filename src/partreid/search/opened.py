"""What a program that searches works with: a trained model and a gallery, as its arguments name them."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from partreid import methods
from partreid.errors import UserError
from partreid.methods.base import Trained
from partreid.params import Params
from partreid.search import gallery as galleries
from partreid.search import learned
from partreid.search.calibration import calibrated
from partreid.search.finder import kind_of
from partreid.search.gallery import Gallery
from partreid.search.threshold import Threshold
from partreid.storage import files
from partreid.storage.places import Run
from partreid.training.precision import device_of


@dataclass(frozen=True)
class Opened:
    """digest: SHA-256 of the weights. at_test: the values that gallery and model go by. kind: see stages/search.py.

    known: how many of the gallery's images trained the model; None where that cannot be told.
    """

    weights: Path
    digest: str
    trained: Trained
    device: torch.device
    gallery: Gallery
    at_test: Mapping[str, Any]
    kind: str
    known: int | None

    def threshold(self, rate: float, asked: set[str]) -> tuple[Threshold | None, str]:
        """The threshold for a false-match rate, and what is to be said of it and of the gallery.

        asked: SHA-1s of the photos that are searched by, which do not set it.
        """
        limit, told = calibrated(self.weights, self.digest, self.at_test, asked, rate, len(self.gallery))
        return limit, " ".join(filter(None, (told, learned.told(self.known, len(self.gallery)))))

    @property
    def subtitle(self) -> str:
        """What was searched with what, in a line."""
        header = self.trained.header
        return f"{header['model']} trained on {header['dataset']} · {len(self.gallery):,} gallery images"

    def about(self, named: Path, shortlist: int) -> dict[str, Any]:
        """The same as a record. named: the gallery, as it was given. shortlist: images that are re-scored."""
        return {
            "model": self.trained.header["model"],
            "trained_on": self.trained.header["dataset"],
            "weights": f"{self.weights} (sha256 {self.digest})",
            "gallery": str(named),
            "images": len(self.gallery),
            "distance": self.trained.method.distance,
            "index": self.kind if self.kind == "whole" else f"{self.kind}, short list of {shortlist}",
        }


def opened(given: argparse.Namespace, p: Params) -> Opened:
    """Open what search.arguments name. A folder's embeddings are made now, and written to `given.out`."""
    weights = given.weights or Run(p.model, p.dataset, p.dataset).weights
    if given.weights and not given.weights.is_file():
        raise UserError(f"no weights {given.weights}; --weights is the weights.safetensors that made the gallery")
    trained, digest = methods.load(weights), files.sha256(weights)
    device, kept = device_of(p.train.device), given.out / "gallery.npz"
    if given.gallery.is_dir():
        files.writable(kept)
    gallery, at_test = galleries.opened(given.gallery, trained, digest, p, kept, device)
    kind, known = kind_of(given.index, len(gallery)), learned.learned(trained.header, gallery)
    return Opened(weights, digest, trained, device, gallery, at_test, kind, known)


def named(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A record for a page: names in words, counts with commas, None as unknown."""
    texts = (f"{value:,}" if isinstance(value, int) else value or "unknown" for value in about.values())
    return [(name.replace("_", " "), text) for name, text in zip(about, texts, strict=True)]
