"""The device and the arithmetic: chosen by name, applied to torch, told and recorded.

float32    everything in float32, on CUDA too: no TF32
tf32       CUDA: convolutions in TF32 (float32 with ten bits of mantissa), products of matrices in float32
bfloat16   backbones in bfloat16 under autocast; heads, distances and losses in float32, with TF32 convolutions
auto       bfloat16 on a CUDA device that computes in it, else float32
"""

import torch

from partreid.errors import UserError, choose

DEVICES = dict.fromkeys(("auto", "cpu", "cuda"))
PRECISIONS = dict.fromkeys(("auto", "float32", "tf32", "bfloat16"))


def device_of(name: str) -> torch.device:
    """auto is CUDA when there is a CUDA device, else the CPU."""
    choose(DEVICES, name, "device (train.device)")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("train.device is cuda, but torch sees no CUDA device; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def precision_of(name: str, device: torch.device) -> str:
    """The precision that a name means on a device: itself, or what `auto` is there."""
    choose(PRECISIONS, name, "precision (train.precision)")
    if name != "auto":
        return name
    cuda = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if cuda else "float32"


def apply(precision: str, device: torch.device) -> None:
    """Set torch's switches for a precision (not auto), and let cuDNN choose its kernels by trying them."""
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
