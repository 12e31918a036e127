"""Measure a tool's labels on the rendered people against the truth's. Usage: python stages/quality.py TOOL

Makes every label of both in memory, with the options in params.yaml, and writes to results/labels/<TOOL>/ quality.json,
details.json (per joint, class and part) and pictures/<label>.png. With --markdown, only prints quality.json as a table.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from partreid import params
from partreid.drawing import plots
from partreid.drawing.pictures import png
from partreid.errors import UserError, choose
from partreid.program import run
from partreid.quality import MEASURES, comparison, pictures, table
from partreid.quality.groups import groups
from partreid.quality.images import open_images
from partreid.quality.pairs import JOINTS, TRUTH, open_pairs
from partreid.quality.plots import joints
from partreid.storage import turn
from partreid.storage.files import write_bytes, write_json
from partreid.tools import TOOLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", help=", ".join(sorted(TOOLS)))
    parser.add_argument("--markdown", action="store_true", help="only print quality.json, written before, as a table")
    arguments = parser.parse_args()
    tool = arguments.tool
    choose(TOOLS, tool, "tool")
    out = Path(f"results/labels/{tool}")
    if arguments.markdown:
        print(table.markdown(_read(out / "quality.json", tool)), end="")
        return

    turn.taken(params.read())
    p = params.load()
    images = open_images("synthetic", p)
    pairs = open_pairs(tool, images, p.labels)
    if not pairs:
        raise UserError(f"tool {tool} gives nothing that can be compared; these can be: {', '.join(MEASURES)}")
    ours, true = next(iter(pairs.values()))
    view = true.cache.rows("view", np.arange(len(images)))
    masks = groups(images.table["occluded"].to_numpy(), view)

    kept = {
        label: comparison.compare(MEASURES[label], a.arrays, b.arrays, len(images), f"{label} {tool}")
        for label, (a, b) in pairs.items()
    }
    counts = comparison.told({"images": {"status": ours.status}}, masks, lambda _, of: table.counts(of["status"]))
    quality = comparison.told(kept, masks, lambda label, of: MEASURES[label].summary(of))
    details = comparison.told(kept, masks, lambda label, of: MEASURES[label].details(of))
    quality = {group: {**counts[group], **values} for group, values in quality.items()}
    write_json(out / "quality.json", quality)
    write_json(out / "details.json", details)

    shutil.rmtree(out / "pictures", ignore_errors=True)  # also those of labels that the tool no longer feeds
    (out / "pictures").mkdir()
    for label, (a, b) in pairs.items():
        if label == "keypoints":
            shown = {group: details[group].get(label, {}) for group in ("unoccluded", "occluded")}
            figure = joints(shown, f"{tool}: joints near the truth")
            write_bytes(out / "pictures" / f"{label}.png", plots.png(figure))
        if label in JOINTS:
            continue
        measure = MEASURES[label]
        sheet = pictures.sheet(label, measure, images, a, b, measure.score(kept[label]), masks)
        if sheet is not None:
            write_bytes(out / "pictures" / f"{label}.png", png(sheet))
    print(table.markdown(quality) + f"wrote {out}/quality.json, details.json and pictures/ ({tool} against {TRUTH})")


def _read(path: Path, tool: str) -> dict[str, dict[str, dict[str, float]]]:
    if not path.is_file():
        raise UserError(f"no {path}; `python stages/quality.py {tool}` writes it")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON ({error}); delete it and run `python stages/quality.py {tool}`") from error


if __name__ == "__main__":
    run(main)
