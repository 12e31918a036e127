"""Look at a label cache: writes a contact sheet and a coverage table. The program of stages/inspect.py."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from partreid import params, records
from partreid.errors import UserError, choose
from partreid.files import whole, write_text
from partreid.labels import coverage, grouping, pictures
from partreid.labels.cache import STATUS, Cache
from partreid.tools.reading import read_original


def main() -> None:
    """Parse the command line and write sheet.png and coverage.txt."""
    parser = argparse.ArgumentParser(description="Look at a label cache: writes a contact sheet and a coverage table.")
    parser.add_argument("label", help=", ".join(sorted(pictures.PANELS)))
    parser.add_argument("dataset")
    parser.add_argument("--out", type=Path, help="folder to write to; default: tmp/inspect/LABEL-DATASET")
    parser.add_argument("--count", type=int, default=24, help="how many images, drawn at random (default 24)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--parts", default="8", help="grouping to colour: 2, 3, 4, 5, 6, 8, 11 (default 8)")
    arguments = parser.parse_args()
    label, dataset = arguments.label, arguments.dataset
    members, _ = choose(pictures.PANELS, label, "label")
    names = grouping.names(arguments.parts)
    if arguments.count < 1:
        raise UserError(f"--count must be at least 1, found {arguments.count}")
    out = arguments.out or Path(f"tmp/inspect/{label}-{dataset}")

    table_file = Path(f"data/index/{dataset}.parquet")
    table = records.read(table_file)
    cache = Cache(Path(f"data/labels/{label}/{dataset}.npz"), f"label/{label}", table_file)
    everything = np.arange(len(table))
    score = cache.rows("score", everything)
    text = coverage.text(np.array(table["split"].to_pylist()), cache.status, score)
    about = ", ".join(f"{key} {cache.header[key]}" for key in ("kind", "tool", "tool_version"))
    write_text(out / "coverage.txt", f"{about}\n\n{text}")
    print(f"{about}\n\n{text}")

    rng = np.random.default_rng(arguments.seed)
    chosen = np.sort(rng.choice(everything, min(arguments.count, len(table)), replace=False))
    values = {name: cache.rows(name, chosen) for name in members}
    tiles = []
    for place, row in enumerate(chosen.tolist()):
        image = read_original(params.load().root(dataset) / table["path"][row].as_py())
        title = f"{row}  {STATUS[cache.status[row]]}  {score[row]:.2f}"
        here = {name: array[place] for name, array in values.items()}
        tiles.append(_tile(label, title, image, here, arguments.parts))
    sheet = pictures.sheet(tiles, columns=3)
    sheet = np.concatenate([sheet, pictures.legend(names, sheet.shape[1])])
    with whole(out / "sheet.png") as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    print(f"wrote {out / 'sheet.png'} and {out / 'coverage.txt'}")


def _tile(label: str, title: str, image: np.ndarray | None, values: dict[str, np.ndarray], grouped: str) -> np.ndarray:
    if image is None:
        grey = np.full((pictures.HEIGHT, pictures.HEIGHT // 2, 3), 200, np.uint8)
        return pictures.tile(title, [grey])
    _, draw = pictures.PANELS[label]
    return pictures.tile(title, draw(image, values, grouped))
