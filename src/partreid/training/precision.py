"""The device and the arithmetic: chosen by name, applied to torch, told and recorded.

    float32    everything in float32, on CUDA too: no TF32
    tf32       CUDA: convolutions in TF32 (float32 with ten bits of mantissa), products of matrices in float32
    bfloat16   backbones in bfloat16 under autocast, and MPN's first convolutions; other heads, distances and losses in
               float32, with TF32 convolutions
    auto       by rule, from the device, what it computes in, and the backbone's name, never from a timing, so that the
               same machine always gives the same result: bfloat16 on a CUDA device that computes in it; on a CPU with
               AMX or AVX512-BF16, bfloat16 for the backbones of PAYS_ON_CPU; else float32

On such a CPU bfloat16 made ResNet-50 2.8 times faster in training and 2.1 times in the test, the laptop recipe's seven
methods, on MobileNetV2, 1.1 to 1.5 times and 1.1 to 1.6 times. Others were not measured.
"""

from dataclasses import dataclass

import torch

from partreid.errors import UserError, choose
from partreid.training import cards

DEVICES = dict.fromkeys(("auto", "cpu", "cuda"))
PRECISIONS = dict.fromkeys(("auto", "float32", "tf32", "bfloat16"))
RESNETS = ("resnet50", "resnet50_bot", "resnet50_fastreid", "resnet50_stride32", "resnet50_ibn_a")
PAYS_ON_CPU = (*RESNETS, "mobilenet_v2", "mobilenet_v2_dense8")


@dataclass(frozen=True)
class Precision:
    """name: a key of PRECISIONS, not auto. why: in words."""

    name: str
    why: str

    @property
    def mixed(self) -> bool:
        """Whether backbones run in bfloat16."""
        return self.name == "bfloat16"


def device_of(name: str) -> torch.device:
    """auto is CUDA when there is a CUDA device, else the CPU. Of several jobs (training.cards) each has its own GPU."""
    choose(DEVICES, name, "device (train.device)")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("train.device is cuda, but torch sees no CUDA device; use auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if cards.jobs() == 1:
        return torch.device("cuda")
    device = torch.device("cuda", cards.own(torch.cuda.device_count()))
    torch.cuda.set_device(device)
    return device


def precision_of(name: str, device: torch.device, backbone: str) -> Precision:
    """What a precision's name means on a device for a backbone (its registered name)."""
    choose(PRECISIONS, name, "precision (train.precision)")
    if name != "auto":
        return Precision(name, "as train.precision says")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bfloat16", "the GPU computes in it")
        return Precision("tf32", "the GPU does not compute in bfloat16")
    if not cpu_computes_in_bfloat16():
        return Precision("float32", "the CPU has neither AMX nor AVX512-BF16")
    if backbone in PAYS_ON_CPU:
        return Precision("bfloat16", f"the CPU computes in it, and {backbone} is faster with it")
    why = f"on a CPU, {backbone} is not known to be faster with 16-bit numbers (bfloat16)"
    return Precision("float32", why)


def cpu_computes_in_bfloat16() -> bool:
    """Whether the CPU has instructions for it."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def apply(precision: str, device: torch.device) -> None:
    """Set torch's switches for a precision (not auto).

    cuDNN chooses its kernels by rule. To have it try them all, for every new shape, was measured: 1 % faster steps for
    one shape, paid with seconds of trials in every process, and with minutes where shapes are many, as in FSAM, whose
    branches share a batch differently each time (docs/performance.md).
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = False
