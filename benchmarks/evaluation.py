"""Time and memory of the exact evaluator, each against a stated reference in the same run.

    python benchmarks/evaluation.py market    Market-1501's size, against the bare matrix product and sorting in NumPy
    python benchmarks/evaluation.py stream    galleries up to Market+500k, streamed from disk: memory, and growth
    python benchmarks/evaluation.py parts     BPBreID's distance (9 x 512), against cosine of the same width

Features are random around one centre per person, so that rankings are neither perfect nor random. Figures: the best of
`--rounds` runs, the alternatives taking turns; of `market` in CPU time, which other work on the machine disturbs least.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from partreid.evaluation import metrics, ranking
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.evaluation.results import Streamed
from partreid.evaluation.rules import Ids, market_rule
from partreid.experiments.timing import best
from partreid.program import at_least, run
from partreid.storage import embeddings
from partreid.storage.embeddings import Embeddings, Stored

QUERIES, PERSONS, WIDTH = 3_368, 750, 2_048
MARKET = 15_913  # gallery without junk
GALLERIES = (19_732, 119_732, 219_732, 519_732)  # with 0, 100k, 200k, 500k distractors more
ANSWERS = 13_115  # gallery images of query persons in Market-1501; the rest are distractors


def people(seed: int, first: int, persons: int, count: int) -> Ids:
    """Ids of `count` images of pids 1..persons by six cameras; pid 0, a distractor, where persons is 0."""
    random = np.random.default_rng(seed)
    pid = 1 + np.arange(count) % persons if persons else np.zeros(count, int)
    columns = (np.arange(first, first + count), pid, random.integers(0, 6, count), np.zeros(count, int))
    return Ids(*(torch.from_numpy(column.astype(np.int32)) for column in columns))


def features(ids: Ids, seed: int, width: int = WIDTH) -> torch.Tensor:
    """float32 (N, width): noise around a centre per person; a distractor's centre is its own."""
    centre = torch.randn(PERSONS + 1, width, generator=torch.Generator().manual_seed(0)) * 0.25
    centre[0] = 0
    return centre[ids.pid.long()] + torch.randn(len(ids), width, generator=torch.Generator().manual_seed(seed))


def join(*parts: Ids) -> Ids:
    """One after another."""
    return Ids(*(torch.cat([getattr(part, name) for part in parts]) for name in Ids.__dataclass_fields__))


def exact(query: torch.Tensor, gallery: ranking.Source, asking: Ids, answering: Ids, distance: str) -> float:
    """mAP by partreid. query: float32 (Q, P, D)."""
    own = vectors(query, torch.ones(query.shape[:2]))
    ranked = ranking.rank(own, gallery, asking, answering, DISTANCES[distance], market_rule)
    query_of, nearer, last = (tensor.numpy() for tensor in (ranked.query, ranked.nearer, ranked.last))
    return float(np.nanmean(metrics.rectangle(query_of, nearer, last, len(asking))))


def whole_matrix(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Cosine distances, float32 (Q, G)."""
    query, gallery = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (query, gallery))
    return 1 - query @ gallery.T


def sorting(distance: np.ndarray, asking: Ids, answering: Ids, lists: bool) -> float:
    """mAP by sorting every row of the whole distance matrix, query by query.

    lists: compute precisions one by one in a Python list, as toolboxes do; else in NumPy, which is kinder to them.
    """
    order = np.argsort(distance, axis=1)
    pid, camera = answering.pid.numpy(), answering.camera.numpy()
    precisions = []
    for row, own, seen_by in zip(order, asking.pid.numpy(), asking.camera.numpy(), strict=True):
        keep = ~((pid[row] == own) & (camera[row] == seen_by))
        right = (pid[row] == own)[keep]
        if right.any():
            found = right.cumsum()
            if lists:
                precision = np.array([count / (place + 1) for place, count in enumerate(found)])
            else:
                precision = found / np.arange(1, len(found) + 1)
            precisions.append((precision * right).sum() / right.sum())
    return float(np.mean(precisions))


def market(rounds: int) -> None:
    """Market-1501's size."""
    asking = people(1, 0, PERSONS, QUERIES)
    answering = join(people(2, QUERIES, PERSONS, ANSWERS), people(3, 20_000, 0, MARKET - ANSWERS))
    query, gallery = features(asking, 1), features(answering, 2)
    held = vectors(gallery[:, None], torch.ones(MARKET, 1))
    print(f"{QUERIES} queries, {MARKET} gallery images, {WIDTH} numbers each, {torch.get_num_threads()} threads")
    ours = exact(query[:, None], held, asking, answering, "cosine")
    distance = whole_matrix(query.numpy(), gallery.numpy())
    theirs = sorting(distance, asking, answering, lists=False)
    print(f"mAP {ours:.6f}; by sorting {theirs:.6f}")
    seconds = best(
        rounds,
        {
            "product": lambda: query @ gallery.T,
            "partreid": lambda: exact(query[:, None], held, asking, answering, "cosine"),
        },
        time.process_time,
    )
    theirs_seconds = best(
        1,
        {
            "matrix": lambda: whole_matrix(query.numpy(), gallery.numpy()),
            "sorting": lambda: sorting(distance, asking, answering, lists=False),
            "toolbox": lambda: sorting(distance, asking, answering, lists=True),
        },
        time.process_time,
    )
    matrix, in_numpy, in_lists = theirs_seconds.values()
    rest = max(seconds["partreid"] - seconds["product"], 1e-9)
    print(f"partreid {seconds['partreid']:.2f} s, bare matrix product {seconds['product']:.2f} s")
    print(f"distance matrix {matrix:.2f} s, sorting with NumPy {in_numpy:.2f} s, with Python's lists {in_lists:.2f} s")
    print(f"partreid / bare matrix product: {seconds['partreid'] / seconds['product']:.2f}  (goal: at most 1.78)")
    for name, ranking_alone in {"toolboxes, lists": in_lists, "NumPy alone": in_numpy}.items():
        print(
            f"sorting ({name}) / partreid: {(matrix + ranking_alone) / seconds['partreid']:.1f} in all, "
            f"{ranking_alone / rest:.1f} beyond the matrix product  (goal: at least 5)"
        )


def stream(_rounds: int) -> None:
    """Galleries on disk, the largest of them larger than the memory allowed."""
    asking = people(1, 0, PERSONS, QUERIES)
    query = features(asking, 1)[:, None]
    answering = join(people(2, QUERIES, PERSONS, ANSWERS), people(3, 20_000, 0, GALLERIES[-1] - ANSWERS))
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="benchmark-") as folder:
        file = Path(folder) / "embeddings.npz"
        embeddings.write(file, {}, _batches(answering))
        print(f"gallery on disk: {file.stat().st_size / 2**30:.2f} GiB")
        stored = Stored(file)
        for size in GALLERIES:
            ids = answering.at(slice(0, size))
            start = time.perf_counter()
            found = exact(query, Streamed(stored, ids.image.numpy().astype(np.int64)), asking, ids, "cosine")
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            each = 1e6 * seconds / size
            print(f"{size:>8} images: mAP {found:.4f}, {each:6.1f} us per image, peak memory so far {peak:.2f} GiB")


def _batches(ids: Ids) -> Iterator[Embeddings]:
    for start in range(0, len(ids), 1024):
        here = ids.at(slice(start, start + 1024))
        values = features(here, 10 + start)[:, None].numpy()
        yield Embeddings(here.image.numpy(), values, np.ones((len(here), 1), np.float32), {})


def parts(rounds: int) -> None:
    """Visibility-weighted distance of parts."""
    asking = people(1, 0, PERSONS, QUERIES)
    answering = join(people(2, QUERIES, PERSONS, ANSWERS), people(3, 20_000, 0, MARKET - ANSWERS))
    query, gallery = (features(ids, seed, 9 * 512).view(-1, 9, 512) for ids, seed in ((asking, 1), (answering, 2)))
    random = torch.Generator().manual_seed(5)
    half = vectors(gallery, (torch.rand(MARKET, 9, generator=random) < 0.7).float())
    seconds = best(
        rounds,
        {
            "cosine": lambda: exact(query, half, asking, answering, "cosine"),
            "parts": lambda: exact(query, half, asking, answering, "parts"),
        },
    )
    print(f"parts / cosine of the same width: {seconds['parts'] / seconds['cosine']:.2f}  (goal: at most 2)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["market", "stream", "parts"])
    parser.add_argument("--rounds", type=at_least(1), default=3)
    arguments = parser.parse_args()
    {"market": market, "stream": stream, "parts": parts}[arguments.what](arguments.rounds)


if __name__ == "__main__":
    run(main)
