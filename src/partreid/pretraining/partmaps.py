"""Pre-training of a part network: the limb and joint maps of the images, as cached by the label `partmaps`.

For PABR (partreid.methods.pabr): the paper takes a network trained for pose estimation on COCO. Where its published
weights are at hand, `published` loads them, and with `epochs: 0` that is all. Otherwise the network learns to give the
cached maps, so that it sees body parts before the identity loss takes over.

The loss is OpenPose's (Cao et al., CVPR 2017, Eq. 5): the squared distance from the maps, after every stage. Images in
which nobody was found are left out. The 128 inner maps have no target; they learn what the others need. Without
published weights a "small_cpm" starts from MobileNetV2's ImageNet weights, an "openpose" from random ones.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.backbones import openpose
from partreid.backbones.openpose import LIMBS, PartOpenPose
from partreid.backbones.small_cpm import SmallCPM
from partreid.body.openpose_layout import CHANNELS
from partreid.errors import UserError
from partreid.inputs.batch import Batch
from partreid.layers import shares
from partreid.methods.base import Learner
from partreid.storage import published_weights

PART_NETWORKS = (PartOpenPose, SmallCPM)


class PartMaps(Learner):
    """backbone: the part network, "openpose" or "small_cpm". published: start from OpenPose's published weights."""

    labels = ("partmaps",)

    def __init__(self, *, backbone: str, identities: int, published: bool):  # noqa: ARG002  every learner is told
        super().__init__()
        network = backbones.build(backbone)
        if not isinstance(network, PART_NETWORKS):
            raise UserError(f"pretraining.partmaps.backbone is {backbone}, expected openpose or small_cpm")
        if published and not isinstance(network, PartOpenPose):
            raise UserError(f"there are no published weights for {backbone}; set pretraining.partmaps.published: false")
        self.part_network = network
        self.published = published

    def load_initial(self, backbone: str) -> None:  # noqa: ARG002  see the class
        if isinstance(self.part_network, SmallCPM):
            self.part_network.load_front()
        elif self.published:
            try:
                file = published_weights.path("openpose_coco")
            except UserError as error:
                without = "pretraining.partmaps.published: false and pretraining.partmaps.epochs: 60"
                raise UserError(f"{error}. Or learn the cached part maps instead: {without}") from error
            openpose.load(self.part_network.network, file)

    def early(self) -> Sequence[nn.Module]:
        return self.part_network.early()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=self.mixed):
            stages = shares.everywhere(self.part_network.every_stage, batch.images)  # each (B, 185, h, w)
        target = batch.labels["partmaps"][:, :CHANNELS]
        target = F.interpolate(target, stages[0].shape[2:], mode="bilinear", antialias=True)
        known = batch.labelled["partmaps"]
        apart = torch.stack([stage.float()[:, :CHANNELS] for stage in stages]) - target  # (2, B, 57, h, w)
        errors = apart.square().mean((3, 4)).sum(0)  # (B, 57)
        errors = torch.where(known[:, None], errors, 0).sum(0) / known.sum().clamp_min(1)  # (57,)
        return {"limbs": errors[:LIMBS].sum(), "joints": errors[LIMBS:].sum()}
