"""Batches of P identities with K images each."""

import numpy as np


def batches(pid: np.ndarray, ids_per_batch: int, images_per_id: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch: a list of int64 (P * K,) row numbers, images of an identity side by side.

    pid: (N,) identity of every training row. Every identity's rows are shuffled and cut into groups of K; each batch
    takes one group from each of P different identities, drawn with a probability in proportion to the groups an
    identity has left, until fewer than P identities have any.

    Corner cases: an identity with fewer than K images, or whose last group is short, fills it up with its own images
    again (all of them once more before any a third time). Groups left over when fewer than P identities remain are
    dropped for this epoch; other epochs draw others (a set where few persons have most images uses little of them).
    With fewer than P identities in all, every batch holds them all.
    """
    identities = np.unique(pid)
    ids_per_batch = min(ids_per_batch, len(identities))
    groups = {identity: _groups(np.flatnonzero(pid == identity), images_per_id, rng) for identity in identities}
    result: list[np.ndarray] = []
    while True:
        left = np.array([len(groups[identity]) for identity in identities], float)
        if np.count_nonzero(left) < ids_per_batch:
            return result
        drawn = rng.choice(identities, ids_per_batch, replace=False, p=left / left.sum())
        result.append(np.concatenate([groups[identity].pop() for identity in drawn]))


def _groups(rows: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    order = rng.permutation(rows)
    short = -len(order) % size
    order = np.concatenate([order, np.resize(rng.permutation(rows), short)])
    return list(order.reshape(-1, size))
