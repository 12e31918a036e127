"""Find a person: rank a gallery by photos, write search.html and search.json.

    python stages/search.py --query photo.jpg --gallery FOLDER
    python stages/search.py --query a.jpg b.jpg --gallery runs/bot-market1501/embeddings.npz

The photos show one person each, cut out. The model is that of params.yaml, or --weights. A folder's embeddings are kept
in OUT/gallery.npz, which is a gallery too. Labels that a model needs in the test (pah: heads) are made by its tool.
--index: whole compares with every image exactly, as the evaluator does; exact and approximate let faiss make a short
list that is then re-scored by the exact distance; auto is whole up to 50,000 images and approximate beyond. The
threshold is calibrated on persons that training never saw.
"""

import argparse
import shlex
import sys
from dataclasses import asdict

from partreid import params
from partreid.errors import UserError
from partreid.program import at_least, run
from partreid.search import arguments
from partreid.storage import files


def main() -> None:
    given = parsed()
    p = params.load()
    files.writable(given.out / "search.json")
    from partreid.datasets.walk import printable  # not before: torch; --help and most mistakes show without it
    from partreid.search import gallery as galleries
    from partreid.search import page
    from partreid.search.finder import search
    from partreid.search.opened import named, opened
    from partreid.storage.embeddings import joined

    asked, skipped = galleries.readable(given.query)
    if skipped:
        raise UserError(f"cannot search by {skipped[0][0]}: {skipped[0][1]}")
    here = opened(given, p)
    gallery, trained = here.gallery, here.trained
    query = joined(galleries.embedded(trained, asked, p, here.device))
    hits = search(query, gallery, trained.method.distance, here.kind, given.top, given.shortlist)
    limit, told = here.threshold(given.false_match_rate, {photo["sha1"] for photo in asked})

    found = page.answers(asked, hits, gallery, None if limit is None else limit.distance)
    about = {**here.about(given.gallery, given.shortlist), "images_that_trained": here.known}
    result = {**about, "threshold": None if limit is None else asdict(limit)}
    files.write_json(given.out / "search.json", {**result, "queries": [asdict(answer) for answer in found]})
    html = page.render(here.subtitle, found, told, named(about), shlex.join(["python", *sys.argv]))
    files.write_text(given.out / "search.html", html)

    print(told)
    for answer in found:
        print(printable(str(answer.path)))
        if all(hit.distance is None for hit in answer.found):
            print("  warning: can be compared with nothing: no gallery image shows a part that this photo shows")
        for hit in answer.found[:5]:
            same = " the photo itself" if hit.itself else " same" if hit.same else ""
            far = "inf" if hit.distance is None else f"{hit.distance:.4f}"
            print(f"  {hit.rank:2d}  {far}  {printable(hit.name)}{same}")
    print(f"wrote {given.out}/search.html and search.json")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--query", nargs="+", required=True, help="image files")
    parser.add_argument("--top", type=at_least(1), default=20, help="images shown per photo")
    arguments.add(parser, arguments.INDEXES, gallery_required=True)
    given = parser.parse_args()
    arguments.check(given, arguments.INDEXES, given.top)
    return given


if __name__ == "__main__":
    run(main)
