"""MPN: a main and an auxiliary task for each body part, and how the one learns from the other.

Ding, Wang, Wang, Tao: "Multi-task Learning with Coarse Priors for Robust Part-aware Person Re-identification",
TPAMI 2022. In the paper's order: the prior (section 3.2) is partreid.methods.mpn_prior; main and auxiliary tasks with
parameter space alignment (3.3), their losses (3.4, Eq. 1-4), feature space alignment (3.5, Eq. 5-9,
partreid.losses.alignment), the sum of it all and the test (4, Eq. 10-11; the evaluator's distance "cosine").

Every row of the paper's ablations is a set of arguments, written down in ablations.yaml:
- Table 1: `tasks` (Baseline: auxiliary; Baseline (UB): corrected; MT Only: main), `conv1` (C1-S), `conv2` (C2-S),
  `alignment` (CF), `channel_attention` (CA). Baseline (UB) corrects "pedestrian detection errors for both training and
  testing images" by the scheme of figure 5, so a test needs labels too; the correction is that figure's, of the feature
  map. On CUHK03 the paper takes hand-drawn boxes in its place, the data set cuhk03_labeled.
- Table 2: `prior`. Tables 3 and 4: `alignment`. Figure 7: `parts`. Figure 10: `conv1` or `conv2` = soft, `soft_weight`.
- MPN* of Table 5: a backbone with relation-aware attention (partreid.backbones.relation).

Where the paper is silent we follow what its authors published (a variant without masks):
- the 1x1 convolutions and the classifiers have biases; the classifiers' weights start from a normal distribution with
  standard deviation 0.001;
- the reduction of the channel attention is r = 4.
Where the paper and that code disagree we follow the paper, and do not offer the code's: no Nesterov momentum, no
averaging with the flipped image in the test, bilinear resizing there too (code: bicubic), holes of the mean colour
(code: 0.4914, 0.4822, 0.4465 in normalised images), and the triplet loss on the cosine distance (code: squared
Euclidean of unit vectors, twice as large). The code's sampler draws persons alike for every batch; ours is `sampler:
published`.
Where both are silent:
- a shared layer shares its batch norm too (5.2.4: auxiliary tasks add classifiers only). In training each task is
  normalised by its own batch; the running averages that the test uses are the main task's alone, since the auxiliary
  task sees other inputs and is gone by then;
- the channel attention, which the paper shares along with both convolutions, is shared where these are apart as well;
- soft sharing's L2 loss is the squared distance of all weights and biases of the 1x1 convolution, summed over parts.
Differs from the paper: Eq. 1 has a minus sign before the cross-entropies, which are positive already; we read a plus.
The offline translation that enlarges the training set fivefold is an online one (`pad`, `repeats` in params.yaml); the
prior is that of the image as it was moved, so a body whose head was moved out is divided evenly. The two sources of the
prior are two networks that err differently in the paper; here they are whatever `labels.schp.tool` and `.person` name.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from partreid import backbones
from partreid.errors import UserError, choose, positive
from partreid.inputs.batch import Batch, Inputs
from partreid.layers.strips import Classifiers, PartConv, strip_rows, uniform_strips
from partreid.losses.alignment import ALIGNMENTS
from partreid.losses.identity import summed_cross_entropy
from partreid.losses.triplet import batch_hard_violating, cosine
from partreid.methods.base import Method
from partreid.methods.mpn_prior import PRIORS, Limits, Prior, part_maps, whole

# main: MT Only. auxiliary: the Baseline of section 5.2.1, on uniform strips; corrected: Baseline (UB), on the body's
TASKS = ("both", "main", "auxiliary", "corrected")
SHARING = ("shared", "apart", "soft")
FSA = ("none", "sum", *ALIGNMENTS)  # sum: sample-wise as in the paper's reference [10], the triplet loss on h + g


class ChannelAttention(nn.Module):
    """CA, figure 6: every channel of (B, K, D) is weighed by 0..1, from all channels of its part."""

    def __init__(self, parts: int, channels: int, reduction: int):
        super().__init__()
        self.squeeze = PartConv(parts, channels, channels // reduction)
        self.excite = PartConv(parts, channels // reduction, channels)

    def forward(self, x: Tensor, remember: bool = True) -> Tensor:
        squeezed = self.squeeze(x[:, :, None], remember).relu()  # (B, 1, K, D / r)
        return x * self.excite(squeezed.transpose(1, 2), remember)[:, 0].sigmoid()


class MPN(Method):
    """K main tasks, which see the whole image, and in training K auxiliary tasks, which see a part each.

    parts: K. embedding: D, outputs of both convolutions. tasks: of TASKS. conv1, conv2: shared, apart or soft (a pair
    each, drawn together): what main and auxiliary task of a part have in common. soft_weight: of the L2 loss where it
    is soft. channel_attention: CA. reduction: its r. prior: a name of mpn_prior.PRIORS. head_share, leg_share,
    coverage: see mpn_prior.Limits; older weights files lack coverage. alignment: none, batch, sample, sum, class.
    alignment_weight: lambda of Eq. 10. margin: alpha of Eq. 3.
    With one kind of task alone, sharing and alignment have nothing to act on, nor has the prior but for "corrected". A
    method whose prior has nothing to act on, or is "uniform", learns from no label.
    """

    distance = "cosine"
    starts_from: Mapping[str, str] = {"backbone": "ide"}

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        parts: int,
        embedding: int,
        tasks: str,
        conv1: str,
        conv2: str,
        soft_weight: float,
        channel_attention: bool,
        reduction: int,
        prior: str,
        head_share: float,
        leg_share: float,
        alignment: str,
        alignment_weight: float,
        margin: float,
        coverage: float = 0.5,
    ):
        super().__init__()
        choose(dict.fromkeys(TASKS), tasks, "tasks of mpn")
        for sharing in (conv1, conv2):
            choose(dict.fromkeys(SHARING), sharing, "sharing (conv1, conv2 of mpn)")
        choose(dict.fromkeys(FSA), alignment, "alignment of mpn")
        positive(parts, "parts")
        positive(embedding, "embedding")
        if channel_attention and positive(reduction, "reduction") > embedding:
            raise UserError(f"reduction is {reduction}, which leaves nothing of an embedding of {embedding}; lower it")
        self.prior = choose(PRIORS, prior, "prior of mpn")
        self.backbone = backbones.build(backbone)
        self.conv1 = PartConv(parts, self.backbone.channels, embedding)
        self.attention = ChannelAttention(parts, embedding, reduction) if channel_attention else None
        self.conv2 = PartConv(parts, embedding, embedding)
        self.classifier = Classifiers(parts, embedding, identities)
        self.classifiers = {"identity": parts * (2 if tasks == "both" else 1)}
        # the auxiliary tasks: what they do not share
        both = tasks == "both"
        own1, own2 = both and conv1 != "shared", both and conv2 != "shared"
        self.auxiliary_conv1 = PartConv(parts, self.backbone.channels, embedding) if own1 else None
        self.auxiliary_conv2 = PartConv(parts, embedding, embedding) if own2 else None
        self.auxiliary_classifier = Classifiers(parts, embedding, identities) if both else None
        self.soft = [name for name, sharing in (("conv1", conv1), ("conv2", conv2)) if both and sharing == "soft"]
        self.soft_weight = soft_weight
        self.limits = Limits(head_share, leg_share, coverage)
        self.parts = parts
        self.strips = tasks in ("auxiliary", "corrected")
        self.corrected = tasks == "corrected"
        if self.prior is not None and (both or self.corrected):
            self.labels = ("schp",)
        if self.corrected:
            self.labels_at_test = self.labels
        self.alignment = alignment
        self.alignment_weight = alignment_weight
        self.margin = margin

    # 3.3 channel selection via parameter space alignment

    def main_task(self, features: Tensor, prior: Prior | None = None) -> Tensor:
        """f_k: F (B, C, h, w) -> (B, K, D). The Baseline's tasks, its only ones, see a uniform strip each.

        prior: in place of that, where the strips' body is, for Baseline (UB).
        """
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.mixed):
            # global max pooling before the ReLU: the same numbers, on a map that is not written twice
            x = self.conv1(self.seen(features, prior)).amax(1).relu()  # (B, K, D)
        x = x.float()
        if self.attention is not None:
            x = self.attention(x)
        return self.conv2(x[:, :, None])[:, 0].relu()

    def seen(self, features: Tensor, prior: Prior | None) -> Tensor:
        """What the parts' first convolutions see of F (B, C, h, w): all places (B, N, C), or strips (B, K, N, C)."""
        if prior is not None:
            return part_maps(features, prior, self.parts)
        return uniform_strips(features, self.parts) if self.strips else positions(features)

    def located(self, features: Tensor, inputs: Inputs) -> Prior:
        """Where the bodies are, by the chosen prior."""
        size = (features.shape[2], features.shape[3])
        if self.prior is None:
            return whole((features.shape[0], *size), features.device)
        return self.prior(inputs.labels["schp"], inputs.labelled["schp"], size, self.limits)

    def auxiliary_task(self, features: Tensor, prior: Prior) -> Tensor:
        """z_k: F (B, C, h, w) -> (B, K, D)."""
        conv1, conv2 = self.auxiliary_conv1 or self.conv1, self.auxiliary_conv2 or self.conv2
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.mixed):
            P = part_maps(features, prior, self.parts)  # (B, K, r w, C)
            x = conv1(P, remember=self.auxiliary_conv1 is not None).amax(1).relu()
        x = x.float()
        if self.attention is not None:
            x = self.attention(x, remember=False)
        return conv2(x[:, :, None], remember=self.auxiliary_conv2 is not None)[:, 0].relu()

    # 3.4 and 3.5 losses

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        features = self.feature_map(batch.images)
        f = self.main_task(features, self.located(features, batch) if self.corrected else None)
        h = f.flatten(1)  # Eq. 2
        L_ID = summed_cross_entropy(self.classifier(f), batch.pid, 0)  # Eq. 1
        if self.auxiliary_classifier is None:
            return {"identity": L_ID, "triplet": batch_hard_violating(cosine(h), batch.pid, self.margin)}
        z = self.auxiliary_task(features, self.located(features, batch))
        g = z.flatten(1)  # Eq. 5
        L_ID = L_ID + summed_cross_entropy(self.auxiliary_classifier(z), batch.pid, 0)
        compared = h + g if self.alignment == "sum" else h
        terms = {"identity": L_ID, "triplet": batch_hard_violating(cosine(compared), batch.pid, self.margin)}
        if self.alignment in ALIGNMENTS:
            terms["alignment"] = self.alignment_weight * ALIGNMENTS[self.alignment](h, g, batch.pid)
        if self.soft:
            terms["soft"] = self.soft_weight * torch.stack([self.soft_distance(name) for name in self.soft]).sum()
        return terms  # their sum is Eq. 10, with section 5.3.2's `soft` where there is one

    def soft_distance(self, name: str) -> Tensor:
        """Section 5.3.2: the squared L2 distance between the pairs' parameters of convolution `name`."""
        main, auxiliary = getattr(self, name), getattr(self, f"auxiliary_{name}")
        return (main.weight - auxiliary.weight).square().sum() + (main.bias - auxiliary.bias).square().sum()

    # 4 test

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        features = self.feature_map(inputs.images)
        f = self.main_task(features, self.located(features, inputs) if self.corrected else None)  # (B, K, D)
        return f, torch.ones(f.shape[:2], device=f.device)  # Eq. 11: "cosine" takes the parts as one vector, h of Eq. 2

    def part_names(self) -> tuple[str, ...]:
        return tuple(f"part {k + 1}" for k in range(self.parts))

    def maps(self, inputs: Inputs) -> Tensor:
        """How strongly the channels that each part's first convolution selects respond, over their maximum."""
        features = self.feature_map(inputs.images)
        response = self.conv1(positions(features)).relu().mean(-1).transpose(1, 2)  # (B, K, h w)
        response = response.unflatten(2, features.shape[2:])  # (B, K, h, w)
        response = response * self.part_rows(response.shape[2]).to(response)[:, :, None]
        return response / response.amax((2, 3), keepdim=True).clamp_min(1e-12)

    def part_logits(self, features: Tensor) -> Tensor:
        """What each part's classifier says, for Grad-CAM: F (B, C, h, w) -> (B, K, identities).

        Of Baseline (UB) without its labels: on uniform strips, as `maps` and `part_rows` see them.
        """
        return self.classifier(self.main_task(features))

    def part_rows(self, h: int) -> Tensor:
        """Which of the feature map's h rows each part sees: bool (K, h)."""
        return strip_rows(h, self.parts) if self.strips else torch.ones(self.parts, h, dtype=torch.bool)


def positions(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w, C); without a copy if the channels lie last in memory."""
    return features.flatten(2).transpose(1, 2)
