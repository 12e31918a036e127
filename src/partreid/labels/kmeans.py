"""k-means of poses with centres that are mirror images of each other.

Lloyd's algorithm ("Least squares quantization in PCM", 1982) on a set of poses and their mirror images, started from
poses drawn at random with a fixed seed; the best of several runs. All sums are float64 and in a fixed order, so the
result depends on nothing but the poses. Points that are not known take no part: the distance of a pose from a centre is
the mean of the squared distances of its known points, and a centre's point is the mean over the poses that know it.
"""

import numpy as np

from partreid.body.skeleton import KEYPOINT_MIRROR

RUNS, STEPS, SEED = 10, 100, 0


def fit(points: np.ndarray, known: np.ndarray, k: int) -> np.ndarray:
    """Centres (k, 17, 2) of poses (n, 17, 2) with known points (n, 17), n >= 1, at least one known in each pose.

    Centre k - 1 - c is centre c mirrored: x negative, left and right exchanged. Sorted by the x of the nose.
    """
    random = np.random.default_rng(SEED)
    average = _mean(points, known, np.zeros((points.shape[1], 2)))
    runs = []
    for _ in range(RUNS):
        drawn = random.choice(len(points), (k + 1) // 2, replace=len(points) < (k + 1) // 2)
        centres = _whole(np.where(known[drawn][..., None], points[drawn], average), k)
        for _ in range(STEPS):
            nearest = distances(points, known, centres).argmin(1)
            updated = _update(points, known, nearest, centres)
            if np.array_equal(updated, centres):
                break
            centres = updated
        runs.append((float(distances(points, known, centres).min(1).sum()), centres))
    best = min(runs, key=lambda run: run[0])[1]
    return _sorted(best)


def distances(points: np.ndarray, known: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Mean squared distance over the known points of poses (n, 17, 2) from centres (k, 17, 2): float64 (n, k).

    0 where no point is known.
    """
    count = np.maximum(known.sum(1), 1)
    squares = [(((points - centre) ** 2).sum(-1) * known).sum(1) / count for centre in centres]
    return np.stack(squares, 1)


def mirror(points: np.ndarray) -> np.ndarray:
    """Poses (..., 17, 2) in the mirror: x negative, left and right exchanged."""
    return points[..., list(KEYPOINT_MIRROR), :] * (-1, 1)


def _update(points: np.ndarray, known: np.ndarray, nearest: np.ndarray, centres: np.ndarray) -> np.ndarray:
    k = len(centres)
    half = []
    for c in range((k + 1) // 2):
        here, there = nearest == c, nearest == k - 1 - c
        members = np.concatenate([points[here], mirror(points[there])])
        known_there = known[there][:, list(KEYPOINT_MIRROR)]
        half.append(_mean(members, np.concatenate([known[here], known_there]), centres[c]))
    return _whole(np.stack(half), k)


def _mean(points: np.ndarray, known: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Weighted mean (17, 2) of each point over the poses that know it, a pose's points weighing 1 together."""
    weight = known / np.maximum(known.sum(1, keepdims=True), 1)  # (n, 17)
    total = weight.sum(0)[:, None]
    mean = (points * weight[..., None]).sum(0) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, otherwise)


def _whole(half: np.ndarray, k: int) -> np.ndarray:
    """The first (k + 1) // 2 centres and their mirror images; the middle one of odd k is made its own."""
    others = mirror(half[: k // 2])[::-1]
    own = [(half[-1:] + mirror(half[-1:])) / 2] if k % 2 else []
    return np.concatenate([half[: k // 2], *own, others])


def _sorted(centres: np.ndarray) -> np.ndarray:
    k = len(centres)
    half = centres[: k // 2]
    half = np.where(half[:, :1, :1] <= 0, half, mirror(half))  # of two that are mirror images, the one looking left
    half = half[np.argsort(half[:, 0, 0], kind="stable")]
    return _whole(np.concatenate([half, centres[k // 2 : k // 2 + k % 2]]), k)
