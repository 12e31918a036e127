"""Time and memory of re-ranking against the published dense algorithm, in one run.

    python benchmarks/rerank.py market    Market-1501's size, both algorithms
    python benchmarks/rerank.py msmt17    MSMT17's size, partreid's alone (the dense one would take some 180 GiB)

Each algorithm runs in a process of its own, from features to the re-ranked distances of every query to the whole
gallery; memory is the peak of that whole process. Features are random around one centre per person. The dense
algorithm is that of the authors' Python code, written in NumPy.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from partreid.program import run  # torch and scipy are left to the process that needs them

MARKET, MSMT17 = (3_368, 15_913), (11_659, 82_161)  # queries, gallery without junk
WIDTH = 2_048
PER_PERSON = 26
K1, K2, LAMBDA = 20, 6, 0.3
SHOWN = 256  # queries whose distances are compared


def features(count: int) -> np.ndarray:
    """float32 (N, WIDTH), length 1: noise around the centres of persons."""
    random = np.random.default_rng(0)
    centres = 0.35 * random.standard_normal((count // PER_PERSON, WIDTH), dtype=np.float32)
    result = np.empty((count, WIDTH), np.float32)
    for row in result:
        row[:] = centres[random.integers(len(centres))] + random.standard_normal(WIDTH, dtype=np.float32)
        row /= np.linalg.norm(row)
    return result


def sparse(images: np.ndarray, queries: int) -> np.ndarray:
    """partreid's, by the blocks in which the ranking takes them. float32 (SHOWN, G)."""
    import torch

    from partreid.evaluation.distances import vectors
    from partreid.evaluation.ranking import GALLERY, QUERIES
    from partreid.evaluation.rerank import reranked

    query, gallery = (
        vectors(torch.from_numpy(side)[:, None], torch.ones(len(side), 1))
        for side in (images[:queries], images[queries:])
    )
    asking, answering, distance = reranked(query, gallery, "cosine", K1, K2, LAMBDA, "python")
    shown = np.empty((SHOWN, len(gallery)), np.float32)
    for top in range(0, queries, QUERIES):
        block = asking.rows(top, QUERIES)
        for left in range(0, len(gallery), GALLERY):
            tile = distance(block, answering.rows(left, GALLERY))
            here = shown[top : top + QUERIES, left : left + GALLERY]  # empty past the first SHOWN queries
            here[:] = tile[: here.shape[0], : here.shape[1]]
    return shown


def dense(images: np.ndarray, queries: int) -> np.ndarray:
    """The published algorithm. float32 (SHOWN, G)."""
    total = len(images)
    original = images @ images.T
    original *= -2
    original += 2  # squared Euclidean distances
    original /= original.max(1, keepdims=True)
    code = np.zeros_like(original)
    order = np.argsort(original).astype(np.int32)
    half = int(np.around(K1 / 2)) + 1
    for i in range(total):
        forward = order[i, : K1 + 1]
        own = forward[np.where(order[forward, : K1 + 1] == i)[0]]
        members = own
        for candidate in own:
            forward = order[candidate, :half]
            others = forward[np.where(order[forward, :half] == candidate)[0]]
            if len(np.intersect1d(others, own)) > 2 / 3 * len(others):
                members = np.append(members, others)
        members = np.unique(members)
        weight = np.exp(-original[i, members])
        code[i, members] = weight / weight.sum()
    original = original[:queries].copy()
    mean = np.zeros_like(code)
    for i in range(total):
        mean[i] = code[order[i, :K2]].mean(0)
    code = mean
    del mean, order
    inverted = [np.where(code[:, i] != 0)[0] for i in range(total)]
    jaccard = np.zeros_like(original)
    for i in range(queries):
        shared = np.zeros(total, np.float32)
        for column in np.where(code[i] != 0)[0]:
            rows = inverted[column]
            shared[rows] += np.minimum(code[i, column], code[rows, column])
        jaccard[i] = 1 - shared / (2 - shared)
    return (jaccard * (1 - LAMBDA) + original * LAMBDA)[:SHOWN, queries:]


ALGORITHMS = {"sparse": sparse, "dense": dense}


def measure(algorithm: str, size: tuple[int, int], out: Path) -> None:
    """Run one algorithm in this process; write what it found to `out` and print seconds and GiB as JSON."""
    images = features(sum(size))
    if algorithm == "sparse":  # loading the libraries is not timed
        import partreid.evaluation.rerank  # noqa: F401
    start = time.perf_counter()
    found = ALGORITHMS[algorithm](images, size[0])
    seconds = time.perf_counter() - start
    np.save(out, found)
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))


def apart(algorithm: str, size: tuple[int, int], folder: str) -> tuple[float, float, np.ndarray]:
    """Run one algorithm in a process of its own: seconds, GiB, distances."""
    out = Path(folder) / f"{algorithm}.npy"
    command = [sys.executable, __file__, algorithm, *map(str, size), str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory = json.loads(done.stdout)
    print(f"{algorithm:>6}: {seconds:7.1f} s, peak memory {memory:6.2f} GiB", flush=True)
    return seconds, memory, np.load(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["market", "msmt17", *ALGORITHMS])
    parser.add_argument("arguments", nargs="*", help="of a single algorithm: queries, gallery images, output file")
    given = parser.parse_args()
    if given.what in ALGORITHMS:
        if len(given.arguments) != 3 or not all(map(str.isdecimal, given.arguments[:2])):
            parser.error(f"{given.what} wants the numbers of queries and of gallery images, and a file")
        queries, gallery, out = given.arguments
        measure(given.what, (int(queries), int(gallery)), Path(out))
        return
    if given.arguments:
        parser.error(f"{given.what} takes no more, found {' '.join(given.arguments)}")
    size = {"market": MARKET, "msmt17": MSMT17}[given.what]
    print(f"{size[0]} queries, {size[1]} gallery images, {WIDTH} numbers each; k1 {K1}, k2 {K2}, lambda {LAMBDA}")
    with tempfile.TemporaryDirectory() as folder:
        ours = apart("sparse", size, folder)
        if given.what == "msmt17":
            return
        theirs = apart("dense", size, folder)
    print(f"time, dense / sparse:   {theirs[0] / ours[0]:5.1f}  (goal: at least 5)")
    print(f"memory, dense / sparse: {theirs[1] / ours[1]:5.1f}  (goal: at least 10)")
    difference = np.abs(theirs[2] - ours[2])
    print(
        f"distances of the first {SHOWN} queries: {100 * (difference <= 1e-5).mean():.4f} % within 1e-5; largest "
        f"difference {difference.max():.1e}"
    )


if __name__ == "__main__":
    run(main)
