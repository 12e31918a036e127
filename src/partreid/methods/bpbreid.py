"""BPBreID: body part-based representation learning for occluded person re-identification.

Somers, De Vleeschouwer, Alahi: "Body Part-Based Representation Learning for Occluded Person Re-Identification",
WACV 2023. In the paper's order: body part attention (section 3.1, Eq. 1-2), holistic and part embeddings
with visibility (3.2, Eq. 3-4), GiLt loss (3.3, Eq. 5-8), part-to-part matching (3.4, Eq. 9, which is the evaluator's
distance "parts").
The supplementary's Eq. 10 turns PifPaf's 36 fields (17 keypoints, 19 links) into the labels of the K parts.

Where the paper is silent we follow what its authors published:
- the pixel classifier is a batch norm before the 1x1 convolution, which has a bias;
- every embedding is reduced to `embedding` = 512 by Linear + BN + ReLU, one reduction shared by all parts;
- each test embedding is L2-normalised before the Euclidean distance;
- a background embedding and a BNNeck for every part exist. No loss of the paper uses them; they are there for other
  choices of `identity_on` and `triplet_on`, and stay as initialised without.
Where paper and published code disagree we follow the paper: the foreground is pooled by Eq. 3 (code: plain mean of
mask times feature), visibility is Eq. 4's threshold (code: some pixel's argmax), the foreground is compared before its
BNNeck (code: after), GiLt as in Eq. 6 (some released configurations add a triplet on the foreground).
Differs from the paper: Eq. 2 smooths with N = batch size, under which the targets do not sum to 1; we read N as the
number of classes K + 1. Eq. 2 sums over pixels; with the weight 0.35 only the mean is in scale with the other losses.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.errors import UserError
from partreid.labels import grouping
from partreid.losses.identity import BNNeck, smoothed_cross_entropy
from partreid.losses.triplet import batch_hard, euclidean
from partreid.methods.base import Batch, Inputs, Method

HOLISTIC = ("global", "foreground", "background", "concatenated")
IGNORED = -100  # PyTorch's cross-entropy skips this target


class BPBreID(Method):
    """K part embeddings and the holistic embeddings g, f, b, c of one image.

    parts: K, or a named variant of partreid.labels.grouping. embedding: D. attention_weight: lambda_pa of Eq. 5.
    background_threshold: lambda_r of Eq. 10. visibility_threshold: lambda_v of Eq. 4. smoothing: epsilon.
    margin: alpha of Eq. 8. identity_on, triplet_on: the embeddings that get an identity loss and a triplet loss, any of
    HOLISTIC and "parts".
    """

    labels = ("pifpaf",)
    distance = "parts"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        parts: int | str,
        embedding: int,
        attention_weight: float,
        background_threshold: float,
        visibility_threshold: float,
        smoothing: float,
        margin: float,
        identity_on: Sequence[str],
        triplet_on: Sequence[str],
    ):
        super().__init__()
        if isinstance(identity_on, str) or isinstance(triplet_on, str):
            raise UserError("identity_on and triplet_on are lists of embeddings")
        for name in [*identity_on, *triplet_on]:
            if name not in (*HOLISTIC, "parts"):
                raise UserError(f"unknown embedding {name!r}; known: {', '.join(HOLISTIC)}, parts")
        self.variant = parts
        self.groups = grouping.names(parts)
        K = len(self.groups)
        self.backbone = backbones.build(backbone)
        channels = self.backbone.channels
        classify = nn.Conv2d(channels, K + 1, 1)
        nn.init.normal_(classify.weight, std=0.001)
        self.pixel_classifier = nn.Sequential(nn.BatchNorm2d(channels), classify)
        self.reduce = nn.ModuleDict(
            {name: reduction(channels, embedding) for name in ("global", "foreground", "background", "parts")}
        )
        widths = {name: embedding * (K if name == "concatenated" else 1) for name in HOLISTIC}
        self.necks = nn.ModuleDict({name: BNNeck(width, identities) for name, width in widths.items()})
        self.part_necks = nn.ModuleList(BNNeck(embedding, identities) for _ in range(K))
        self.attention_weight = attention_weight
        self.background_threshold = background_threshold
        self.visibility_threshold = visibility_threshold
        self.smoothing = smoothing
        self.margin = margin
        self.identity_on = tuple(identity_on)
        self.triplet_on = tuple(triplet_on)

    # 3.1 body part attention

    def attention(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Appearance map G (B, C, h, w) and the scores that the softmax of Eq. 1 takes (B, K+1, h, w)."""
        G = self.feature_map(images)
        return G, self.pixel_classifier(G)

    def part_labels(self, fields: Tensor, size: tuple[int, int]) -> Tensor:
        """Human parsing labels Y of Eq. 10: fields (B, 36, h, w) in 0..1, moved and erased as the image was.

        Returns int64 (B, *size), 0 = background, 1..K = parts.
        """
        E = grouping.group(fields, self.variant)  # (B, K, h, w)
        Y = torch.where(E.amax(1) < self.background_threshold, 0, 1 + E.argmax(1))
        # labels, not fields, are resized: averaging fields first would sink thin parts below the threshold
        return F.interpolate(Y[:, None].float(), size, mode="nearest-exact")[:, 0].long()

    # 3.2 embeddings and visibility

    def embeddings(self, G: Tensor, M: Tensor) -> dict[str, Tensor]:
        """All embeddings from G (B, C, h, w) and part probabilities M (B, K+1, h, w), background first.

        "parts" is (B, K, D); the holistic ones are (B, D), "concatenated" (B, K D).
        """
        foreground = M[:, 1:].amax(1, keepdim=True)
        masks = torch.cat([foreground, M], 1)  # foreground, background, parts 1..K
        pooled = weighted_average(G, masks)  # (B, K+2, C)
        parts = self.reduce["parts"](pooled[:, 2:].flatten(0, 1)).unflatten(0, pooled[:, 2:].shape[:2])
        return {
            "global": self.reduce["global"](G.mean((2, 3))),
            "foreground": self.reduce["foreground"](pooled[:, 0]),
            "background": self.reduce["background"](pooled[:, 1]),
            "concatenated": parts.flatten(1),
            "parts": parts,
        }

    # 3.3 training

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        G, scores = self.attention(batch.images)
        f = self.embeddings(G, scores.softmax(1))
        Y = self.part_labels(batch.labels["pifpaf"], (scores.shape[2], scores.shape[3]))
        Y = Y.masked_fill(~batch.labelled["pifpaf"][:, None, None], IGNORED)
        # an image without a label has no say; a batch without any has no attention loss
        L_pa = smoothed_cross_entropy(scores, Y, self.smoothing) if (Y != IGNORED).any() else scores.sum() * 0
        L_id = [self.identity_loss(name, f[name], batch.pid) for name in self.identity_on]
        L_tri = [self.triplet_loss(f[name], batch.pid) for name in self.triplet_on]
        zero = G.new_zeros(())
        return {"attention": self.attention_weight * L_pa, "identity": sum(L_id, zero), "triplet": sum(L_tri, zero)}

    def identity_loss(self, name: str, feature: Tensor, pid: Tensor) -> Tensor:
        """L_CE of Eq. 6 on one holistic embedding, or summed over the parts."""
        if name == "parts":
            logits = [neck(feature[:, k]) for k, neck in enumerate(self.part_necks)]
        else:
            logits = [self.necks[name](feature)]
        return torch.stack([smoothed_cross_entropy(each, pid, self.smoothing) for each in logits]).sum()

    def triplet_loss(self, feature: Tensor, pid: Tensor) -> Tensor:
        """Eq. 7-8: batch hard on the distance averaged over the parts of (B, K, D); on (B, D), on the plain one."""
        parts = feature if feature.dim() == 3 else feature[:, None]
        d_parts = euclidean(parts.transpose(0, 1)).mean(0)  # (K, B, B) -> (B, B)
        return batch_hard(d_parts, pid, self.margin)

    # 3.4 test

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Foreground and parts, each of unit length (B, 1+K, D), with the visibility of Eq. 4 (foreground: always)."""
        G, scores = self.attention(inputs.images)
        M = scores.softmax(1)
        f = self.embeddings(G, M)
        features = F.normalize(torch.cat([f["foreground"][:, None], f["parts"]], 1), dim=-1)
        visible = (M[:, 1:].amax((2, 3)) > self.visibility_threshold).float()
        return features, torch.cat([torch.ones_like(visible[:, :1]), visible], 1)

    def part_names(self) -> tuple[str, ...]:
        return ("foreground", *self.groups)

    def maps(self, inputs: Inputs) -> Tensor:
        """Part probabilities in the order of `part_names`: (B, 1+K, h, w), the foreground their maximum."""
        M = self.attention(inputs.images)[1].softmax(1)[:, 1:]
        return torch.cat([M.amax(1, keepdim=True), M], 1)


def reduction(inputs: int, outputs: int) -> nn.Sequential:
    """(N, inputs) -> (N, outputs)."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True))


def weighted_average(G: Tensor, masks: Tensor) -> Tensor:
    """Global weighted average pooling, Eq. 3: G (B, C, h, w), masks (B, M, h, w) -> (B, M, C)."""
    weight = masks / masks.sum((2, 3), keepdim=True).clamp_min(1e-6)
    return torch.einsum("bchw,bmhw->bmc", G, weight)
