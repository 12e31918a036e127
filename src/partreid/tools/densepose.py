"""DensePose R50-FPN-s1x, the head detector of PAH-Net's paper, as an isolated program (programs/run_densepose.py).

Güler, Neverova, Kokkinos, "DensePose: Dense Human Pose Estimation in the Wild", CVPR 2018,
https://arxiv.org/abs/1802.00434, in the implementation of detectron2. Licence of detectron2, its DensePose project and
the published weights: Apache-2.0; the weights are trained on DensePose-COCO.

Which of several people is the image's person, what its head is, and how charts become parts: programs/charts.py.
"""

from typing import Any

from partreid.storage import cache
from partreid.storage.files import sha256
from partreid.storage.pieces import Program
from partreid.tools.base import Images
from partreid.tools.isolated import FOLDER, checkpoint_file, program, requirements

VERSION = "1"  # raise when the output changes
SCRIPT = "run_densepose.py"
GIVES = ("head", "person", "parsing")
PUBLISHED = {"R_50_FPN_s1x": "densepose_R_50_FPN_s1x"}  # names in partreid.storage.published_weights


def build(
    images: Images, *, checkpoint: str, min_score: float, batch: int, device: str
) -> tuple[dict[str, Any], Program]:
    """See partreid.tools.

    checkpoint: R_50_FPN_s1x, the path of that file elsewhere, or random, a network with made-up weights that only
    checks the installation. min_score: boxes with a lower score are nobody. batch: images at once; device: auto, cpu,
    cuda; neither changes the result by more than rounding.
    """
    file = None if checkpoint == "random" else checkpoint_file(checkpoint, PUBLISHED)
    parameters = {"checkpoint": checkpoint, "min_score": min_score, "packages": requirements(FOLDER / SCRIPT)}
    digest = sha256(file) if file else None
    header = cache.header("tool/densepose", "densepose", VERSION, digest, parameters, images.sha256)
    options = {"checkpoint": file or checkpoint, "min_score": min_score, "batch": batch, "device": device}
    return header, program(SCRIPT, images, options)
