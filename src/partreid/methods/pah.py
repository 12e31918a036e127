"""PAH-Net: global, local body part and head streams for long-term person re-identification.

Tran Thanh, Lee, Kang: "Enhancing Long-Term Person Re-Identification Using Global, Local Body Part, and Head Streams",
2024, https://arxiv.org/abs/2403.02892. In the paper's order: global stream (section 3.1.1, Eq. 1-4), local body part
stream (3.1.2, Eq. 5-7), head stream (3.1.3), pseudo-labels (3.2.1, Eq. 8-9, in partreid.labels.pseudo_parts), losses
(3.2.2, Eq. 10-15), inference (3.3, Eq. 16-17, the distance "cosine").

Where the paper is silent, no code of its authors decides. We follow LightMBN (Herzog et al., 2021), which has the same
OSNet half, schedule and kinds of loss, and ISP (Zhu et al., 2020), which has the same clustering:
- the optimiser is Adam with weight decay 5e-4; batch norms have no learned shift, classifiers no bias;
- pseudo-labels come from un-augmented images, by the network in test mode, and follow the image's flip, shift (if
  `pad` asks for one; the paper lists flip and random erasing) and erasing: an erased place shows background;
- Eq. 11 has no label smoothing (LightMBN: `smoothing: 0.1`), Eq. 16 no features of flipped images (LightMBN adds them);
- f_AE in a stream without erasing (Table 5) is the plain maximum, so that seven vectors remain.
Where the paper disagrees with itself:
- OSNet is cut "up to the first layer of the third block", as Figure 3 shows, which has 96 channels; yet F_1 has 384,
  which come out of the whole first block of conv3. We cut there, as LightMBN does;
- Eq. 3 erases one row, the text a third of the rows: a third. `erase_rows: band`, our default, as Figures 4 and 6 look,
  takes the neighbouring rows that have most energy together; `top` the rows of most energy wherever they lie (LightMBN
  ranks rows by their largest place instead). Eq. 4 and 16 erase at test too, our default; `erase_at_test: false` is
  LightMBN's;
- Table 7 counts 32.6 M parameters without head detection; the network of the text has 37.5 M without its classifiers.
  HRNet-W32 without the four modules (29.3 M) and a single OSNet stream (3.3 M) have 32.6 M, as if the head stream had
  not been counted.
Where we differ from the paper:
- the pair-based loss compares unit vectors: with scalar products of vectors as they are, exp(40 s) would overflow. Its
  constants, not given, are α1 = 2, α2 = 40, λ = 0.5, and it mines with a margin of 0.7 (`mining: 2` takes all pairs,
  as Eq. 13 does);
- Eq. 14 sums over the pixels. With λ_psd = 0.1 only ISP's mean is in scale with the other losses, our default;
  `part_loss: sum` is the paper's;
- the two final convolutions after HRNet's concatenation are left out: the concatenation has the 1920 channels already
  when the four modules of HRNet's classifier stand before it, and only so all its ImageNet weights find a place;
- heads come from whatever `labels.heads.tool` names; the paper's is DensePose.

Heads. The box is the `heads` label's, with that label's `margin`; it is cut from the original image, resized to the
input size, flipped with the image and erased where the image is. The paper does not say what happens where no head was
found: here the upper quarter of the network's input, in the middle half of its width, stands in, which is where heads
mostly are.

Table 4. The streams share neither weights nor losses, so a training of some of them is a part of a training of all, and
the table's rows can be seven tests of one network: `at_test.pah.streams` says whose vectors f^final has. A test without
the head stream needs no heads. `methods.pah.streams` trains fewer of them, in less time.

Beyond the paper, `head_box: own` needs no head detector at test time: the head is one more part that the local body
part stream finds. Training goes on with the label's crops and teaches W_head, a batch norm and a 1x1 convolution on
F^dense (which learns nothing from it), where their boxes are: a softmax over all places, uniform inside the box. A test
cuts the head from the network's input. (P^part_1, the topmost of the parts found without labels, is no head: in our
pictures it is often head and shoulders, or background.)
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partreid import backbones
from partreid.backbones.base import Backbone
from partreid.backbones.fork import Fork
from partreid.errors import UserError, choose, positive
from partreid.inputs.augmentation import change_fields, erase_fields
from partreid.inputs.batch import Batch, Inputs
from partreid.labels.pseudo_parts import part_maps
from partreid.layers import crops, shares
from partreid.layers.constants import constant
from partreid.losses.identity import BNNeck, smoothed_cross_entropy
from partreid.losses.multi_similarity import multi_similarity
from partreid.methods.base import Method, Persons

STREAMS = ("global", "parts", "head")
POOLED = ("GMP", "AE", "GAP")  # of the global and the head stream, in the order of Eq. 16
NO_HEAD = (0.25, 0.0, 0.75, 0.25)  # x0, y0, x1, y1 of what stands in for a head, in shares of width and height
HEAD_RATE = 5.0  # of the learning rate, for W_head
# images whose dense features are computed together for clustering; a GPU takes several persons' as far as these fill it
AT_ONCE = {"cpu": 32, "cuda": 128}


class PAH(Method):
    """Seven vectors of one image: f^gGMP, f^gAE, f^gGAP, f^l, f^hGMP, f^hAE, f^hGAP.

    backbone: of the global and the head stream, one that can be split. part_backbone: of the local body part stream.
    parts: K - 1, without the background. streams: which of STREAMS there are. erase_in: the streams with
    adversarial erasing (Table 5). erase_rows, erase_at_test, part_loss, head_box: see the module's docstring.
    pair_weight, part_weight: λ_pair and λ_psd of Eq. 15. alpha_positive, alpha_negative, margin: α1, α2 and λ of
    Eq. 13. mining: margin of its mining. smoothing: of the identity labels, 0 in Eq. 11.
    """

    labels: tuple[str, ...] = ("heads",)
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
        self.rows_to_erase = choose(ROWS, erase_rows, "rule of erasing (erase_rows)")
        self.erase_at_test = erase_at_test
        own_box = choose({"label": False, "own": True}, head_box, "source of boxes (head_box)")
        self.finds_head = own_box and "head" in self.streams
        if self.finds_head and "parts" not in self.streams:
            raise UserError("head_box is own, but streams has no parts, which the head's box is read off")
        self.part_loss = choose({"mean": "mean", "sum": "sum"}, part_loss, "reduction (part_loss)")
        if "head" not in self.streams:
            self.labels = ()
        self.part_backbone, self.parts = part_backbone, positive(parts, "parts")
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
        if self.finds_head:  # after all others, so that these start and train as they do without
            C = self.W_part.in_channels
            self.W_head = nn.Sequential(nn.BatchNorm2d(C, affine=False), nn.Conv2d(C, 1, 1, bias=False))
        self.pair_weight, self.part_weight = pair_weight, part_weight
        self.pairs = {"alpha_positive": alpha_positive, "alpha_negative": alpha_negative, "margin": margin}
        self.mining, self.smoothing = mining, smoothing
        self.classifiers = {"identity": len(self.necks)}
        self.made = {} if "parts" in self.streams else {"pseudo_parts": torch.zeros(0, 1, 1, dtype=torch.uint8)}
        self.use()

    def load_initial(self, backbone: str) -> None:
        """ImageNet weights for every stream."""
        for network in self.backbone.values():
            if isinstance(network, Fork):
                network.load_imagenet(backbone)
            else:
                backbones.load_imagenet(cast(Backbone, network), self.part_backbone)

    def early(self) -> list[nn.Module]:
        """Of every stream."""
        return [layer for network in self.backbone.values() for layer in cast(Fork | Backbone, network).early()]

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """What finds the head is a single layer on features that do not wait for it, and learns faster."""
        of = {name: p for name, p in self.named_parameters() if name.startswith("W_head.")}
        rest = [p for name, p in self.named_parameters() if name not in of]
        groups: list[dict[str, Any]] = [{"params": rest, "weight_decay": weight_decay}]
        return groups + [{"params": list(of.values()), "weight_decay": weight_decay, "rate": HEAD_RATE}] * bool(of)

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
        return (~self.rows_to_erase(energy, count=max(1, round(energy.shape[1] / 3)))).to(F_22)

    # 3.1.2 local body part stream

    def dense(self, images: Tensor) -> Tensor:
        """F^dense: (B, 3, H, W) -> (B, C, h, w)."""
        return self.feature_map(images, self.backbone["parts"])

    @staticmethod
    def aggregated(F_dense: Tensor, P_part: Tensor) -> Tensor:
        """f^l: Eq. 6 and 7 for every part, side by side; (B, C, h, w), (B, K, h, w) -> (B, (K - 1) C)."""
        N = F_dense.shape[2] * F_dense.shape[3]
        return torch.einsum("bkhw,bchw->bkc", P_part[:, 1:], F_dense).flatten(1) / N

    # 3.1.3 the head

    def head_images(self, inputs: Inputs, F_dense: Tensor | None) -> Tensor:
        """I^head (B, 3, H, W): the label's crop; with head_box: own, at test, what the network takes for the head."""
        if F_dense is not None and self.finds_head and not self.training:
            return crops.crop(inputs.images, self.own_boxes(F_dense))
        images, known = inputs.images, inputs.labelled["heads"]
        stand_in = crops.crop(images, constant(NO_HEAD, images.device).expand(images.shape[0], 4))
        return torch.where(known[:, None, None, None], inputs.labels["heads"], stand_in)

    def own_boxes(self, F_dense: Tensor) -> Tensor:
        """x0, y0, x1, y1 of heads in shares of the image: (B, C, h, w) -> (B, 4)."""
        score = self.W_head(F_dense)
        # the probabilities squared: of what is thinly spread over the whole image, little is left
        return crops.boxes_of((2 * score.flatten(1)).softmax(1).view_as(score[:, 0]))

    def head_loss(self, F_dense: Tensor, boxes: Tensor) -> Tensor:
        """Cross-entropy of the places of heads: boxes (B, 4) as inputs.kinds has them; 0 where there is none."""
        inside = crops.shares(boxes, (F_dense.shape[2], F_dense.shape[3])).flatten(1)  # (B, h w)
        score = self.W_head(F_dense.detach()).flatten(1).log_softmax(1)
        return -(inside * score).sum() / inside.sum().clamp_min(1)

    def vectors(self, inputs: Inputs) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        """S_pair of Eq. 12 by name, in the order of Eq. 16: (B, D) each; a test computes those it compares. With a part
        stream its F^dense (B, C, h, w) and the scores that the softmax of Eq. 5 takes (B, K, h, w), background first.
        """
        streams = self.streams if self.training else self.compared
        f: dict[str, Tensor] = {}
        F_dense = scores = None
        if "global" in streams:
            f |= self.pooled("global", inputs.images)
        if "parts" in streams or (self.finds_head and "head" in streams):
            F_dense = self.dense(inputs.images)
        if F_dense is not None and "parts" in streams:
            scores = self.W_part(F_dense)
            f["parts"] = self.aggregated(F_dense, scores.softmax(1))
        if "head" in streams:
            f |= self.pooled("head", self.head_images(inputs, F_dense))
        return f, F_dense, scores

    # 3.2.1 pseudo-labels

    @torch.no_grad()
    def begin_epoch(self, epoch: int, persons: Persons) -> None:  # noqa: ARG002  every epoch, the first too
        """Label every training image anew with the network as it is."""
        if "parts" not in self.streams:
            return
        labels = shares.from_first(lambda: self.clustered(persons), self.W_part.weight.device)
        before = self.made.get("pseudo_parts")
        if before is not None and before.shape == labels.shape and before.device == labels.device:
            before.copy_(labels)  # a CUDA graph reads them where they were
        else:
            self.made = {"pseudo_parts": labels}

    def clustered(self, persons: Persons) -> Tensor:
        """Pseudo-labels of all training images, uint8 (N, h, w), made with one identity in memory at a time, or, on a
        GPU, as many as it takes at once."""
        device, training = self.W_part.weight.device, self.training
        self.eval()
        found: dict[int, Tensor] = {}
        for some in gathered(persons, AT_ONCE["cuda"] if device.type == "cuda" else 1):
            dense = self.places(torch.cat([images for _, images in some]), device)
            for (rows, _), own in zip(some, dense.split([len(rows) for rows, _ in some]), strict=True):
                found |= dict(zip(rows.tolist(), part_maps(own, self.parts), strict=True))
        self.train(training)
        return torch.stack([found[row] for row in range(len(found))])

    def places(self, images: Tensor, device: torch.device) -> Tensor:
        """F^dense of images (n, 3, H, W) on the host: (n, h, w, C) on the device, in one tensor from the start."""
        dense, done, at_once = torch.empty(0), 0, AT_ONCE[device.type]
        for some in images.split(at_once):
            given = some.to(device, memory_format=torch.channels_last)
            if device.type == "cuda":  # one shape for all: cuDNN plans anew for every other
                given = torch.cat([given, given[:1].expand(at_once - len(some), -1, -1, -1)])
            piece = self.dense(given)[: len(some)].movedim(1, -1)
            if not done:
                dense = piece.new_empty(len(images), *piece.shape[1:])
            dense[done : done + len(piece)] = piece
            done += len(piece)
        return dense

    def pseudo_labels(self, batch: Batch) -> Tensor:
        """Y^psd, changed as the images were: int64 (B, h, w), 0 background, 1..K-1 parts."""
        Y = self.made["pseudo_parts"][batch.rows].long()
        parts = torch.arange(1, self.parts + 1, device=Y.device)[:, None, None]
        maps = (Y[:, None] == parts).float()  # (B, K-1, h, w); no part has a side
        maps = erase_fields(change_fields(maps, batch.changes), batch.changes)
        return torch.where(maps.amax(1) < 0.5, 0, 1 + maps.argmax(1))

    # 3.2.2 losses

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        f, F_dense, scores = self.vectors(batch)
        L_id = [smoothed_cross_entropy(self.necks[name](f[name]), batch.pid, self.smoothing) for name in f]  # Eq. 11
        L_pair = [multi_similarity(f[name], batch.pid, **self.pairs, mining=self.mining) for name in f]  # Eq. 13
        terms = {"identity": torch.stack(L_id).sum(), "pair": self.pair_weight * torch.stack(L_pair).sum()}
        if scores is not None:
            L_psd = F.cross_entropy(scores, self.pseudo_labels(batch))  # Eq. 14, mean over images and pixels
            if self.part_loss == "sum":
                L_psd = L_psd * scores[0, 0].numel()
            terms["parts"] = self.part_weight * L_psd
        if F_dense is not None and self.finds_head:
            terms["head"] = self.head_loss(F_dense, batch.labels["head_boxes"])
        return terms

    # 3.3 inference

    def use(self, *, streams: Sequence[str] = STREAMS) -> None:
        """streams: whose vectors a test compares (Table 4), as far as methods.pah.streams has them."""
        chosen = _chosen(streams, STREAMS, "at_test.pah.streams")
        self.compared = tuple(name for name in chosen if name in self.streams)
        if not self.compared:
            raise UserError(
                f"at_test.pah.streams is [{', '.join(chosen)}], and the network has {', '.join(self.streams)} alone; "
                "name one of these, or train others (methods.pah.streams)"
            )
        self.labels_at_test = ("heads",) if "head" in self.compared and not self.finds_head else ()

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """f^final of Eq. 16: the compared streams' vectors after their batch norms, side by side; (B, 1, D), (B, 1)."""
        f, *_ = self.vectors(inputs)
        final = torch.cat([cast(BNNeck, self.necks[name]).norm(vector) for name, vector in f.items()], 1)
        return final[:, None], final.new_ones(final.shape[0], 1)

    def part_names(self) -> tuple[str, ...]:
        return ("person",)

    def maps(self, inputs: Inputs) -> Tensor:
        """Where the network sees the person, all parts together: (B, 1, h, w)."""
        if "parts" not in self.compared:
            return super().maps(inputs)
        return 1 - self.W_part(self.dense(inputs.images)).softmax(1)[:, :1]


def gathered(persons: Persons, most: int) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Persons in groups of at most so many images, in order; who has more is alone."""
    group: list[tuple[Tensor, Tensor]] = []
    for person in persons:
        if group and sum(len(rows) for rows, _ in [*group, person]) > most:
            yield group
            group = []
        group.append(person)
    if group:
        yield group


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
    """The given names in the order of `known`. UserError for another name, or something else than a list."""
    if not isinstance(given, list | tuple):
        raise UserError(f"{key} is a list of {', '.join(known)}, found {given!r}")
    for name in given:
        choose(dict.fromkeys(known), name, f"stream ({key})")
    return tuple(name for name in known if name in given)
