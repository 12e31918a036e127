import pickle

import numpy as np
import pytest

from partreid.labels import LABELS
from partreid.labels.dropping import dropped, fewer
from partreid.storage.cache import FAILED, MISSING, OK

IDS = np.arange(20_000)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.9])
def test_about_the_share_is_dropped_and_the_same_ones_whatever_the_piece(share):
    every = dropped(IDS, share)
    assert every.mean() == pytest.approx(share, abs=0.01)
    pieces = [dropped(IDS[start : start + 64], share) for start in range(0, len(IDS), 64)]
    np.testing.assert_array_equal(np.concatenate(pieces), every)
    halves = every[: 2 * (len(IDS) // 2)].reshape(-1, 2)
    assert halves.all(1).mean() == pytest.approx(share**2, abs=0.01)  # neighbours do not hang together


def test_what_is_dropped_is_dropped_at_a_larger_share_too():
    assert dropped(IDS, 0.5)[dropped(IDS, 0.25)].all()
    assert not dropped(IDS, 0).any()


def test_the_hash_is_splitmix64():
    # the first outputs of the published generator seeded with 0, as shares
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    for number, value in enumerate(known):
        share = (value >> 11) * 2.0**-53
        assert not dropped(np.array([number]), share)[0]
        assert dropped(np.array([number]), share + 2.0**-53)[0]


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_dropped_image_is_like_one_without_anybody(name):
    header = {"centres": np.zeros((3, 17, 2)).tolist()}
    nobody = dict(LABELS[name].nobody(header))
    member = next(iter(nobody), "maps")
    made = fewer(Work(member), LABELS[name], header, 0.5)
    found = pickle.loads(pickle.dumps(made))(100, 200)
    gone, damaged = dropped(np.arange(100, 200), 0.5), np.arange(100, 200) % 7 == 0
    np.testing.assert_array_equal(found["status"], np.where(damaged, FAILED, np.where(gone, MISSING, OK)))
    np.testing.assert_array_equal(found["score"], np.where(gone & ~damaged, 0, 0.5))
    np.testing.assert_array_equal(found[member], np.where(gone & ~damaged, nobody.get(member, 0), 7))


def test_nothing_changes_without_a_share():
    work = Work("maps")
    assert fewer(work, LABELS["schp"], {}, 0.0) is work


class Work:
    """A label's work: of every seventh image the file is damaged."""

    def __init__(self, member: str):
        self.member = member

    def __call__(self, start: int, stop: int) -> dict[str, np.ndarray]:
        numbers = np.arange(start, stop)
        status = np.where(numbers % 7 == 0, FAILED, OK).astype(np.uint8)
        return {"status": status, "score": np.full(len(numbers), 0.5), self.member: np.full(len(numbers), 7.0)}
