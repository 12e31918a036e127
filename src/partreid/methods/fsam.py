"""FSAM: fine-grained shape-appearance mutual learning for cloth-changing person re-identification.

Hong, Wu, Wu, Han, Zheng: "Fine-Grained Shape-Appearance Mutual Learning for Cloth-Changing Person Re-Identification",
CVPR 2021. In the paper's order: the fine-grained mask M = F_m(I), guided by identities (section 3.1, Eq. 1-5), the
shape stream F_s with a last block per pose (3.2, Eq. 6), the appearance stream F_a (4.1, Eq. 7), dense interactive
mutual learning between the two (4.2, Eq. 8-11). At test time the appearance stream works alone (4.3): no mask, no pose.
There is no published code.

Where the paper is silent:
- Coarse mask. M^ of Eq. 4, the "initially estimated coarse mask", is what a frozen copy of F_m, as its pre-training
  left it, says of the same image, as probabilities, in test mode: `coarse: initial`. `coarse: label` takes the cached
  label `schp` instead; images on which its tool found nobody then have no Eq. 4. The check of params.yaml refuses it
  where F_m is published and the label another tool's, which would pull F_m away from what it knows.
- Mask. It speaks of the shapes of body parts, so M is the softmax over the seven classes of Pascal-Person-Part:
  `mask: parts`. `mask: foreground` is 1 - the background's probability, three times. With either, F_s starts from
  ImageNet weights and at first sees the same, the whole figure in white on black (partreid.backbones.branched). Masks
  are not normalised: the batch norm after the first convolution does it.
- F_m sees the image at the size that F_a sees it, but before random erasing: a hole has no shape. M and the coarse mask
  are compared (Eq. 4) and given to F_s at that size too.
- Triplets are batch hard on Euclidean distances; the laptop's recipe takes these per channel (`triplet_distance`, see
  partreid.losses.triplet). Cross-entropy is plain, as Eq. 2 has it.
- Images without keypoints are of the middle one of the pose clusters, which go from the left view to the right view and
  change places with the flip of an image (partreid.labels.poses).
- 3B of table 2, three branches whose outputs are added, `branching: added`: on one input, from the same weights, they
  would stay one branch three times over, so two of them start a little apart (APART).
- A + S of table 3: both features at unit length, concatenated.
- A <-> A of table 5 is two networks on colours. The second has one branch, as the paper chooses branches by pose in the
  shape stream alone, and, so that the two have something to tell each other, an augmentation of its own: it sees the
  image mirrored and erased as another image of the batch was.
- Weights for Market-1501 and DukeMTMC-reID: 1 and 1, VC-Clothes'. Weight decay: 5e-4. Border for a random crop: none,
  the paper lists flip and erasing.
- "Two-way" is Eq. 9 and 11 as they stand: the gradient enters both streams (Deep Mutual Learning holds each target
  fixed). "One-way" (table 5) holds the shape stream's side fixed.
Where we differ:
- F_m starts, as in the paper, from SCHP's published weights, or, where these cannot be had, learns the cached label
  `schp` of the re-identification set itself (partreid.pretraining.parsing). Keypoints
  come from whatever `labels.poses.tool` names; the paper's are AlphaPose's.
- Neck. "A fully-connected layer is applied for the features" is `neck: fc`. We take `neck: bnneck`: the baseline of
  table 6 (Market-1501: 94.1 / 84.9) is what Luo et al., "Bag of Tricks", report with one (94.1 / 85.7), not without
  (92.0 / 81.7). The last stride is 1 for the same reason. Tests compare by cosine, with a BNNeck after its batch norm.
- Eq. 9 sums Frobenius norms over 16 pairs of blocks, the sentence below it defines the squared norm. Which the weights
  from 0.5 to 5 belong to cannot be told: that would take a ResNet-50 with ImageNet's weights on the paper's own sets.
  Divided by B², as in similarity-preserving distillation (Tung and Mori, ICCV 2019), the loss does not depend on the
  size of the batch: `reduction: mean_square`, the default. `frobenius` and `squared` are the literal readings. Measured
  on rendered people (128 x 64, B = 64, true masks, one branch, weights 1) as training starts, norms of the gradient of
  F_a's parameters:
                                           cross-entropy   triplets   frobenius   squared   mean_square
      ResNet-50, random weights                    17.8       18.4*         747     6,713          1.6
      MobileNetV2, ImageNet's weights              0.56        2.0*         116     5,565          1.4
  (* on distances per channel; Euclidean ones have sqrt(2048) = 45 and sqrt(1280) = 36 times that.) `frobenius` is in
  scale with Euclidean triplets, 832 on that ResNet-50, and `squared` with nothing; `mean_square` with cross-entropy and
  with distances per channel, which the recipes for small backbones take.
"""

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.backbones.base import Blocks
from partreid.backbones.branched import Branched
from partreid.backbones.parser import Parser
from partreid.backbones.parser import coarse as coarse_label
from partreid.body.parsing import PARSING
from partreid.errors import UserError, choose
from partreid.inputs.augmentation import erase_images
from partreid.inputs.batch import Batch, Inputs
from partreid.layers import shares
from partreid.losses.identity import NECKS
from partreid.losses.mutual import REDUCTIONS, dense_similarity, symmetric_divergence
from partreid.losses.triplet import DISTANCES, batch_hard
from partreid.methods.base import Method, Persons

# channels of M, and channels of F_s's input
MASKS = {"parts": (len(PARSING), len(PARSING)), "foreground": (1, 3)}
SHAPES = dict.fromkeys(("fine", "coarse", "colours"))
BRANCHINGS = dict.fromkeys(("pose", "added"))
APART = 0.1  # of a convolution's standard deviation: the branches that are added still see what ImageNet taught
TRANSFERS = dict.fromkeys(("two_way", "one_way"))
COARSE = dict.fromkeys(("initial", "label"))
TRAINED = dict.fromkeys(("both", "appearance"))
STREAMS = dict.fromkeys(("appearance", "shape", "both"))


class FSAM(Method):
    """Appearance stream F_a (`backbone`), shape stream F_s on the masks of F_m.

    parser: F_m, one of partreid.backbones.parser. mask: a key of MASKS. neck: of NECKS; see above.
    shape: what F_s sees: "fine" masks M; "coarse" ones (S* of table 4); "colours", the image itself, which makes it a
    second appearance stream (A <-> A of table 5). coarse: where coarse masks come from, "initial" or "label"; see
    above. streams: "both", or "appearance" alone, the paper's baseline, without F_m and F_s. Weights files from before
    these two have their defaults.
    branches: b. branching: "pose", Eq. 6, or "added", the sum of all branches ("3B" of table 2).
    transfer: "two_way" or "one_way", from shape to appearance (table 5). reduction: of Eq. 9; see above.
    preservation_weight: lambda_R of Eq. 5. similarity_weight, divergence_weight: lambda_SI and lambda_KL of Eq. 12.
    margin: m of Eq. 3. triplet_distance: a key of losses.triplet.DISTANCES; older weights files lack it.
    """

    backbone: Blocks
    distance = "cosine"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        parser: str,
        mask: str,
        shape: str,
        branches: int,
        branching: str,
        neck: str,
        transfer: str,
        reduction: str,
        preservation_weight: float,
        similarity_weight: float,
        divergence_weight: float,
        margin: float,
        triplet_distance: str = "euclidean",
        coarse: str = "label",
        streams: str = "both",
    ):
        super().__init__()
        choose(COARSE, coarse, "source of coarse masks (methods.fsam.coarse)")
        choose(TRAINED, streams, "choice of streams (methods.fsam.streams)")
        choose(MASKS, mask, "mask (methods.fsam.mask)")
        choose(SHAPES, shape, "input of the shape stream (methods.fsam.shape)")
        choose(BRANCHINGS, branching, "branching (methods.fsam.branching)")
        choose(TRANSFERS, transfer, "transfer (methods.fsam.transfer)")
        choose(REDUCTIONS, reduction, "reduction (methods.fsam.reduction)")
        if branches < 1:
            raise UserError(f"methods.fsam.branches is {branches}, expected 1 or more")
        self.mask, self.shape, self.coarse, self.branches = mask, shape, coarse, branches
        self.alone = streams == "appearance"
        self.reads_clean = not self.alone
        self.by_pose = branching == "pose" and branches > 1 and not self.alone
        by_label = shape == "coarse" or (shape == "fine" and preservation_weight > 0)
        needed = {"schp": coarse == "label" and by_label, "poses": self.by_pose}
        self.labels = tuple(kind for kind in needed if needed[kind] and not self.alone)
        self.starts_from = {} if self.alone or shape == "colours" else {"F_m": "parsing"}

        necks = choose(NECKS, neck, "neck (methods.fsam.neck)")
        self.backbone = in_blocks(backbone)  # F_a
        if self.starts_from:
            self.F_m = Parser(parser)
        if not self.alone:
            self.F_s = Branched(in_blocks(backbone), branches, 3 if shape == "colours" else MASKS[mask][1])
        self.neck_a = necks(self.backbone.channels, identities)
        if not self.alone:
            self.neck_s = necks(self.backbone.channels, identities)
        self.classifiers = dict.fromkeys(["identity_appearance", *([] if self.alone else ["identity_shape"])], 1)
        self.initial: tuple[Parser, ...] = ()  # F_m as it started; a tuple's content is no sub-module, so not saved
        self.transfer, self.reduction, self.margin = transfer, reduction, margin
        self.triplet_distance = choose(DISTANCES, triplet_distance, "distance (methods.fsam.triplet_distance)")
        self.preservation_weight = preservation_weight
        self.similarity_weight, self.divergence_weight = similarity_weight, divergence_weight
        self.use()

    def load_initial(self, backbone: str) -> None:
        plain = in_blocks(backbone)
        backbones.load_imagenet(plain, backbone)
        self.backbone.load_state_dict(plain.state_dict())
        if not self.alone:
            self.F_s.start_from(plain)
            if not self.by_pose:
                self.F_s.set_apart(APART)

    def begin_training(self) -> None:
        """Keep F_m as it is now, for the coarse masks."""
        if self.coarse == "initial" and self.starts_from:
            self.initial = (copy.deepcopy(self.F_m).eval().requires_grad_(False),)

    def begin_epoch(self, epoch: int, persons: Persons) -> None:  # noqa: ARG002
        """F_m's copy follows the network to its device."""
        for F_0 in self.initial:
            F_0.to(next(self.parameters()).device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def early(self) -> Sequence[nn.Module]:
        """Of F_a and of F_m, whose pre-training left them too; F_s sees masks, to which ImageNet's are new."""
        return [*self.backbone.early(), *(self.F_m.early() if self.starts_from else ())]

    # 3.1 identity-guided fine-grained mask learning

    def classes(self, images: Tensor) -> Tensor:
        """F_m: images (B, 3, H, W) -> probabilities of the classes (B, 7, H, W), background first."""
        return self.feature_map(images, self.F_m).softmax(1)

    def kind_of_mask(self, classes: Tensor) -> Tensor:
        """Probabilities of the classes (B, 7, H, W) -> the chosen kind of mask (B, channels, H, W)."""
        return classes if self.mask == "parts" else 1 - classes[:, :1]

    @torch.no_grad()
    def coarse_masks(self, inputs: Inputs, clean: Tensor) -> Tensor:
        """M^, the initial masks. clean: the images that F_m sees.

        A test, which has no copy of F_m, asks for them with `shape: coarse` alone, which leaves F_m as it was.
        """
        if self.coarse == "label":
            height, width = clean.shape[2:]
            return self.kind_of_mask(coarse_label(inputs.labels["schp"], (height, width)))
        F_0 = self.initial[0] if self.initial else self.F_m
        return self.kind_of_mask(self.feature_map(clean, F_0).softmax(1))

    def preservation(self, M: Tensor, batch: Batch) -> Tensor:
        """L_R, Eq. 4: the squared difference of M and M^, summed over channels, mean over pixels and known images."""
        difference = (M - self.coarse_masks(batch, batch.clean)).square().sum(1).mean((1, 2))  # (B,)
        if self.coarse == "initial":
            return difference.mean()
        known = batch.labelled["schp"]
        return (difference * known).sum() / known.sum().clamp_min(1)

    # 3.2 pose-specific fine-grained feature extractor

    def shape_input(self, inputs: Inputs, clean: Tensor) -> Tensor:
        """What F_s sees: masks (B, channels, H, W), or the image. clean: the images that F_m sees."""
        if self.shape == "colours":
            return second_view(inputs) if isinstance(inputs, Batch) else inputs.images
        return self.kind_of_mask(self.classes(clean)) if self.shape == "fine" else self.coarse_masks(inputs, clean)

    def shape_maps(self, x: Tensor, inputs: Inputs) -> list[Tensor]:
        """x_{s,1} .. x_{s,4} of `shape_input`; the last by Eq. 6."""
        x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
        return self.block_maps(self.F_s.block_maps, x, self.poses(inputs) if self.by_pose else None)

    def poses(self, inputs: Inputs) -> Tensor:
        """The pose cluster of each image, int64 (B,)."""
        clusters = inputs.labels["poses"]
        if clusters.shape[1] != self.branches:
            raise UserError(
                f"the label poses has {clusters.shape[1]} clusters, the shape stream {self.branches} branches; make "
                "labels.poses.clusters and methods.fsam.branches equal"
            )
        return clusters.argmax(1)

    # 4. mutual learning

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 12. A term of weight 0 is not computed."""
        a = self.block_maps(self.backbone.block_maps, batch.images)
        x_a = a[-1].mean((2, 3))
        logits_a = self.neck_a(x_a)
        appearance = {
            "identity_appearance": F.cross_entropy(logits_a, batch.pid),  # Eq. 7
            "triplet_appearance": batch_hard(self.triplet_distance(x_a), batch.pid, self.margin),
        }
        if self.alone:
            return appearance
        seen = self.shape_input(batch, batch.clean)  # M, unless `shape` asks for something else
        s = self.shape_maps(seen, batch)
        x_s = s[-1].mean((2, 3))
        logits_s = self.neck_s(x_s)
        shape = {
            "identity_shape": F.cross_entropy(logits_s, batch.pid),  # Eq. 1-3
            "triplet_shape": batch_hard(self.triplet_distance(x_s), batch.pid, self.margin),
        }
        if self.shape == "fine" and self.preservation_weight:
            shape["preservation"] = self.preservation_weight * self.preservation(seen, batch)  # Eq. 5
        return {**shape, **appearance, **self.mutual(a, s, logits_a, logits_s)}

    def mutual(self, a: list[Tensor], s: list[Tensor], logits_a: Tensor, logits_s: Tensor) -> dict[str, Tensor]:
        """The weighted L_SI of Eq. 9 and L_KL of Eq. 11."""
        if self.transfer == "one_way":
            s, logits_s = [each.detach() for each in s], logits_s.detach()
        terms = {}
        if self.similarity_weight:
            terms["similarity"] = self.similarity_weight * dense_similarity(a, s, self.reduction)
        if self.divergence_weight:
            terms["divergence"] = self.divergence_weight * symmetric_divergence(logits_a, logits_s)
        return terms

    # 4.3 inference

    def use(self, *, stream: str = "appearance") -> None:
        """stream: which features a test compares, "appearance" or, for table 3, "shape" or "both"."""
        choose(STREAMS, stream, "stream (at_test.fsam.stream)")
        if self.alone and stream != "appearance":
            raise UserError(f"at_test.fsam.stream is {stream}, but methods.fsam.streams is appearance; train both")
        self.stream = stream
        needed = {"schp": self.shape == "coarse" and self.coarse == "label", "poses": self.by_pose}
        self.labels_at_test = () if stream == "appearance" else tuple(kind for kind in needed if needed[kind])

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        features = []
        if self.stream != "shape":
            features.append(self.neck_a.norm(self.feature_map(inputs.images).mean((2, 3))))
        if self.stream != "appearance":
            x_s = self.shape_maps(self.shape_input(inputs, inputs.images), inputs)[-1].mean((2, 3))
            features.append(self.neck_s.norm(x_s))
        f = torch.cat([F.normalize(each, dim=1) for each in features], 1)
        return f[:, None], f.new_ones(f.shape[0], 1)  # (B, 1, D), (B, 1)

    def part_names(self) -> tuple[str, ...]:
        return (self.stream,)

    def block_maps(self, of: Callable[..., list[Tensor]], x: Tensor, *more: Tensor | None) -> list[Tensor]:
        """What a backbone's function `block_maps` returns, its four blocks' outputs, in float32.

        Branches by pose see the whole batch: a process's share may have none of a pose.
        """
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            whole = any(each is not None for each in more)
            maps = of(x, *more) if whole else shares.everywhere(lambda own: of(own, *more), x)
        return [each.float() for each in maps]


def second_view(batch: Batch) -> Tensor:
    """The batch's images (B, 3, H, W) under another augmentation: mirrored and erased as the image before each was.

    Drawn for another image, that change is independent of the image's own. The shift stays.
    """
    others = batch.changes.roll(1, 0)
    mirrored = torch.where(others[:, 0, None, None, None] > 0, batch.clean.flip(3), batch.clean)
    return erase_images(mirrored, others)


def in_blocks(name: str) -> Blocks:
    """A backbone by its name, with random weights; UserError if it has no blocks to compare."""
    network = backbones.build(name)
    if not isinstance(network, Blocks):
        raise UserError(
            f"FSAM compares the blocks of its backbones, and {name} has none; take resnet50 or mobilenet_v2"
        )
    return network
