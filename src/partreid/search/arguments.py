"""The arguments that all programs which search a gallery share."""

import argparse
from collections.abc import Collection
from pathlib import Path

from partreid.errors import UserError, choose
from partreid.program import at_least

INDEXES = ("auto", "whole", "exact", "approximate")
SHORTLIST = 500  # images that are re-scored


def add(parser: argparse.ArgumentParser, indexes: Collection[str], gallery_required: bool) -> None:
    """Add them. indexes: those that the program knows."""
    gallery = "a folder of images, or an embeddings file (.npz, .parquet)"
    parser.add_argument("--gallery", type=Path, required=gallery_required, help=gallery)
    parser.add_argument("--weights", type=Path, help="runs/<model>-<dataset>/weights.safetensors")
    parser.add_argument("--index", default="auto", help=", ".join(indexes))
    parser.add_argument("--shortlist", type=at_least(1), default=SHORTLIST, help="images that are re-scored")
    parser.add_argument("--false-match-rate", type=float, default=0.001, help="of the threshold, a share")
    parser.add_argument("--out", type=Path, default=Path("results/search"))


def check(given: argparse.Namespace, indexes: Collection[str], least: int) -> None:
    """UserError for what cannot be. least: images that the short list must hold."""
    choose(dict.fromkeys(indexes), given.index, "index (--index)")
    if given.shortlist < least:
        raise UserError(f"--shortlist is no less than the images shown, {least}, found {given.shortlist}")
    if not 0 < given.false_match_rate < 1:
        raise UserError(f"--false-match-rate is a share between 0 and 1, found {given.false_match_rate}")
