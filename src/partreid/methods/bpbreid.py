"""BPBreID: body part-based representation learning for occluded person re-identification.

Somers, De Vleeschouwer, Alahi: "Body Part-Based Representation Learning for Occluded Person Re-Identification",
WACV 2023. In the paper's order: body part attention (section 3.1, Eq. 1-2), holistic and part embeddings
with visibility (3.2, Eq. 3-4), GiLt loss (3.3, Eq. 5-8, partreid.losses.gilt), part-to-part matching (3.4, Eq. 9, which
is the evaluator's distance "parts").
The supplementary's Eq. 10 turns PifPaf's 36 fields (17 keypoints, 19 links) into the labels of the K parts.

Every row of the ablations is a set of values in ablations.yaml, but Table 2's baseline, which is `bot`:
- Table 2: `attention: fixed`, `visibility: all` at test, `part_triplet: each`. Table 3: `embeddings` at test.
- Table 4: `identity_on` and `triplet_on`, of PCB too. Table 5: `parts`.

What the paper's equations leave out, as its authors published it:
- the pixel classifier of Eq. 1 is a batch norm before the 1x1 convolution, which starts at N(0, 0.001) and has a bias;
- what Eq. 3 pools is reduced to `embedding` = 512 by Linear + BN + ReLU, one reduction shared by all parts (0: it is
  not, for trainings too short to learn a reduction);
- a background embedding and a BNNeck for every part exist. GiLt gives them no loss; other choices of `identity_on` and
  `triplet_on` do (Table 4). An embedding without any is a random projection of what was pooled, batch-normalised; the
  BNNecks without a loss keep running averages all the same;
- random erasing empties the label in the hole too: what is hidden is background;
- each test embedding is L2-normalised before the Euclidean distance (`normalize: false`: compared as it is).
Identity losses on parts (Table 4) are averaged over them, as in the code; `part_identity: sum` adds them, as PCB does.
Where both are silent: `part_triplet: each` averages its losses; fixed attention learns nothing and has no L_pa.
Section 4.4.1's attempt "to account for the visibility scores at training", of which no more is said, is here
`training_visibility`: the triplet loss on parts compares those that both images show, by Eq. 4, as a test does.

Where paper and published code disagree we follow the paper; the code's choices by name:
- Eq. 3 pools the foreground by a weighted average; `foreground_pooling: mean` is the plain mean of mask times feature,
  over all positions, of foreground and background. Parts are weighted averages in both.
- Eq. 4 calls a part visible by a threshold; `visibility: argmax`: where it is some pixel's most probable class.
- Embeddings are compared as pooled and reduced; `neck: after` takes the holistic ones, of which the code compares the
  foreground, from behind their BNNecks' batch norm.
- Eq. 6 is GiLt; some released configurations add `foreground` to `triplet_on`, and train with `parts: five_v`.
- Fixed attention is the softmax of E over the K parts (supplementary). As E is 0..1, the largest of them lies between
  1 / K, where E is 0, and e / (e + K - 1). Against the visibility threshold 0.4 this makes both parts of K = 2 visible
  in every image and, from K = 6 on, no part in any, so that only holistic embeddings are compared.
  `attention: sharp` is the softmax of 15 E with the background beside the parts (1 where Eq. 10 says so), as the code
  makes its targets: nearly one part per place, and a part that is nowhere is invisible.
- Labels are made at the size of the label's fields and resized once, by the nearest neighbour. `label_path: quarter` is
  the code's: the softmax of `sharp`, by the nearest neighbour to the size of the image, from there bilinearly, corner
  on corner, to a quarter of it and to the feature map, and only then to labels; at 16 x 8 every eighth cell differs.
  Fixed attention, which is no label, is resized bilinearly.
- The learning rate starts at a tenth; code: `warmup_start: 0.01`.
- Eq. 8's distances are Euclidean; the laptop's recipe takes them per channel (`triplet_distance`, see
  partreid.losses.triplet).
- Random erasing is Bag of Tricks', by area and aspect ratio, filled with the mean colour; `erase_fill: raw` fills as
  the code does. The code's hole, 15 to 65 % of each side, is not offered.
- RI of Table 1 is ResNet-50-ibn; the code's only option of that kind has non-local blocks, which are not offered.
- Two images without a part in common rank last (Eq. 9: infinity), as the code's largest distance + 1 does.
Where we and the code differ from the paper: Eq. 2 smooths with N = batch size (`label_count: batch`), so that targets
do not sum to 1; we read N as the number of classes, K + 1. Eq. 2 sums over pixels; with the weight 0.35 only their mean
is in scale with the other losses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.errors import UserError, choose
from partreid.inputs.batch import Batch, Inputs
from partreid.labels import grouping
from partreid.layers.reduction import reduction
from partreid.losses import gilt
from partreid.losses.identity import IGNORED, PART_IDENTITIES, BNNeck, smoothed_cross_entropy
from partreid.losses.triplet import DISTANCES
from partreid.methods.base import Method

HOLISTIC = ("global", "foreground", "background", "concatenated")
ATTENTIONS = dict.fromkeys(("learned", "fixed", "sharp"))
LABEL_COUNTS = dict.fromkeys(("classes", "batch"))
LABEL_PATHS = dict.fromkeys(("nearest", "quarter"))
SHARPNESS = 15  # of the code's softmax


class BPBreID(Method):
    """K part embeddings and the holistic embeddings g, f, b, c of one image.

    parts: K, or a named variant of partreid.labels.grouping. embedding: D; 0: as wide as is pooled. attention_weight:
    lambda_pa of Eq. 5. background_threshold: lambda_r of Eq. 10. visibility_threshold: lambda_v of Eq. 4. smoothing:
    epsilon. margin: alpha of Eq. 8. identity_on, triplet_on: the embeddings that get an identity loss and a triplet
    loss, any of HOLISTIC and "parts". attention: where M comes from: "learned", or of the label at test too "fixed" or
    "sharp". part_triplet: the triplet loss on parts, "averaged" over them or of "each". foreground_pooling: a key of
    POOLINGS. label_count: N of Eq. 2, "classes" or "batch". triplet_distance: a key of losses.triplet.DISTANCES.
    label_path: how labels come to the feature map's size, see above. part_identity: a key of PART_IDENTITIES.
    training_visibility: see above. The last eight have defaults because older weights files lack them.
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
        attention: str = "learned",
        part_triplet: str = "averaged",
        foreground_pooling: str = "weighted",
        label_count: str = "classes",
        triplet_distance: str = "euclidean",
        label_path: str = "nearest",
        part_identity: str = "mean",
        training_visibility: bool = False,
    ):
        super().__init__()
        gilt.names(identity_on, triplet_on, (*HOLISTIC, "parts"))
        choose(ATTENTIONS, attention, "attention (methods.bpbreid.attention)")
        choose(LABEL_COUNTS, label_count, "count (methods.bpbreid.label_count)")
        choose(LABEL_PATHS, label_path, "path (methods.bpbreid.label_path)")
        self.label_path = label_path
        self.variant = parts
        self.groups = grouping.names(parts, "number of parts (methods.bpbreid.parts)")
        K = len(self.groups)
        self.backbone = backbones.build(backbone)
        channels = self.backbone.channels
        self.attention = attention
        if attention == "learned":
            classify = nn.Conv2d(channels, K + 1, 1)
            nn.init.normal_(classify.weight, std=0.001)
            self.pixel_classifier = nn.Sequential(nn.BatchNorm2d(channels), classify)
        else:
            self.labels_at_test = ("pifpaf",)
        self.reduce = nn.ModuleDict(
            {name: reduction(channels, embedding) for name in ("global", "foreground", "background", "parts")}
        )
        width = embedding or channels
        widths = {name: width * (K if name == "concatenated" else 1) for name in HOLISTIC}
        self.necks = nn.ModuleDict({name: BNNeck(each, identities) for name, each in widths.items()})
        self.part_necks = nn.ModuleList(BNNeck(width, identities) for _ in range(K))
        self.attention_weight = attention_weight
        self.background_threshold = background_threshold
        self.visibility_threshold = visibility_threshold
        self.smoothing = smoothing
        self.margin = margin
        self.identity_on = tuple(identity_on)
        self.triplet_on = tuple(triplet_on)
        self.compares = bool(triplet_on)
        self.part_triplet = choose(gilt.PART_TRIPLETS, part_triplet, "triplet (methods.bpbreid.part_triplet)")
        self.triplet_distance = choose(DISTANCES, triplet_distance, "distance (methods.bpbreid.triplet_distance)")
        self.classifiers = gilt.classifiers(identity_on, K, part_identity)
        self.part_identity = choose(PART_IDENTITIES, part_identity, "reduction (methods.bpbreid.part_identity)")
        self.training_visibility = training_visibility
        self.pool = choose(POOLINGS, foreground_pooling, "pooling (methods.bpbreid.foreground_pooling)")
        self.label_count = label_count
        self.use()

    # 3.1 body part attention

    def probabilities(self, G: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """M (B, K+1, h, w), background first, of the appearance map G (B, C, h, w); and the scores it is learned by."""
        if self.attention != "learned":
            return self.fixed(inputs.labels["pifpaf"], (G.shape[2], G.shape[3])), None
        scores = self.pixel_classifier(G)
        return scores.softmax(1), scores  # Eq. 1

    def part_labels(self, fields: Tensor, size: tuple[int, int], image: tuple[int, int]) -> Tensor:
        """Human parsing labels Y of Eq. 10: fields (B, 36, h, w) in 0..1, moved and erased as the image was.

        size: of the feature map. image: height and width in pixels. Returns int64 (B, *size), 0 = background, 1..K =
        parts.
        """
        E = grouping.group(fields, self.variant)  # (B, K, h, w)
        if self.label_path == "quarter":
            maps = F.interpolate(self.sharpened(E), image, mode="nearest")
            for smaller in ((image[0] // 4, image[1] // 4), size):
                maps = F.interpolate(maps, smaller, mode="bilinear", align_corners=True)
            return maps.argmax(1)
        Y = torch.where(E.amax(1) < self.background_threshold, 0, 1 + E.argmax(1))
        # here labels, not fields, are resized: averaging fields first would sink thin parts below the threshold
        return F.interpolate(Y[:, None].float(), size, mode="nearest-exact")[:, 0].long()

    def fixed(self, fields: Tensor, size: tuple[int, int]) -> Tensor:
        """In place of M: (B, 36, h, w) in 0..1 -> (B, K+1, *size). "fixed" knows no background: it is 0.

        An image without a label has fields of 0: to "fixed" every part alike everywhere, to "sharp" all background.
        """
        E = grouping.group(fields, self.variant)
        M = self.sharpened(E) if self.attention == "sharp" else torch.cat([torch.zeros_like(E[:, :1]), E.softmax(1)], 1)
        return F.interpolate(M, size, mode="bilinear", antialias=True)

    def sharpened(self, E: Tensor) -> Tensor:
        """The code's softmax of part maps E (B, K, h, w) and the background: (B, K+1, h, w)."""
        background = (E.amax(1, keepdim=True) < self.background_threshold).to(E)
        return (SHARPNESS * torch.cat([background, E], 1)).softmax(1)

    def attention_loss(self, scores: Tensor, batch: Batch) -> Tensor:
        """L_pa, Eq. 2. An image without a label has no say; a batch without any has no attention loss."""
        sizes = ((each.shape[2], each.shape[3]) for each in (scores, batch.images))
        Y = self.part_labels(batch.labels["pifpaf"], *sizes)
        Y = Y.masked_fill(~batch.labelled["pifpaf"][:, None, None], IGNORED)
        N = len(Y) if self.label_count == "batch" else None
        return smoothed_cross_entropy(scores, Y, self.smoothing, N)

    # 3.2 embeddings and visibility

    def embeddings(self, G: Tensor, M: Tensor) -> dict[str, Tensor]:
        """All embeddings from G (B, C, h, w) and part probabilities M (B, K+1, h, w), background first.

        "parts" is (B, K, D); the holistic ones are (B, D), "concatenated" (B, K D).
        """
        foreground = M[:, 1:].amax(1, keepdim=True)
        masks = torch.cat([foreground, M], 1)  # foreground, background, parts 1..K
        pooled = self.pool(G, masks)  # (B, K+2, C)
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
        G = self.feature_map(batch.images)
        M, scores = self.probabilities(G, batch)
        attention = {} if scores is None else {"attention": self.attention_weight * self.attention_loss(scores, batch)}
        f = self.embeddings(G, M)
        self.remember(f)
        visible = visible_above(M, self.visibility_threshold) if self.training_visibility else None
        terms = gilt.terms(
            f,
            self.identity_on,
            self.triplet_on,
            lambda name, feature: self.identity_loss(name, feature, batch.pid),
            lambda feature: self.triplet_loss(feature, batch.pid, visible if feature.dim() == 3 else None),
        )
        return {**attention, **terms}

    @torch.no_grad()
    def remember(self, f: Mapping[str, Tensor]) -> None:
        """Let the BNNecks that have no loss learn their running averages."""
        of_parts = zip(self.part_necks, f["parts"].unbind(1), strict=True)
        silent = [(self.necks[name], f[name]) for name in HOLISTIC if name not in self.identity_on]
        for neck, feature in (*silent, *(() if "parts" in self.identity_on else of_parts)):
            cast(BNNeck, neck).norm(feature)

    def identity_loss(self, name: str, feature: Tensor, pid: Tensor) -> Tensor:
        """L_CE of Eq. 6 on one holistic embedding, or on all parts."""
        if name == "parts":
            logits = torch.stack([neck(feature[:, k]) for k, neck in enumerate(self.part_necks)], 1)
            return self.part_identity(logits, pid, self.smoothing)
        return smoothed_cross_entropy(self.necks[name](feature), pid, self.smoothing)

    def triplet_loss(self, feature: Tensor, pid: Tensor, visible: Tensor | None = None) -> Tensor:
        """On parts (B, K, D) the one that `part_triplet` names, Eq. 8 by default; on holistic (B, D) batch hard.

        visible: bool (B, K), the parts to compare, if not all.
        """
        return self.part_triplet(feature, pid, self.margin, self.triplet_distance, visible)

    # 3.4 test

    def use(
        self,
        *,
        embeddings: Sequence[str] = ("foreground", "parts"),
        visibility: str = "threshold",
        normalize: bool = True,
        neck: str = "before",
    ) -> None:
        """What a test compares. embeddings: any of HOLISTIC, "parts" or the name of a part, in this order.

        visibility: a key of VISIBILITIES. normalize: each embedding to unit length. neck: holistic embeddings from
        "before" or "after" their BNNeck's batch norm.
        """
        if not isinstance(embeddings, list | tuple) or not embeddings:
            raise UserError(f"at_test.bpbreid.embeddings is a list of one or more embeddings, found {embeddings!r}")
        for name in embeddings:
            choose(dict.fromkeys((*HOLISTIC, "parts", *self.groups)), name, "embedding (at_test.bpbreid.embeddings)")
        self.compared = [name for each in embeddings for name in (self.groups if each == "parts" else (each,))]
        self.visible = choose(VISIBILITIES, visibility, "visibility (at_test.bpbreid.visibility)")
        self.normalize = normalize
        self.after_neck = choose({"before": False, "after": True}, neck, "place (at_test.bpbreid.neck)")

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The chosen embeddings (B, P, D) and their visibility, Eq. 4 (holistic ones: always)."""
        G = self.feature_map(inputs.images)
        M, _ = self.probabilities(G, inputs)
        f = self.embeddings(G, M)
        of_parts = self.visible(M, self.visibility_threshold).to(G)
        if self.after_neck:
            f |= {name: cast(BNNeck, self.necks[name]).norm(f[name]) for name in HOLISTIC}
        f |= dict(zip(self.groups, f["parts"].unbind(1), strict=True))
        visible = dict(zip(self.groups, of_parts.unbind(1), strict=True))
        always = G.new_ones(G.shape[0])
        widest = max(f[name].shape[1] for name in self.compared)
        # zeros behind a shorter vector change no distance and no length
        features = torch.stack([F.pad(f[name], (0, widest - f[name].shape[1])) for name in self.compared], 1)
        features = F.normalize(features, dim=-1) if self.normalize else features
        return features, torch.stack([visible.get(name, always) for name in self.compared], 1)

    def part_names(self) -> tuple[str, ...]:
        return tuple(self.compared)

    def maps(self, inputs: Inputs) -> Tensor:
        """Where each embedding in the order of `part_names` is pooled: (B, P, h, w).

        Parts and background by their probability, the foreground and the concatenated parts by the parts' maximum.
        """
        M, _ = self.probabilities(self.feature_map(inputs.images), inputs)
        found = dict(zip(("background", *self.groups), M.unbind(1), strict=True))
        foreground = M[:, 1:].amax(1)
        found |= {"foreground": foreground, "concatenated": foreground, "global": torch.ones_like(foreground)}
        return torch.stack([found[name] for name in self.compared], 1)


def weighted_average(G: Tensor, masks: Tensor) -> Tensor:
    """Global weighted average pooling, Eq. 3: G (B, C, h, w), masks (B, P, h, w) -> (B, P, C)."""
    weight = masks / masks.sum((2, 3), keepdim=True).clamp_min(1e-6)
    return torch.einsum("bchw,bphw->bpc", G, weight)


def mean_of_holistic(G: Tensor, masks: Tensor) -> Tensor:
    """The code's: the first two masks, foreground and background, are averaged over all positions."""
    mean = torch.einsum("bchw,bphw->bpc", G, masks[:, :2]) / (G.shape[2] * G.shape[3])
    return torch.cat([mean, weighted_average(G, masks[:, 2:])], 1)


def visible_above(M: Tensor, threshold: float) -> Tensor:
    """Eq. 4: M (B, K+1, h, w) -> bool (B, K)."""
    return M[:, 1:].amax((2, 3)) > threshold


def visible_by_argmax(M: Tensor, threshold: float) -> Tensor:  # noqa: ARG001
    """The code's: some pixel's most probable class is the part."""
    return F.one_hot(M.argmax(1), M.shape[1])[..., 1:].amax((1, 2)) > 0


def always_visible(M: Tensor, threshold: float) -> Tensor:  # noqa: ARG001
    """Table 2's "w/o visibility scores"."""
    return torch.ones_like(M[:, 1:, 0, 0], dtype=torch.bool)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"weighted": weighted_average, "mean": mean_of_holistic}
VISIBILITIES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "threshold": visible_above,
    "argmax": visible_by_argmax,
    "all": always_visible,
}
