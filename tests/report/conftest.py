"""A tiny data set on disk and the evaluation's files about it, as the report reads them."""

import json

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from partreid.report import gather
from partreid.storage import image_table

PERSONS, EACH = 6, 6  # image 6 p + i is image i of person p; i = 0 is the query


@pytest.fixture
def table(tmp_path):
    """Image table of 6 persons with a query and five gallery images each; image i is one plain colour."""
    rows = []
    for image in range(PERSONS * EACH):
        path = tmp_path / "images" / f"{image:02d}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((64, 32, 3), 5 * image, np.uint8))
        rows.append(
            {
                "path": path.name,
                "split": "query" if image % EACH == 0 else "gallery",
                "pid": 100 + image // EACH,
                "camid": image % EACH,
                "width": 32,
                "height": 64,
                "sha1": "0" * 40,
            }
        )
    return image_table.build(rows, {})


@pytest.fixture
def album(table, tmp_path):
    """The images with thumbnails of 32 x 16."""
    return gather.Album(table, tmp_path / "images", 32, 16)


@pytest.fixture
def ranks():
    """Rankings of all queries for two protocols, right answers at ranks that differ by query; 20 entries are kept."""
    rows = []
    gallery = [image for image in range(PERSONS * EACH) if image % EACH]
    for protocol, shift in (("general", 0), ("hard", 7)):
        for person in range(PERSONS):
            others = [image for image in gallery if image // EACH != person]
            first = 1 + shift + person  # rank of the first right answer; the other four follow it
            own = [image for image in gallery if image // EACH == person]
            order = (others[: first - 1] + own + others[first - 1 :])[:20]
            rows.append(
                {
                    "protocol": protocol,
                    "query": person * EACH,
                    "ap": float(np.mean([(i + 1) / (first + i) for i in range(len(own))])),
                    "inp": 5 / (first + 4),
                    "first_match_rank": first,
                    "gallery": order,
                    "distance": [0.01 * (rank + person) for rank in range(20)],
                    "match": [image in own for image in order],
                }
            )
    schema = pa.schema(
        [
            ("protocol", pa.string()), ("query", pa.int32()), ("ap", pa.float64()), ("inp", pa.float64()),
            ("first_match_rank", pa.int32()), ("gallery", pa.list_(pa.int32())), ("distance", pa.list_(pa.float32())),
            ("match", pa.list_(pa.bool_())),
        ]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


@pytest.fixture
def write_results(ranks):
    """A function that writes the evaluation's four files and the training's curves."""

    def write(folder, curves):
        folder.mkdir(parents=True)
        shares = {"mAP": 0.5126, "mINP": 0.25, "rank1": 0.875, "rank5": 0.9, "rank10": 0.95, "rank20": 1.0}
        metrics = {
            "general": {**shares, "queries": 6, "skipped": 2, "gallery": 1234},
            "hard": {**shares, "mAP": 0.0731, "queries": 5, "skipped": 3, "gallery": 30},
        }
        (folder / "metrics.json").write_text(json.dumps(metrics))
        lines = [f"{name},{rank},{0.5 + 0.01 * rank}" for name in metrics for rank in range(1, 51)]
        (folder / "cmc.csv").write_text("\n".join(["protocol,rank,cmc", *lines]))
        pq.write_table(ranks, folder / "ranks.parquet")
        texts = {"general": "everybody against everybody", "hard": "only <the> hard & occluded"}
        record = {"seed": 1, "revision": "f" * 40, "table": "a" * 64, "distance": "cosine", "protocols": texts}
        (folder / "record.json").write_text(json.dumps(record))
        (curves / "plots/metrics/train").mkdir(parents=True)
        for name, values in {"loss": (3.5, 2.5, 2.0), "learning_rate": (1e-4, 2e-4, 2e-5)}.items():
            text = "".join(f"17{step}\t{step}\t{value}\n" for step, value in enumerate(values))
            (curves / f"plots/metrics/train/{name}.tsv").write_text(f"timestamp\tstep\t{name}\n{text}")

    return write
