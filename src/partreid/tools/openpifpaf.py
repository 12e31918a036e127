"""OpenPifPaf, the tool of BPBreID's paper, as an isolated program (programs/run_openpifpaf.py).

Kreiss, Bertoni, Alahi, "OpenPifPaf: Composite Fields for Semantic Keypoint Detection and Spatio-Temporal Association",
2021, https://arxiv.org/abs/2103.02440. Licence: AGPL-3.0 (its authors sell others): it runs as a program of its own, is
never imported and no part of partreid; whoever passes it on or serves it over a network is bound by that licence.
The weights are published without a licence of their own, trained on COCO.

Which of several people is the image's person, and how the fields of the others are removed: programs/confidences.py.
"""

from typing import Any

from partreid.storage import cache
from partreid.storage.files import sha256
from partreid.storage.pieces import Program
from partreid.tools.base import Images
from partreid.tools.isolated import FOLDER, checkpoint_file, program, requirements

VERSION = "1"  # raise when the output changes
SCRIPT = "run_openpifpaf.py"
GIVES = ("fields", "keypoints")
PUBLISHED = {
    name: f"openpifpaf_{name}" for name in ("shufflenetv2k16", "shufflenetv2k30")
}  # names in partreid.storage.published_weights


def build(images: Images, *, checkpoint: str, batch: int, device: str) -> tuple[dict[str, Any], Program]:
    """See partreid.tools.

    checkpoint: a name of PUBLISHED, the path of another checkpoint of openpifpaf, or random:shufflenetv2k16, a network
    with made-up weights that only checks the installation. batch: images at once; device: auto, cpu, cuda; neither
    changes the result by more than rounding.
    """
    file = None if checkpoint.startswith("random:") else checkpoint_file(checkpoint, PUBLISHED)
    parameters = {"checkpoint": checkpoint, "packages": requirements(FOLDER / SCRIPT)}
    digest = sha256(file) if file else None
    header = cache.header("tool/openpifpaf", "openpifpaf", VERSION, digest, parameters, images.sha256)
    options = {"checkpoint": file or checkpoint, "batch": batch, "device": device}
    return header, program(SCRIPT, images, options)
