"""Training the network of partreid.tools.body_parts. Only stages/body_parts.py does; the tool needs no torch.

Loss: cross-entropy of the seven classes and a soft Dice loss of the person (Milletari et al., "V-Net", 3DV 2016), and,
of each joint's map, binary cross-entropy with a Gaussian of one cell where the joint is seen, and nothing where it is
hidden, cells on a joint weighing more. AdamW with a cosine schedule. Batch normalisation (Ioffe and Szegedy, ICML 2015)
after every convolution while it trains; `folded` makes it part of the weights.

Rendered people are not real ones: so that nothing rests on one source of evidence, each is now and then taken away from
an image, features are scaled by chance, colours and brightness are changed.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from partreid.tools.body_parts import CLASSES, FEATURES, IMAGE, INPUTS, PERSON, SAID, graph, sizes
from partreid.tools.evidence import GRID

RATE, DECAY, WARM, BATCH = 4e-3, 0.02, 60, 16
DICE, SEEN, ON_JOINT = 0.3, 6.0, 25.0  # weights of the losses, and of a cell on a joint
SMOOTH = 50.0  # cells, in the Dice loss
EPSILON = 1e-5  # of the normalisation
AWAY = ((IMAGE, 0.15), (SAID, 0.08), (PERSON, 0.12), (FEATURES, 0.06))  # how often a source is taken away
SCALED = 0.15  # logarithm of a feature's factor: standard deviation
COLOUR, SHIFT = 0.25, 0.35  # of the normalised image's channels: factor's logarithm, shift


class Trainable(nn.Module):
    """The network's graph with weights to train, NCHW: inputs by name -> classes (B, CLASSES, 128, 64), joints' logits.

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

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
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
        return F.pixel_shuffle(out[:, : 4 * CLASSES], 2), out[:, 4 * CLASSES :]

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


def loss(classes: Tensor, seen: Tensor, parsing: Tensor, joints: Tensor) -> Tensor:
    """See the module's docstring. classes, seen: logits; parsing: int (B, 128, 64); joints: `targets`."""
    person, true = 1 - classes.softmax(1)[:, 0], (parsing > 0).float()
    both, either = (person * true).sum((1, 2)), (person + true).sum((1, 2))
    dice = 1 - (2 * both + SMOOTH) / (either + SMOOTH)
    heat = F.binary_cross_entropy_with_logits(seen, joints, weight=1 + ON_JOINT * joints)
    return F.cross_entropy(classes, parsing) + DICE * dice.mean() + SEEN * heat


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
    result = {name: values * factor[name].to(values.dtype)[..., None, None] for name, values in inputs.items()}
    result["fine"] += shift.to(result["fine"].dtype)[..., None, None]
    return result


def train(
    inputs: Mapping[str, np.ndarray], parsing: np.ndarray, joints: np.ndarray, steps: int, seed: int
) -> Trainable:
    """The trained network. inputs: name of INPUTS -> (n, h, w, C); parsing uint8 (n, 128, 64); joints: `targets`."""
    torch.manual_seed(seed)
    random, order = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    network = Trainable().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    every = {name: torch.from_numpy(inputs[name]) for name in INPUTS}
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM) * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = order.choice(len(parsing), BATCH, replace=False)
        given = {name: values[rows].to(torch.bfloat16).permute(0, 3, 1, 2) for name, values in every.items()}
        with torch.autocast("cpu", torch.bfloat16):
            classes, seen = network(disturbed(given, random))
        true, where = torch.from_numpy(parsing[rows]).long(), torch.from_numpy(joints[rows]).float()
        value = loss(classes.float(), seen.float(), true, where)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {value.item():.3f}", flush=True)
    return network.eval()
