# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "openpifpaf-vita==0.14.2",
#   "torch==2.13.0",
#   "torchvision==0.28.0",
#   "numpy==2.4.6",
#   "opencv-python-headless==5.0.0.93",
#   "pyarrow==26.0.1",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-15T00:00:00Z" # fixes what the pins leave open
#
# [tool.uv.extra-build-dependencies]
# openpifpaf-vita = ["torch==2.13.0"] # compiles its decoder against the torch that it will run with
# ///
"""OpenPifPaf as an isolated program: 36 confidence fields and 17 keypoints of the image's person.

Licence: openpifpaf is AGPL-3.0 (its authors sell other licences). This file is started as a program of its own and
partreid never imports it; who passes on openpifpaf, or lets others use it over a network, is bound by the AGPL.

Options beside those of protocol.py: --checkpoint FILE, one that openpifpaf published, or random:NAME (as
random:shufflenetv2k16): a network of that build with made-up weights. What such a network finds means nothing: it
proves on any machine that everything is installed and works together.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import confidences  # type: ignore[import-not-found]  # beside this file
import numpy as np
import openpifpaf  # type: ignore[import-not-found]
import protocol  # type: ignore[import-not-found]  # beside this file
import torch
from openpifpaf.plugins.coco.cocokp import CocoKp  # type: ignore[import-not-found]

MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of RGB in 0..1
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
FILL = (124, 116, 104)  # RGB around the image
UPSAMPLING = 2  # of the published networks' heads: stride 16 / 2
SEED = 1


def main() -> None:
    parser = protocol.parser(__doc__)
    parser.add_argument("--checkpoint", required=True)
    options = parser.parse_args()
    protocol.run(options, blank, Look(options), padded_size)


def blank(n: int) -> dict[str, np.ndarray]:
    """Members of n images in which nobody was found."""
    fields = np.zeros((n, 36, *confidences.GRID), np.uint8)
    return {"fields": fields, "keypoints": np.zeros((n, 17, 3), np.float32)}


def padded_size(image: Any) -> tuple[int, int]:
    """Images that are equally large once they are padded go through the network together."""
    return confidences.padding(*image.pixels.shape[:2])[2:]


class Look:
    """See protocol.Look."""

    def __init__(self, options: argparse.Namespace):
        self.device = protocol.device(options.device, torch.cuda.is_available())
        self.network = network(options.checkpoint).eval().to(self.device)
        self.metas = self.network.head_metas[:2]  # CIF, CAF; some networks have more
        self.stride = self.metas[0].stride
        torch.ops.openpifpaf.set_quiet(True)  # else the decoder prints two lines for every image
        try:
            self.index = confidences.confidence_index(self._run(np.zeros((1, 3, 17, 17), np.float32))[1].shape[2])
        except ValueError as error:
            protocol.refuse(f"{options.checkpoint}: {error}")

    def __call__(self, images: list[Any]) -> list[dict[str, Any] | None]:
        heads = self._run(np.stack([prepare(image.pixels) for image in images]))
        return [self._one(image, [head[i] for head in heads]) for i, image in enumerate(images)]

    def _run(self, inputs: np.ndarray) -> list[torch.Tensor]:
        """(B, 3, H, W) -> CIF (B, 17, components, h, w) and CAF (B, 19, components, h, w)."""
        with torch.inference_mode():
            return [head.cpu() for head in self.network(torch.from_numpy(inputs).to(self.device))[:2]]

    def _one(self, image: Any, heads: list[torch.Tensor]) -> dict[str, Any] | None:
        # a new decoder for every image: it adds the number of images it has seen to its sums, so what it finds would
        # depend, in the last digits, on how often the program was interrupted
        found = openpifpaf.decoder.factory(self.metas)(heads)
        if not found:
            return None
        left, top, *_ = confidences.padding(*image.pixels.shape[:2])
        people = confidences.persons(np.stack([person.data for person in found]), left, top, image.scale)
        chosen = confidences.target(people, image.width)
        fields = torch.cat([head[:, self.index] for head in heads]).numpy()  # (36, h, w)
        x, y = (
            confidences.to_original(np.arange(cells) * self.stride, before, scale)
            for cells, before, scale in zip(fields.shape[:0:-1], (left, top), image.scale, strict=True)
        )
        fields = fields * confidences.ownership(people, chosen, x, y, self.stride / max(image.scale))
        size = image.height, image.width
        even = confidences.resample(fields, size, left, top, image.scale, self.stride)
        return {
            "fields": np.rint(255 * even.clip(0, 1)),
            "keypoints": people[chosen],
            "score": min(1.0, float(found[chosen].score)),
        }


def prepare(pixels: np.ndarray) -> np.ndarray:
    """uint8 RGB (h, w, 3) -> the network's input float32 (3, H, W): padded as PifPaf does, normalised."""
    height, width = pixels.shape[:2]
    left, top, tall, wide = confidences.padding(height, width)
    padded = np.empty((tall, wide, 3), np.uint8)
    padded[:] = FILL
    padded[top : top + height, left : left + width] = pixels
    scaled = padded.astype(np.float32) / 255
    return np.ascontiguousarray(((scaled - MEAN) / DEVIATION).transpose(2, 0, 1))


def network(checkpoint: str) -> Any:
    """The network of a checkpoint file, or one with made-up weights, with its two heads checked."""
    kind, _, name = checkpoint.partition(":")
    made = random(name) if kind == "random" else load(Path(checkpoint))
    metas = made.head_metas[:2]
    keypoints = getattr(metas[0], "keypoints", None)
    skeleton = [tuple(pair) for pair in getattr(metas[-1], "skeleton", [])]
    expected = [(a + 1, b + 1) for a, b in confidences.LINKS]
    if keypoints != CocoKp().head_metas[0].keypoints or skeleton != expected:
        protocol.refuse(f"{checkpoint} is not a network for the 17 keypoints and 19 limbs of COCO")
    return made


class Unknown:
    """Stands in for whatever in a checkpoint is no part of a network, and does nothing."""

    def __init__(self, *_: Any, **__: Any):
        pass


def load(file: Path) -> Any:
    """The network in a published checkpoint, which is a pickle of the whole network and of notes about its training.

    A pickle can run any code, so only what a network is made of is admitted, and the rest is read as Unknown.
    """
    parts = (openpifpaf.headmeta, openpifpaf.network.nets, openpifpaf.network.heads, openpifpaf.network.basenetworks)
    admitted = [value for part in parts for value in vars(part).values() if isinstance(value, type)]
    admitted += [kind for kind in vars(torch.nn).values() if isinstance(kind, type)]
    unknown = []
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([*admitted, *arrays()]):
            warnings.simplefilter("ignore")  # of classes whose source has changed since
            unknown = torch.serialization.get_unsafe_globals_in_checkpoint(file)
            with torch.serialization.safe_globals([(Unknown, name) for name in unknown]):
                made = torch.load(file, map_location="cpu", weights_only=True)["model"]
        openpifpaf.network.model_migration.model_migration(made)
    except Exception as error:
        strange = f"; it holds {', '.join(unknown)}" if unknown else ""
        last = str(error).strip().splitlines()[-1:]
        protocol.refuse(f"{file} is not a checkpoint of openpifpaf ({type(error).__name__}: {''.join(last)}){strange}")
    return made


def arrays() -> list[Any]:
    """What NumPy arrays in a pickle are made of, by the names under which old and new versions write them."""
    from numpy._core.multiarray import _reconstruct, scalar

    old = [(_reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQfdU"}
    return [_reconstruct, scalar, *old, np.ndarray, np.dtype, *kinds]


def random(name: str) -> Any:
    """A network with made-up weights, the same on every call."""
    known = [other for other in sorted(openpifpaf.BASE_FACTORIES) if other.startswith("shufflenetv2k")]
    if name not in known:  # the others fetch weights for their first layers
        protocol.refuse(f"no network random:{name}; known: {', '.join(known)}")
    torch.manual_seed(SEED)
    CocoKp.upsample_stride = UPSAMPLING
    metas = CocoKp().head_metas
    base = openpifpaf.BASE_FACTORIES[name]()
    made = openpifpaf.network.nets.Shell(base, [openpifpaf.HEADS[type(m)](m, base.out_features) for m in metas])
    for module in made.modules():  # torch's own start lets the signal die out before it reaches the heads
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for head in made.head_nets:  # of a size and a spread that make the decoder see people, if shapeless ones
        head.conv.weight.data *= 0.04
        bias = head.conv.bias.data.view(head.meta.n_fields, head.n_components, -1)
        bias[:, 2 + 2 * head.meta.n_vectors :] += 5
    openpifpaf.network.nets.model_defaults(made)
    return made


if __name__ == "__main__":
    main()
