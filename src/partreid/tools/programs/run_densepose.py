# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "detectron2 @ git+https://github.com/facebookresearch/detectron2@02b5c4e295e990042a714712c21dc79b731e8833",
#   "detectron2-densepose @ git+https://github.com/facebookresearch/detectron2@02b5c4e295e990042a714712c21dc79b731e8833#subdirectory=projects/DensePose",
#   "torch==2.13.0",
#   "torchvision==0.28.0",
#   "numpy==2.4.6",
#   "opencv-python-headless==5.0.0.93",
#   "pyarrow==26.0.1",
# ]
#
# [tool.uv]
# exclude-newer = "2026-11-15T00:00:00Z" # fixes what the pins leave open
# override-dependencies = [ # densepose asks for the newest detectron2
#   "detectron2 @ git+https://github.com/facebookresearch/detectron2@02b5c4e295e990042a714712c21dc79b731e8833",
# ]
#
# [tool.uv.extra-build-dependencies] # both look for torch while they are built, and neither says so
# detectron2 = ["setuptools", "torch==2.13.0"]
# detectron2-densepose = ["setuptools", "torch==2.13.0"]
# ///
"""DensePose as an isolated program: head box, mask and body parts of the image's person, by DensePose R50-FPN-s1x.

Licence: detectron2 and its DensePose project are Apache-2.0; so are, as their model zoo says, the published weights.

Options beside those of protocol.py: --checkpoint FILE, the published model_final_162be9.pkl, or `random`: made-up
weights. What such a network finds means nothing: it proves on any machine that everything is installed and works
together. --min-score: boxes below it are nobody.
"""

import argparse
import hashlib
import pickle
import sys
from pathlib import Path
from typing import Any

import arrays  # type: ignore[import-not-found]  # beside this file, as are charts and protocol
import charts  # type: ignore[import-not-found]
import numpy as np
import protocol  # type: ignore[import-not-found]
import torch
from densepose import add_densepose_config  # type: ignore[import-not-found]
from detectron2.config import get_cfg  # type: ignore[import-not-found]
from detectron2.data.transforms import ResizeShortestEdge  # type: ignore[import-not-found]
from detectron2.modeling import build_model  # type: ignore[import-not-found]

SEED = 1
MD5 = "162be9"  # the file's name carries it; detectron2's MODEL_ZOO.md: "its md5 prefix in its file name"
PERSONS = 10  # boxes of an image that are looked at, by score


def main() -> None:
    parser = protocol.parser(__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--min-score", type=float, default=0.5)
    options = parser.parse_args()
    protocol.run(options, blank, Look(options), lambda image: image.pixels.shape)


def blank(n: int) -> dict[str, np.ndarray]:
    """Members of n images in which nobody was found."""
    head = np.full((n, 4), np.nan, np.float32)
    return {"head": head, **{name: np.zeros((n, *charts.GRID), np.uint8) for name in ("person", "parsing")}}


class Look:
    """See protocol.Look."""

    def __init__(self, options: argparse.Namespace):
        settings = config(options.min_score)
        settings.MODEL.DEVICE = protocol.device(options.device, torch.cuda.is_available())
        torch.manual_seed(SEED)
        self.network = build_model(settings).eval()
        if options.checkpoint != "random":
            load(self.network, Path(options.checkpoint))
        side = settings.INPUT.MIN_SIZE_TEST
        self.enlarge = ResizeShortestEdge([side, side], settings.INPUT.MAX_SIZE_TEST)

    def __call__(self, images: list[Any]) -> list[dict[str, Any] | None]:
        inputs = [self._input(image.pixels[:, :, ::-1]) for image in images]  # the network wants BGR
        with torch.inference_mode():
            outputs = self.network(inputs)
        return [one(image, output["instances"].to("cpu")) for image, output in zip(images, outputs, strict=True)]

    def _input(self, pixels: np.ndarray) -> dict[str, Any]:
        height, width = pixels.shape[:2]
        large = self.enlarge.get_transform(pixels).apply_image(pixels).astype(np.float32)
        return {"image": torch.from_numpy(large.transpose(2, 0, 1).copy()), "height": height, "width": width}


def one(image: Any, persons: Any) -> dict[str, Any] | None:
    """What is known of the image's person, from detectron2's instances."""
    if not len(persons):
        return None
    height, width = image.pixels.shape[:2]
    boxes = persons.pred_boxes.tensor.numpy()
    chosen = charts.target(boxes, height, width)
    dense = persons.pred_densepose
    fine, coarse = dense.fine_segm[chosen].numpy(), dense.coarse_segm[chosen].numpy()
    labels, person = charts.read(fine, coarse, boxes[chosen], height, width)
    return {
        "head": charts.head_box(labels) / np.tile(image.scale, 2),
        "person": np.rint(255 * charts.shrink(person)),
        "parsing": charts.parsing(labels),
        "score": float(persons.scores[chosen]),
    }


def config(min_score: float) -> Any:
    """DensePose R50-FPN-s1x, as configs/densepose_rcnn_R_50_FPN_s1x.yaml of the project sets it."""
    made = get_cfg()
    add_densepose_config(made)
    levels = ["p2", "p3", "p4", "p5"]
    # fmt: off
    made.merge_from_list([
        "MODEL.META_ARCHITECTURE", "GeneralizedRCNN",
        "MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone",
        "MODEL.RESNETS.DEPTH", 50,
        "MODEL.RESNETS.OUT_FEATURES", ["res2", "res3", "res4", "res5"],
        "MODEL.FPN.IN_FEATURES", ["res2", "res3", "res4", "res5"],
        "MODEL.ANCHOR_GENERATOR.SIZES", [[32], [64], [128], [256], [512]],
        "MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS", [[0.5, 1.0, 2.0]],
        "MODEL.RPN.IN_FEATURES", [*levels, "p6"],
        "MODEL.RPN.PRE_NMS_TOPK_TEST", 1000,
        "MODEL.RPN.POST_NMS_TOPK_TEST", 1000,
        "MODEL.DENSEPOSE_ON", True,
        "MODEL.ROI_HEADS.NAME", "DensePoseROIHeads",
        "MODEL.ROI_HEADS.IN_FEATURES", levels,
        "MODEL.ROI_HEADS.NUM_CLASSES", 1,
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST", min_score,
        "MODEL.ROI_BOX_HEAD.NAME", "FastRCNNConvFCHead",
        "MODEL.ROI_BOX_HEAD.NUM_FC", 2,
        "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION", 7,
        "MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO", 2,
        "MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIAlign",
        "MODEL.ROI_DENSEPOSE_HEAD.NAME", "DensePoseV1ConvXHead",
        "MODEL.ROI_DENSEPOSE_HEAD.POOLER_TYPE", "ROIAlign",
        "MODEL.ROI_DENSEPOSE_HEAD.NUM_COARSE_SEGM_CHANNELS", 2,
        "TEST.DETECTIONS_PER_IMAGE", PERSONS,
    ])
    # fmt: on
    return made


def load(network: torch.nn.Module, file: Path) -> None:
    """Put the published weights into the network."""
    try:
        data = file.read_bytes()
        state = {name: torch.from_numpy(np.asarray(value)) for name, value in arrays.load(data)["model"].items()}
    except (OSError, pickle.UnpicklingError, LookupError, TypeError, AttributeError) as error:
        protocol.refuse(f"{file} is not a model of detectron2's zoo ({error})")
    if not hashlib.md5(data).hexdigest().startswith(MD5):
        print(f"note: {file} is not the published file, whose md5 starts with {MD5}", file=sys.stderr)
    try:
        lacking = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:  # other shapes
        protocol.refuse(f"{file} is not DensePose R50-FPN-s1x: {str(error).splitlines()[-1].strip()}")
    lacking = [name for name in lacking if name not in ("pixel_mean", "pixel_std")]
    if lacking:
        protocol.refuse(f"{file} is not DensePose R50-FPN-s1x: it lacks {len(lacking)} arrays, first {lacking[0]}")


if __name__ == "__main__":
    main()
