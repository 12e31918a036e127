import numpy as np
import pytest
import torch

from partreid import records
from partreid.evaluation.protocols import (
    PROTOCOLS,
    Ids,
    cross_clothes_rule,
    ids,
    market_rule,
    same_clothes_rule,
)


def _table(rows):
    """rows: (split, pid, camid, clothes_id, occluded)."""
    names = ("split", "pid", "camid", "clothes_id", "occluded")
    filled = (dict(zip(names, row, strict=True)) for row in rows)
    return records.build(
        [{"path": f"{i}.jpg", "width": 64, "height": 128, "sha1": "", **row} for i, row in enumerate(filled)], {}
    )


def _ids(*rows):
    """rows: (image, pid, camera, clothes)."""
    return Ids(*(torch.tensor(column, dtype=torch.int32) for column in zip(*rows, strict=True)))


QUERY = _ids((0, 5, 1, 2))
GALLERY = _ids(
    (1, 5, 2, 2),  # other camera, same clothes
    (2, 5, 2, 3),  # other camera, other clothes
    (3, 5, 1, 2),  # same camera, same clothes
    (4, 5, 1, 3),  # same camera, other clothes
    (5, 5, -1, 2),  # no camera
    (6, 5, 2, -1),  # clothes not known
    (7, 6, 1, 2),  # another person, same camera and clothes number
    (0, 5, 2, 2),  # the query image itself
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (market_rule, "mmiimm.i"),
        (same_clothes_rule, "miiimi.i"),
        (cross_clothes_rule, "imiiii.i"),
    ],
)
def test_rules_case_by_case(rule, expected):
    match, ignored = rule(QUERY.at((slice(None), None)), GALLERY.at((None, slice(None))))
    found = "".join("m" if m else "i" if i else "." for m, i in zip(match[0], ignored[0], strict=True))
    assert found == expected
    assert not (match & ignored).any()


@pytest.mark.parametrize("rule", [market_rule, same_clothes_rule, cross_clothes_rule])
def test_without_cameras_only_the_image_itself_is_junk_by_camera(rule):
    query = _ids((0, 5, -1, 2))
    gallery = _ids((0, 5, -1, 2), (1, 5, -1, 2), (2, 5, -1, 3))
    match, _ = rule(query.at((slice(None), None)), gallery.at((None, slice(None))))
    assert match.tolist() == [[False, rule is not cross_clothes_rule, rule is not same_clothes_rule]]


TABLE = _table(
    [
        ("train", 1, 0, 0, True),
        ("query", 1, 0, 0, True),
        ("query", 2, 0, 0, False),
        ("query", 2, 0, 0, None),
        ("query", 0, 0, 0, None),
        ("gallery", 1, 0, 0, None),
        ("gallery", 0, 1, 0, None),
        ("gallery", -1, 1, 0, None),
        ("multi_query", 1, 1, 0, None),
    ]
)


@pytest.mark.parametrize(
    ("dataset", "name", "queries"),
    [
        ("synthetic", "general", [1, 2, 3, 4]),
        ("synthetic", "occluded-query", [1]),
        ("market1501", "market", [1, 2, 3]),  # pid 0 is a distractor there, a person elsewhere
        ("folder", "photos", [1, 2, 3, 4]),
    ],
)
def test_who_takes_part(dataset, name, queries):
    protocol = PROTOCOLS[dataset][name]
    assert np.flatnonzero(protocol.query(TABLE)).tolist() == queries
    assert np.flatnonzero(protocol.gallery(TABLE)).tolist() == [5, 6]  # no junk


def test_null_is_minus_one_in_ids():
    table = _table([("query", 3, None, None, None), ("query", 4, 1, 2, None)])
    found = ids(table)
    assert found.camera.tolist() == [-1, 1]
    assert found.clothes.tolist() == [-1, 2]
    assert found.pid.tolist() == [3, 4]
    assert found.image.tolist() == [0, 1]
