"""Render an embedded data set. Usage: python stages/synthetic.py data/synthetic

The folder's name chooses the block of params.yaml: synthetic_large, or for any other name synthetic.

With --contact FILE.jpg it only draws a contact sheet of the set that is there: rows are persons, columns outfits x
cameras.
"""

import argparse
import os
import time
from pathlib import Path

from partreid import params
from partreid.drawing.contact import contact_sheet
from partreid.program import at_least, run
from partreid.storage import turn
from partreid.synthetic.render import render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("data/synthetic"))
    parser.add_argument("--processes", type=at_least(1), default=os.cpu_count() or 1, help="default: one per core")
    parser.add_argument("--contact", type=Path, metavar="FILE.jpg", help="draw this contact sheet, render nothing")
    arguments = parser.parse_args()
    if arguments.contact:
        contact_sheet(arguments.out, arguments.contact)
        print(f"{arguments.contact}: {arguments.contact.stat().st_size / 1000:.0f} kB")
        return
    name = arguments.out.name if arguments.out.name in params.RENDERED else "synthetic"
    turn.taken(params.read())
    p: params.Synthetic = getattr(params.load(), name)
    start = time.monotonic()
    render(
        arguments.out,
        seed=p.seed,
        train_identities=p.train_identities,
        test_identities=p.test_identities,
        images=p.images,
        height=p.height,
        width=p.width,
        processes=arguments.processes,
        outfits=p.outfits,
        train_images=p.train_images,
        first_test=p.first_test,
    )
    count = p.train_identities * (p.train_images or p.images) + p.test_identities * p.images
    seconds = time.monotonic() - start
    print(f"{arguments.out}: {count} images in {seconds:.0f} s ({1000 * seconds / count:.0f} ms per image)")


if __name__ == "__main__":
    run(main)
