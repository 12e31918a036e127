"""Which images of a label are shown, and in which order, against a loop over all of them."""

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.inspection.listing import FOUND, ORDERS, Known, Wanted, rows
from partreid.storage.cache import OK, STATUS

N = 300


@pytest.fixture(scope="module")
def known():
    random = np.random.default_rng(3)
    agreement = random.integers(0, 20, N) / 20
    return Known(
        split=random.choice(["train", "query", "gallery"], N),
        person=random.choice(["12", "007", "Ann Lee", "junk"], N),
        status=random.integers(0, 3, N).astype(np.uint8),
        score=(random.integers(0, 11, N) / 10).astype(np.float32),  # many ties
        other=random.integers(0, 3, N).astype(np.uint8),
        agreement=np.where(random.random(N) < 0.2, np.nan, agreement),
    )


def slowly(known, wanted, people):
    kept = []
    for n in range(N):
        good = not wanted.split or known.split[n] == wanted.split
        good &= not wanted.person or known.person[n] in people
        good &= not wanted.statuses or STATUS[known.status[n]] in wanted.statuses
        good &= round(wanted.low, 6) <= round(float(known.score[n]), 6) <= round(wanted.high, 6)
        if wanted.found:
            good &= (known.status[n] == OK, known.other[n] == OK) == FOUND[wanted.found]
        if good:
            kept.append(n)
    sign = -1 if wanted.order.startswith("-") else 1
    value = {"score": known.score, "agreement": known.agreement, "image": np.arange(N)}[wanted.order.lstrip("-")]
    return sorted(kept, key=lambda n: (bool(np.isnan(value[n])), 0 if np.isnan(value[n]) else sign * value[n], n))


@pytest.mark.parametrize("order", list(ORDERS))
@pytest.mark.parametrize(
    ("filters", "people"),
    [
        ({}, ()),
        ({"split": "query"}, ()),
        ({"person": "012"}, ("12",)),
        ({"person": "7"}, ("007",)),
        ({"person": " ann LEE "}, ("Ann Lee",)),
        ({"person": "nobody"}, ()),
        ({"statuses": ["failed", "ok"]}, ()),
        ({"low": 0.3, "high": 0.9}, ()),  # bounds that no float holds exactly
        ({"low": 0.7, "high": 0.7}, ()),
        *[({"found": found}, ()) for found in FOUND],
        ({"split": "train", "person": "junk", "statuses": ["missing"], "high": 0.5, "found": "second"}, ("junk",)),
    ],
)
def test_everything_that_is_asked_for_holds_in_order(known, order, filters, people):
    wanted = Wanted(**filters, order=order)
    found = rows(known, wanted)
    assert found.dtype == np.int64
    assert found.tolist() == slowly(known, wanted, people)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(split="val"), "unknown split 'val'; known: gallery, query, train"),
        (Wanted(statuses=["fine"]), "unknown status 'fine'; known: failed, missing, ok"),
        (Wanted(order="size"), "unknown order 'size'; known: "),
        (Wanted(found="some"), "unknown answer to who found somebody 'some'; known: both, first, neither, second"),
        (Wanted(order="agreement"), "choose a second tool"),
        (Wanted(order="-agreement"), "choose a second tool"),
        (Wanted(found="both"), "choose a second tool"),
    ],
)
def test_what_is_not_there_to_be_asked_for_is_said(known, wanted, words):
    alone = Known(known.split, known.person, known.status, known.score)
    with pytest.raises(UserError, match=words):
        rows(alone, wanted)
