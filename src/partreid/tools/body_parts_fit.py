"""Training the network of partreid.tools.body_parts. Only stages/body_parts.py does; the tool needs no torch.

Loss: cross-entropy of the seven classes and a soft Dice loss of the person (Milletari et al., "V-Net", 3DV 2016), and,
of each joint's map, binary cross-entropy with a Gaussian of one cell where the joint is seen, and nothing where it is
hidden, cells on a joint weighing more. So that left and right are not exchanged: where the left or the right joint of a
pair is seen, cross-entropy of which of the two maps is the stronger; and in each cell of the person, of whether the
left shoulder is to the right of the right one, as of people who are seen from the front.

AdamW; the rate falls as a cosine, and again from AGAIN of it in every further cycle (Loshchilov and Hutter, "SGDR",
ICLR 2017). Batch normalisation (Ioffe and Szegedy, ICML 2015) after every convolution while it trains; `folded` makes
it part of the weights.

Rendered people are not real ones: so that nothing rests on one source of evidence, each is now and then taken away from
an image, features are scaled by chance, colours and brightness are changed. MoveNet and BlazePose exchange left and
right; so that the image decides, MoveNet's features are now and then taken away and the sides of what either says
exchanged or not by chance. And these people are hidden far more often than those of photographs: whoever learns that
takes folds and stripes for something in front. So in all cycles but the first most scenes are such in which BlazePose's
mask is right, as it mostly is on photographs; and the weights are a mean of those at the end and of early ones
(`averaged`; Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, take such a mean for other pictures
than those of the training). Of 232 photographs, the end's alone lost more than 15 % of what BlazePose and the network
before this one both took for body in 9 %, the mean in 5 %; person IoU of hidden rendered people fell by 0.005.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.body.skeleton import KEYPOINT_MIRROR, KEYPOINTS
from partreid.errors import UserError
from partreid.storage.files import whole
from partreid.tools.body_parts import (
    BLAZEPOSE,
    CLASSES,
    FEATURES,
    IMAGE,
    INPUTS,
    JOINTS,
    MOVENET,
    PERSON,
    SAID,
    graph,
    sizes,
)
from partreid.tools.body_parts import fine as whole_cells
from partreid.tools.evidence import GRID

RATE, DECAY, WARM, BATCH = 4e-3, 0.02, 60, 16
DICE, SEEN, ON_JOINT = 0.3, 6.0, 25.0  # weights of the losses, and of a cell on a joint
AGAIN = 0.5  # of the rate, at the start of each further cycle
RIGHT, PLAIN = 0.8, 0.75  # IoU from which on a mask is right; share of such scenes in cycles after the first
SIDES, FRONT = 0.15, 0.15  # weights of the losses of left and right, and of being seen from the front
CLEAR = 0.25  # torso lengths: as far as the shoulders lie apart across, it is clear which is on which side
SMOOTH = 50.0  # cells, in the Dice loss
EARLY, EARLIER = 2500, 0.3  # the step after which the early weights are taken, and their share in the mean
KEPT = 500  # steps after which the half-trained network is kept
EPSILON = 1e-5  # of the normalisation
AWAY = ((IMAGE, 0.15), (SAID, 0.08), (PERSON, 0.12), (FEATURES, 0.06))  # how often a source is taken away
BLIND = 0.12  # how often MoveNet's features are away and the sides left to chance
SCALED = 0.15  # logarithm of a feature's factor: standard deviation
COLOUR, SHIFT = 0.25, 0.35  # of the normalised image's channels: factor's logarithm, shift


class Trainable(nn.Module):
    """The network's graph with weights to train, NCHW: inputs by name -> logits (see partreid.tools.body_parts).

    Of classes (B, CLASSES, 128, 64), of joints (B, JOINTS, *GRID) and of being seen from the front (B, *GRID).

    Weights start as of He et al. (ICCV 2015).
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps, kernels = graph()
        self.sizes = {name: tuple(value.tolist()) for name, value in sizes().items()}
        self.kernels = kernels
        self.convolutions, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for name, kernel in kernels.items():
            bare = not kernel.relu  # the last one
            convolution = nn.Conv2d(kernel.inputs, kernel.outputs, kernel.size, kernel.stride, bias=bare)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            self.convolutions[_key(name)] = convolution
            if not bare:
                self.norms[_key(name)] = nn.BatchNorm2d(kernel.outputs, EPSILON)

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        known = dict(inputs)
        for step in self.steps:
            first = known[step.inputs[0]]
            if step.kind == "AddV2":
                known[step.name] = first + known[step.inputs[1]]
            elif step.kind == "ResizeBilinear":
                known[step.name] = F.interpolate(first, self.sizes[step.inputs[1]], mode="bilinear")
            else:
                known[step.name] = self._convolve(step.name, first)
        out = known["out"]
        return F.pixel_shuffle(out[:, : 4 * CLASSES], 2), out[:, 4 * CLASSES : -1], out[:, -1]

    def _convolve(self, name: str, image: Tensor) -> Tensor:
        kernel = self.kernels[name]
        if kernel.size == 3:  # TensorFlow's SAME
            image = F.pad(image, (1, 1, 1, 1) if kernel.stride == 1 else (0, 1, 0, 1))
        image = self.convolutions[_key(name)](image)
        return F.relu(self.norms[_key(name)](image)) if kernel.relu else image


def folded(network: Trainable) -> dict[str, np.ndarray]:
    """The trained weights as partreid.tools.body_parts reads them: <name>/kernel (h, w, in, out) and /bias, float16."""
    made = {}
    state = {name: values.detach() for name, values in network.state_dict().items()}
    for name, kernel in network.kernels.items():
        weight = state[f"convolutions.{_key(name)}.weight"]
        if kernel.relu:
            norm = f"norms.{_key(name)}."
            scale = state[f"{norm}weight"] / torch.sqrt(state[f"{norm}running_var"] + EPSILON)
            weight = weight * scale[:, None, None, None]
            bias = state[f"{norm}bias"] - state[f"{norm}running_mean"] * scale
        else:
            bias = state[f"convolutions.{_key(name)}.bias"]
        made[f"{name}/kernel"] = np.ascontiguousarray(weight.permute(2, 3, 1, 0).numpy().astype(np.float16))
        made[f"{name}/bias"] = bias.numpy().astype(np.float16)
    return made


def averaged(early: Mapping[str, np.ndarray], late: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean of two such weights, float16, EARLIER of it the first's."""
    first, last = ({name: values.astype(np.float32) for name, values in each.items()} for each in (early, late))
    return {name: (EARLIER * first[name] + (1 - EARLIER) * last[name]).astype(np.float16) for name in last}


def _key(name: str) -> str:
    return name.replace("/", "_")  # torch's names of modules


def targets(keypoints: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Keypoints (n, 17, 3) in images of sizes (n, 2), height and width -> what the joints' maps should be, float16.

    (n, JOINTS, *GRID); all zeros for a joint that is hidden.
    """
    rows, columns = (np.arange(cells) + 0.5 for cells in GRID)
    x = keypoints[..., 0] * GRID[1] / sizes[:, 1:]
    y = keypoints[..., 1] * GRID[0] / sizes[:, :1]
    across, down = np.exp(-((columns - x[..., None]) ** 2) / 2), np.exp(-((rows - y[..., None]) ** 2) / 2)
    return (down[..., None] * across[:, :, None] * (keypoints[..., 2, None, None] > 0)).astype(np.float16)


def front(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints (n, 17, 3) -> is the left shoulder to the right of the right one: 1, no: 0, hardly either: between."""
    left, right = (keypoints[:, KEYPOINTS.index(f"{side}_shoulder"), :2] for side in ("left", "right"))
    hips = sum(keypoints[:, KEYPOINTS.index(f"{side}_hip"), :2] for side in ("left", "right")) / 2
    torso = np.linalg.norm((left + right) / 2 - hips, axis=-1)
    return (0.5 + (left - right)[:, 0] / (2 * CLEAR * np.maximum(torso, EPSILON))).clip(0, 1).astype(np.float32)


def truth(parsing: np.ndarray, keypoints: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """What is learnt from: `parsing`, uint8 (n, 128, 64), `joints`, see `targets`, and `front`."""
    return {"parsing": parsing, "joints": targets(keypoints, sizes), "front": front(keypoints)}


def loss(said: tuple[Tensor, Tensor, Tensor], true: Mapping[str, Tensor]) -> Tensor:
    """See the module's docstring. said: what `Trainable` gives; true: a batch of `truth`, parsing int, others float."""
    classes, seen, side = said
    parsing, joints = true["parsing"], true["joints"]
    person, body = 1 - classes.softmax(1)[:, 0], (parsing > 0).float()
    both, either = (person * body).sum((1, 2)), (person + body).sum((1, 2))
    dice = 1 - (2 * both + SMOOTH) / (either + SMOOTH)
    heat = F.binary_cross_entropy_with_logits(seen, joints, weight=1 + ON_JOINT * joints)
    here = F.avg_pool2d(body[:, None], 2)[:, 0]
    faces = F.binary_cross_entropy_with_logits(side, true["front"][:, None, None].expand_as(side), weight=here)
    return (
        F.cross_entropy(classes, parsing)
        + DICE * dice.mean()
        + SEEN * heat
        + SIDES * sides(seen, joints)
        + FRONT * faces / here.mean().clamp(min=EPSILON)
    )


def sides(seen: Tensor, joints: Tensor) -> Tensor:
    """Cross-entropy of which of a left and a right joint a cell shows, of cells that show one more than the other."""
    more = joints[:, 1::2] - joints[:, 2::2]
    believed = seen[:, 1::2] - seen[:, 2::2]
    weight = more.abs()
    return (weight * F.softplus(-believed * more.sign())).sum() / weight.sum().clamp(min=1)


def disturbed(inputs: Mapping[str, Tensor], random: torch.Generator) -> dict[str, Tensor]:
    """The inputs of a batch, (B, C, h, w) each, every channel of every image times a factor and plus a shift.

    By chance; see the module's docstring.
    """
    images = len(inputs["fine"])
    factor = {
        name: torch.exp(SCALED * torch.randn(images, shape[-1], generator=random)) for name, shape in INPUTS.items()
    }
    fine, shift = factor["fine"], torch.zeros(images, INPUTS["fine"][-1])
    colours, places = IMAGE.stop // 4, (images, IMAGE.stop // 4, 4)  # one change for the four quarters of a colour
    change = torch.exp(COLOUR * torch.randn(images, colours, 1, generator=random))
    fine[:, IMAGE] = change.expand(places).flatten(1)
    shift[:, IMAGE] = SHIFT * torch.randn(images, colours, 1, generator=random).expand(places).flatten(1)
    fine[:, SAID] = fine[:, SAID.start, None].clone()
    fine[:, PERSON] = 1
    for channels, share in AWAY:
        kept = torch.rand(images, 1, generator=random) >= share
        fine[:, channels] *= kept
        shift[:, channels] *= kept
    for name in ("middle", "coarse"):
        factor[name] *= torch.rand(images, 1, generator=random) >= AWAY[-1][1]
    blind = torch.rand(images, generator=random) < BLIND
    fine[blind, FEATURES] = 0
    factor["middle"][blind] = factor["coarse"][blind] = 0
    result = {name: values * factor[name].to(values.dtype)[..., None, None] for name, values in inputs.items()}
    result["fine"] += shift.to(result["fine"].dtype)[..., None, None]
    for channels in (MOVENET, BLAZEPOSE):
        turned = blind & (torch.rand(images, generator=random) < 0.5)
        result["fine"][turned] = result["fine"][turned][:, exchanged(channels)]
    return result


def exchanged(channels: slice) -> list[int]:
    """Numbers of the finest input's channels, those of left and right joints in `channels`, some of SAID, exchanged."""
    numbers = list(range(INPUTS["fine"][-1]))
    for start in range(channels.start, channels.stop, JOINTS):
        numbers[start : start + JOINTS] = [start + k for k in KEYPOINT_MIRROR]
    return numbers


def train(
    inputs: Mapping[str, np.ndarray],
    true: Mapping[str, np.ndarray],
    cycles: Sequence[int],
    seed: int,
    half: Path | None = None,
    early: Path | None = None,
) -> Trainable:
    """The trained network. inputs: name of INPUTS -> (n, h, w, C); true: `truth`; half: a file to go on from.

    early: where the weights after EARLY steps go, as `folded`. cycles: how many steps each has. Every step's choices
    hang on the seed and its number alone, so a training that goes on ends as one that never stopped.
    """
    torch.manual_seed(seed)
    network = Trainable().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
    network.train()
    rates = schedule(cycles)
    steps = len(rates)
    plain = likely(inputs["fine"], true["parsing"]) if len(cycles) > 1 else None
    for step in range(resumed(network, optimizer, half, cycles), steps):
        random, order = torch.Generator().manual_seed(steps * seed + step), np.random.default_rng([seed, step])
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        rows = np.sort(order.choice(len(true["front"]), BATCH, replace=False, p=plain if step >= cycles[0] else None))
        given = {name: torch.from_numpy(inputs[name][rows]).to(torch.bfloat16).permute(0, 3, 1, 2) for name in INPUTS}
        with torch.autocast("cpu", torch.bfloat16):
            classes, seen, side = network(disturbed(given, random))
        batch = {name: torch.from_numpy(values[rows]).float() for name, values in true.items()}
        value = loss((classes.float(), seen.float(), side.float()), {**batch, "parsing": batch["parsing"].long()})
        if not torch.isfinite(value):
            raise UserError(f"step {step + 1} of {steps}: the loss is {value.item()}; other grids, or a lower RATE")
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {value.item():.3f}", flush=True)
        if early and step == EARLY - 1:
            with whole(early) as temporary:
                save_file(folded(network), temporary)
        if half and step % KEPT == KEPT - 1:
            with whole(half) as temporary:
                torch.save(
                    {
                        "step": step + 1,
                        "cycles": list(cycles),
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                    },
                    temporary,
                )
    return network.eval()


def likely(fine: np.ndarray, parsing: np.ndarray) -> np.ndarray:
    """How probable each scene is in a batch, (n,): those in which BlazePose's mask is right, all together, PLAIN."""
    right = np.empty(len(fine), bool)
    for number, (maps, body) in enumerate(zip(fine[..., PERSON], parsing > 0, strict=True)):
        mask = whole_cells(maps)[..., 0] > 0
        right[number] = (mask & body).sum() >= RIGHT * max((mask | body).sum(), 1)
    if right.all() or not right.any():
        return np.full(len(right), 1 / len(right))
    return np.where(right, PLAIN / right.sum(), (1 - PLAIN) / (~right).sum())


def schedule(cycles: Sequence[int]) -> list[float]:
    """The learning rate of each step; see the module's docstring. The first WARM steps warm up."""
    rates = [
        RATE * AGAIN**number * 0.5 * (1 + math.cos(math.pi * step / steps))
        for number, steps in enumerate(cycles)
        for step in range(steps)
    ]
    return [rate * min(1, (step + 1) / WARM) for step, rate in enumerate(rates)]


def resumed(network: Trainable, optimizer: torch.optim.Optimizer, half: Path | None, cycles: Sequence[int]) -> int:
    """How many steps the training that `half` keeps has done, whose state the two take; 0 where there is none."""
    if not (half and half.is_file()):
        return 0
    kept = torch.load(half, weights_only=True)
    shapes = {name: values.shape for name, values in network.state_dict().items()}
    if kept["cycles"] != list(cycles) or {name: values.shape for name, values in kept["network"].items()} != shapes:
        raise UserError(f"{half} keeps the training of another network or of other steps, {kept['cycles']}; delete it")
    network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    return kept["step"]
