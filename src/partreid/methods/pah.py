"""PAH-Net: global, local body part and head streams for long-term person re-identification.

Tran Thanh, Lee, Kang: "Enhancing Long-Term Person Re-Identification Using Global, Local Body Part, and Head Streams",
2024, https://arxiv.org/abs/2403.02892. In the paper's order: global stream (section 3.1.1, Eq. 1-4), local body part
stream (3.1.2, Eq. 5-7), head stream (3.1.3), pseudo-labels (3.2.1, Eq. 8-9, in partreid.labels.pseudo_parts), losses
(3.2.2, Eq. 10-15), inference (3.3, Eq. 16-17, the distance "cosine").

Where the paper is silent, no code of its authors decides. We follow LightMBN (Herzog et al., 2021), which has the same
OSNet half, schedule and kinds of loss, and ISP (Zhu et al., 2020), which has the same clustering:
- the optimiser is Adam with weight decay 5e-4; batch norms have no learned shift, classifiers no bias;
- the pair-based loss compares unit vectors ("scalar product" of the paper: of vectors as they are, exp(40 s) would
  overflow), with α1 = 2, α2 = 40, λ = 0.5, and mining with a margin of 0.7;
- pseudo-labels come from un-augmented images, by the network in test mode, and follow the image's flip, shift and
  random erasing (an erased place shows background);
- Eq. 11 has no label smoothing (LightMBN: `smoothing: 0.1`), Eq. 16 no features of flipped images (LightMBN adds them).
Where the paper disagrees with itself:
- Figure 3 cuts OSNet after the first convolution of a block, which has 96 channels. The text's 384 come out of the
  whole first block of conv3, where LightMBN cuts too;
- Eq. 3 erases one row, the text a third of the rows: a third. `erase_rows` says which: `band` (our default, as Figures
  4 and 6 look), the third of the image with the most energy in a row; `top`, the rows of most energy wherever they lie
  (as in LightMBN, which ranks rows by their largest place). `erase_at_test: false` is LightMBN's; Eq. 4 and 16 have
  no such exception;
- two final convolutions after HRNet's concatenation: the concatenation has the 1920 channels already when the four
  modules of HRNet's classifier stand before it, and only so all weights of its ImageNet classifier find a place;
- Eq. 14 sums over the pixels. With λ_psd = 0.1 only ISP's mean is in scale with the other losses: `part_loss: mean`,
  or `sum`;
- Table 7 counts 32.6 M parameters; the network of the text has 37.5 M without its classifiers. HRNet-W32 without the
  four modules (29.3 M) and a single OSNet stream (3.3 M) have 32.6 M, as if the head stream had not been counted.
Table 5 does not say what f_AE is in a stream without erasing: here the plain maximum, so that seven vectors remain.

Heads. The box is the `heads` label's, with that label's `margin`; it is cut from the original image, resized to the
input size, flipped with the image and erased where the image is. The paper does not say what happens where no head was
found: here the upper quarter of the image, in the middle half of its width, stands in, which is where heads mostly are.
Beyond the paper, `head_box: parts` needs no head detector at test time: the box is read off P^part_1, the topmost part
that the network itself predicts, and cut from the network's input. Training takes the label's boxes either way.

On small backbones (the laptop recipe) the streams and the seven vectors are the same; their widths and strides differ.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones, crops
from partreid.backbones.base import Backbone
from partreid.errors import UserError, choose
from partreid.labels.pseudo_parts import part_maps
from partreid.losses.identity import BNNeck, smoothed_cross_entropy
from partreid.losses.multi_similarity import multi_similarity
from partreid.methods.base import Batch, Inputs, Method, Persons
from partreid.training.augmentation import change_fields, erase_fields

STREAMS = ("global", "parts", "head")
POOLED = ("GMP", "AE", "GAP")  # of the global and the head stream, in the order of Eq. 16
NO_HEAD = (0.25, 0.0, 0.75, 0.25)  # x0, y0, x1, y1 of what stands in for a head, in shares of width and height
AT_ONCE = 32  # images whose dense features are computed together for clustering


class PAH(Method):
    """Seven vectors of one image: f^gGMP, f^gAE, f^gGAP, f^l, f^hGMP, f^hAE, f^hGAP.

    backbone: of the global and the head stream, one that can be split. part_backbone: of the local body part stream.
    parts: K - 1, without the background. streams: which of STREAMS there are (Table 4). erase_in: the streams with
    adversarial erasing (Table 5). erase_rows, erase_at_test, part_loss, head_box: see the module's docstring.
    pair_weight, part_weight: λ_pair and λ_psd of Eq. 15. alpha_positive, alpha_negative, margin: α1, α2 and λ of
    Eq. 13. mining: margin of its mining. smoothing: of the identity labels, 0 in Eq. 11.
    """

    labels = ("heads",)
    labels_at_test: tuple[str, ...] = ("heads",)
    backbone: nn.ModuleDict  # type: ignore[assignment]  # by stream
    distance = "cosine"

    def __init__(
        self,
        *,
        backbone: str,
        identities: int,
        part_backbone: str,
        parts: int,
        streams: Sequence[str],
        erase_in: Sequence[str],
        erase_rows: str,
        erase_at_test: bool,
        head_box: str,
        part_loss: str,
        pair_weight: float,
        part_weight: float,
        alpha_positive: float,
        alpha_negative: float,
        margin: float,
        mining: float,
        smoothing: float,
    ):
        super().__init__()
        self.streams = _chosen(streams, STREAMS, "streams")
        self.erase_in = _chosen(erase_in, ("global", "head"), "erase_in")
        if not self.streams:
            raise UserError(f"streams is empty; name one or more of {', '.join(STREAMS)}")
        if head_box == "parts" and "head" in self.streams and "parts" not in self.streams:
            raise UserError("head_box is parts, but streams has no parts, which the head's box would be read off")
        self.erased = choose(ROWS, erase_rows, "rule of erasing (erase_rows)")
        self.erase_at_test = erase_at_test
        self.head_box = choose({"label": "label", "parts": "parts"}, head_box, "source of boxes (head_box)")
        self.part_loss = choose({"mean": "mean", "sum": "sum"}, part_loss, "reduction (part_loss)")
        if self.head_box == "parts" or "head" not in self.streams:
            self.labels_at_test = ()
        self.part_backbone = part_backbone
        self.parts = parts
        self.backbone, self.necks = nn.ModuleDict(), nn.ModuleDict()
        for stream in self.streams:
            if stream == "parts":
                dense = backbones.build(part_backbone)
                self.W_part = nn.Conv2d(dense.channels, parts + 1, 1, bias=False)
                self.necks["parts"] = BNNeck(parts * dense.channels, identities)
                self.backbone["parts"] = dense
            else:
                fork = Fork(backbone)
                self.necks.update({f"{stream} {pool}": BNNeck(fork.channels, identities) for pool in POOLED})
                self.backbone[stream] = fork
        self.pair_weight, self.part_weight = pair_weight, part_weight
        self.pairs = {"alpha_positive": alpha_positive, "alpha_negative": alpha_negative}
        self.pairs |= {"margin": margin, "mining": mining}
        self.smoothing = smoothing
        self.made = {} if "parts" in self.streams else {"pseudo_parts": torch.zeros(0, 1, 1, dtype=torch.uint8)}

    def load_initial(self, backbone: str) -> None:
        """ImageNet weights for every stream."""
        for network in self.backbone.values():
            if isinstance(network, Fork):
                network.load_imagenet(backbone)
            else:
                backbones.load_imagenet(cast(Backbone, network), self.part_backbone)

    # 3.1.1 global stream, and 3.1.3 head stream, which is the same on another image

    def pooled(self, stream: str, images: Tensor) -> dict[str, Tensor]:
        """f_GMP, f_AE and f_GAP of a stream: images (B, 3, H, W) -> (B, C) each."""
        fork = cast(Fork, self.backbone[stream])
        F_1 = self.feature_map(images, fork.front)  # (B, 384, H/8, W/8) with OSNet
        F_21, F_22 = (self.feature_map(F_1, tail) for tail in (fork.tail_1, fork.tail_2))  # (B, 512, H/16, W/16) each
        f_GMP = F_21.amax((2, 3))  # Eq. 1
        f_GAP = F_22.mean((2, 3))  # Eq. 2
        if stream in self.erase_in and (self.training or self.erase_at_test):
            F_22 = F_22 * self.kept(F_22)[:, None, :, None]
        f_AE = F_22.amax((2, 3))  # Eq. 4
        return {f"{stream} GMP": f_GMP, f"{stream} AE": f_AE, f"{stream} GAP": f_GAP}

    def kept(self, F_22: Tensor) -> Tensor:
        """F^e of Eq. 3, by rows: (B, C, h, w) -> float (B, h), 0 for the third of the rows that is erased."""
        energy = F_22.detach().square().sum((1, 3))  # (B, h)
        return (~self.erased(energy, count=max(1, round(energy.shape[1] / 3)))).to(F_22)

    # 3.1.2 local body part stream

    def dense(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """F^dense (B, C, h, w) and the scores that the softmax of Eq. 5 takes (B, K, h, w), background first."""
        F_dense = self.feature_map(images, self.backbone["parts"])
        return F_dense, self.W_part(F_dense)

    @staticmethod
    def aggregated(F_dense: Tensor, P_part: Tensor) -> Tensor:
        """f^l: Eq. 6 and 7 for every part, side by side; (B, C, h, w), (B, K, h, w) -> (B, (K - 1) C)."""
        N = F_dense.shape[2] * F_dense.shape[3]
        return torch.einsum("bkhw,bchw->bkc", P_part[:, 1:], F_dense).flatten(1) / N

    # 3.1.3 the head

    def heads(self, inputs: Inputs, P_part: Tensor | None) -> Tensor:
        """I^head (B, 3, H, W): the label's crop, or, with head_box: parts at test, the box of part 1 in the image."""
        images = inputs.images
        stand_in = torch.tensor(NO_HEAD).expand(len(images), 4).to(images)
        if P_part is not None and self.head_box == "parts" and not self.training:
            boxes, known = crops.boxes_of(P_part[:, 1] * (P_part.argmax(1) == 1))
            return crops.crop(images, torch.where(known[:, None], boxes, stand_in))
        known = inputs.labelled["heads"]
        if known.all():
            return inputs.labels["heads"]
        return torch.where(known[:, None, None, None], inputs.labels["heads"], crops.crop(images, stand_in))

    def vectors(self, inputs: Inputs) -> tuple[dict[str, Tensor], Tensor | None]:
        """S_pair of Eq. 12 by name, in the order of Eq. 16: (B, D) each; and the scores of `dense`, if it has parts."""
        f: dict[str, Tensor] = {}
        scores = P_part = None
        if "global" in self.streams:
            f |= self.pooled("global", inputs.images)
        if "parts" in self.streams:
            F_dense, scores = self.dense(inputs.images)
            P_part = scores.softmax(1)
            f["parts"] = self.aggregated(F_dense, P_part)
        if "head" in self.streams:
            f |= self.pooled("head", self.heads(inputs, P_part))
        return f, scores

    # 3.2.1 pseudo-labels

    @torch.no_grad()
    def begin_epoch(self, epoch: int, persons: Persons) -> None:  # noqa: ARG002  every epoch, the first too
        """Label every training image anew with the network as it is, one identity in memory at a time."""
        if "parts" not in self.streams:
            return
        device, training = self.W_part.weight.device, self.training
        self.eval()
        found: dict[int, Tensor] = {}
        for rows, images in persons:
            dense = [
                self.feature_map(part.to(device, memory_format=torch.channels_last), self.backbone["parts"])
                for part in images.split(AT_ONCE)
            ]
            maps = part_maps(torch.cat(dense), self.parts).cpu()
            found |= dict(zip(rows.tolist(), maps, strict=True))
        self.train(training)
        self.made = {"pseudo_parts": torch.stack([found[row] for row in range(len(found))])}

    def pseudo_labels(self, batch: Batch) -> Tensor:
        """Y^psd, changed as the images were: int64 (B, h, w), 0 background, 1..K-1 parts."""
        Y = self.made["pseudo_parts"][batch.rows.cpu()].to(batch.images.device).long()
        maps = F.one_hot(Y, self.parts + 1).movedim(-1, 1).float()[:, 1:]  # (B, K-1, h, w); no part has a side
        maps = erase_fields(change_fields(maps, batch.changes, tuple(range(self.parts))), batch.changes)
        return torch.where(maps.amax(1) < 0.5, 0, 1 + maps.argmax(1))

    # 3.2.2 losses

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        f, scores = self.vectors(batch)
        L_id = [smoothed_cross_entropy(self.necks[name](f[name]), batch.pid, self.smoothing) for name in f]  # Eq. 11
        L_pair = [multi_similarity(f[name], batch.pid, **self.pairs) for name in f]  # Eq. 13
        terms = {"identity": torch.stack(L_id).sum(), "pair": self.pair_weight * torch.stack(L_pair).sum()}
        if scores is not None:
            L_psd = F.cross_entropy(scores, self.pseudo_labels(batch))  # Eq. 14, mean over images and pixels
            if self.part_loss == "sum":
                L_psd = L_psd * scores[0, 0].numel()
            terms["parts"] = self.part_weight * L_psd
        return terms

    # 3.3 inference

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """f^final of Eq. 16: the vectors after their batch norms, side by side; (B, 1, D), (B, 1)."""
        f, _ = self.vectors(inputs)
        final = torch.cat([cast(BNNeck, self.necks[name]).norm(vector) for name, vector in f.items()], 1)
        return final[:, None], torch.ones(len(final), 1, device=final.device)

    def part_names(self) -> tuple[str, ...]:
        return ("person",)

    def maps(self, inputs: Inputs) -> Tensor:
        """Where the network sees the person, all parts together: (B, 1, h, w)."""
        if "parts" not in self.streams:
            return super().maps(inputs)
        _, scores = self.dense(inputs.images)
        return 1 - scores.softmax(1)[:, :1]


class Fork(nn.Module):
    """f_1, f_21 and f_22: a backbone's front, and its tail twice, with weights of their own."""

    def __init__(self, backbone: str):
        super().__init__()
        whole = backbones.build(backbone)
        self.channels = whole.channels
        self.front, self.tail_1 = whole.split()
        _, self.tail_2 = backbones.build(backbone).split()

    def load_imagenet(self, backbone: str) -> None:
        """The same published weights for both tails."""
        whole = backbones.build(backbone)
        backbones.load_imagenet(whole, backbone)
        front, tail = whole.split()
        self.front.load_state_dict(front.state_dict())
        for own in (self.tail_1, self.tail_2):
            own.load_state_dict(tail.state_dict())


def band(energy: Tensor, count: int) -> Tensor:
    """The `count` rows one below the other that have the most energy together: (B, h) -> bool (B, h)."""
    start = energy.unfold(1, count, 1).sum(2).argmax(1, keepdim=True)
    row = torch.arange(energy.shape[1], device=energy.device)
    return (start <= row) & (row < start + count)


def top(energy: Tensor, count: int) -> Tensor:
    """The `count` rows with the most energy: (B, h) -> bool (B, h)."""
    return torch.zeros_like(energy, dtype=torch.bool).scatter(1, energy.topk(count, 1).indices, True)


ROWS = {"band": band, "top": top}


def _chosen(given: Sequence[str], known: tuple[str, ...], key: str) -> tuple[str, ...]:
    """The given names in the order of `known`. UserError for another name, or a string in place of a list."""
    if isinstance(given, str):
        raise UserError(f"{key} is a list of {', '.join(known)}, found {given!r}")
    for name in given:
        choose(dict.fromkeys(known), name, f"stream ({key})")
    return tuple(name for name in known if name in given)
