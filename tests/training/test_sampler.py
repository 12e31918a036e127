import numpy as np
import pytest

from partreid.training.sampler import batches, epoch_order


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_batch_holds_p_identities_with_k_images_each():
    pid = np.repeat(np.arange(10), 13)
    for batch in batches(pid, 4, 3, rng(), "whole"):
        persons = pid[batch].reshape(4, 3)
        assert (persons == persons[:, :1]).all()
        assert len(set(persons[:, 0])) == 4


def test_full_groups_hold_no_image_twice():
    pid = np.repeat(np.arange(6), 8)
    drawn = np.concatenate(batches(pid, 3, 4, rng(), "whole"))
    assert len(set(drawn)) == len(drawn)


def test_a_short_group_is_filled_with_the_same_persons_images():
    pid = np.array([0, 1, 1, 2, 2, 2])
    (batch,) = batches(pid, 3, 4, rng(), "whole")
    counts = {p: sorted(np.unique(batch[pid[batch] == p], return_counts=True)[1]) for p in range(3)}
    assert counts == {0: [4], 1: [2, 2], 2: [1, 1, 2]}


def test_few_identities_all_go_into_every_batch():
    pid = np.repeat([0, 1], 8)
    assert [len(batch) for batch in batches(pid, 16, 4, rng(), "whole")] == [8, 8]


def test_balanced_sets_are_used_nearly_whole():
    pid = np.repeat(np.arange(64), 16)
    used = len(np.concatenate(batches(pid, 16, 4, rng(), "whole"))) / len(pid)
    assert used >= 0.8


@pytest.mark.parametrize("seed", [0, 1])
def test_seed_decides(seed):
    pid = np.repeat(np.arange(8), 8)
    first, again, other = (np.concatenate(batches(pid, 4, 4, rng(s), "whole")) for s in (seed, seed, seed + 7))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("count", [1, 5, 9])
def test_an_epoch_of_a_given_length_is_as_many_passes_as_it_takes(count):
    pid = np.repeat(np.arange(8), 8)
    draw, again = rng(3), rng(3)
    order = epoch_order(lambda: batches(pid, 4, 4, draw, "whole"), repeats=1, count=count)
    passes = [batch for _ in range(4) for batch in batches(pid, 4, 4, again, "whole")]  # each has 2 to 4 batches
    assert len(order) == count
    assert all(np.array_equal(batch, expected) for batch, expected in zip(order, passes, strict=False))


def test_an_epoch_without_a_given_length_is_its_passes():
    passes = iter([[np.array([1])], [np.array([2]), np.array([3])]])
    assert [int(batch[0]) for batch in epoch_order(lambda: next(passes), repeats=2, count=0)] == [1, 2, 3]


def test_where_a_pass_has_no_batch_an_epoch_has_none():
    assert epoch_order(list, repeats=1, count=3) == []


def test_published_drops_short_groups_but_those_of_persons_with_few_images():
    pid = np.array([0, 1, 1, 2, 2, 2, 2, 2, 2])  # person 2 has a group of four and two images over
    (batch,) = batches(pid, 3, 4, rng(), "published")
    assert [len(np.unique(batch[pid[batch] == p])) for p in (0, 1, 2)][::2] == [1, 4]
    assert np.bincount(pid[batch]).tolist() == [4, 4, 4]
    filled = np.concatenate(batches(np.repeat([0, 1], 6), 2, 4, rng(), "whole"))
    assert len(filled) == 16
    assert len(np.concatenate(batches(np.repeat([0, 1], 6), 2, 4, rng(), "published"))) == 8


def test_published_draws_persons_alike_however_many_images_they_have():
    pid = np.concatenate([np.zeros(400, int), np.arange(1, 40).repeat(4)])
    with_rich = {
        name: sum(0 in pid[batches(pid, 4, 4, rng(seed), name)[0]] for seed in range(60)) / 60
        for name in ("whole", "published")
    }
    assert with_rich["whole"] > 0.9  # nearly all of the groups are his
    assert with_rich["published"] < 0.3  # 4 of 40 persons


def test_consecutive_takes_all_of_one_person_then_all_of_the_next():
    pid = np.repeat(np.arange(12), [4, 2, 7, 4, 4, 4, 1, 4, 4, 4, 4, 4])  # 46 images
    drawn = batches(pid, 2, 5, rng(), "consecutive")
    assert [len(batch) for batch in drawn] == [10] * 4
    order = np.concatenate(drawn)
    assert len(set(order)) == 40  # no image twice, although no person but one has five
    changes = np.flatnonzero(np.diff(pid[order])) + 1
    stretches = [pid[order][start] for start in (0, *changes)]
    assert len(set(stretches)) == len(stretches)  # nobody comes back
    assert [len(batch) for batch in batches(pid, 18, 10, rng(), "consecutive")] == [46]
