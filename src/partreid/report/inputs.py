"""What the report reads of a run: the evaluation's files and the training's curves."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from partreid.errors import UserError
from partreid.storage import places, strict_csv

RANKS = ("protocol", "query", "ap", "inp", "first_match_rank", "gallery", "distance", "match")
Curve = tuple[np.ndarray, np.ndarray]  # step (T,), value (T,)


@dataclass(frozen=True)
class Results:
    """The files of results/<dataset>/<model>.

    metrics: protocol -> {mAP, mINP, rank1, ...} as fractions and counts. cmc: protocol -> float (K,), entry k is the
    share of queries with a match among the first k + 1. ranks: one row per protocol and query (the columns RANKS).
    record: seed, revision, hashes, protocol descriptions.
    """

    metrics: dict[str, dict[str, Any]]
    cmc: dict[str, np.ndarray]
    ranks: pa.Table
    record: dict[str, Any]


def results(folder: Path) -> Results:
    """Read metrics.json, cmc.csv, ranks.parquet and record.json. UserError for a missing or damaged one."""
    return Results(
        metrics=_json(folder / "metrics.json"),
        cmc=_cmc(folder / "cmc.csv"),
        ranks=_ranks(folder / "ranks.parquet"),
        record=_json(folder / "record.json"),
    )


def curves(folder: Path) -> dict[str, Curve]:
    """Read the training curves that training wrote below `folder`: name -> steps and values, sorted by name.

    The last column of each .tsv is the value; its `step` column is the epoch.
    """
    found = {}
    for path in sorted((_present(folder, "training") / "plots" / "metrics").rglob("*.tsv")):
        rows = _rows(path, "\t")
        steps, values = [row["step"] for row in rows], [list(row.values())[-1] for row in rows]
        found[path.stem] = (np.array(steps, np.int64), np.array(values, np.float64))
    if not found:
        raise UserError(f"{folder} holds no curves (plots/metrics/**/*.tsv); train again with `dvc repro`")
    return found


def _present(path: Path, maker: str = "the evaluate stage") -> Path:
    if not path.exists():
        raise UserError(f"no {path}; {maker} makes it: run `{places.maker(path) or 'dvc repro'}`")
    return path


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(_present(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON ({error}); delete it and run `dvc repro`") from error


def _rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    return [cells for _, cells in strict_csv.read(path, delimiter)[1]]


def _cmc(path: Path) -> dict[str, np.ndarray]:
    curves: dict[str, dict[int, float]] = {}
    try:
        for row in _rows(_present(path), ","):
            curves.setdefault(row["protocol"], {})[int(row["rank"])] = float(row["cmc"])
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}: expected the columns protocol, rank, cmc ({error}); delete it, `dvc repro`"
        ) from error
    return {name: np.array([curve[rank] for rank in sorted(curve)]) for name, curve in curves.items()}


def _ranks(path: Path) -> pa.Table:
    try:
        table = pq.read_table(_present(path))
    except pa.ArrowException as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run `dvc repro`") from error
    if missing := [name for name in RANKS if name not in table.column_names]:
        raise UserError(f"{path} has no column {missing[0]!r}; delete it and run `dvc repro`")
    return table
