import numpy as np
import pytest

from partreid.training.sampler import batches


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_batch_holds_p_identities_with_k_images_each():
    pid = np.repeat(np.arange(10), 13)
    for batch in batches(pid, 4, 3, rng()):
        persons = pid[batch].reshape(4, 3)
        assert (persons == persons[:, :1]).all()
        assert len(set(persons[:, 0])) == 4


def test_full_groups_hold_no_image_twice():
    pid = np.repeat(np.arange(6), 8)
    drawn = np.concatenate(batches(pid, 3, 4, rng()))
    assert len(set(drawn)) == len(drawn)


def test_a_short_group_is_filled_with_the_same_persons_images():
    pid = np.array([0, 1, 1, 2, 2, 2])
    (batch,) = batches(pid, 3, 4, rng())
    counts = {p: sorted(np.unique(batch[pid[batch] == p], return_counts=True)[1]) for p in range(3)}
    assert counts == {0: [4], 1: [2, 2], 2: [1, 1, 2]}


def test_few_identities_all_go_into_every_batch():
    pid = np.repeat([0, 1], 8)
    assert [len(batch) for batch in batches(pid, 16, 4, rng())] == [8, 8]


def test_balanced_sets_are_used_nearly_whole():
    pid = np.repeat(np.arange(64), 16)
    used = len(np.concatenate(batches(pid, 16, 4, rng()))) / len(pid)
    assert used >= 0.8


@pytest.mark.parametrize("seed", [0, 1])
def test_seed_decides(seed):
    pid = np.repeat(np.arange(8), 8)
    first, again, other = (np.concatenate(batches(pid, 4, 4, rng(s))) for s in (seed, seed, seed + 7))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
