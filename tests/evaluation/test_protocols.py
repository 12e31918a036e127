import numpy as np
import pytest
import torch

from partreid.errors import UserError
from partreid.evaluation.picks import first_of_gallery, misaligned_queries, several_per_query
from partreid.evaluation.protocols import PROTOCOLS, reached
from partreid.evaluation.rules import Ids, cross_clothes_rule, ids, market_rule, other_cameras_rule, same_clothes_rule
from partreid.storage import image_table


def _table(rows):
    """rows: (split, pid, camid, clothes_id, occluded)."""
    names = ("split", "pid", "camid", "clothes_id", "occluded")
    filled = (dict(zip(names, row, strict=True)) for row in rows)
    return image_table.build(
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
        (other_cameras_rule, "mmiimmii"),
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
        ("query", -1, 0, 0, True),
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


def test_misaligned_queries_need_a_table_that_knows_them():
    rows = [{"path": f"{i}.jpg", "split": "query", "pid": 1, "width": 8, "height": 16, "sha1": ""} for i in range(3)]
    with pytest.raises(UserError, match="no column 'misaligned'"):
        misaligned_queries(image_table.build(rows, {}))
    known = [{**row, "misaligned": value} for row, value in zip(rows, (False, True, None), strict=True)]
    known.append({**known[1], "path": "3.jpg", "split": "gallery"})
    assert misaligned_queries(image_table.build(known, {})).tolist() == [False, True, False, False]


def test_null_is_minus_one_in_ids():
    table = _table([("query", 3, None, None, None), ("query", 4, 1, 2, None)])
    found = ids(table)
    assert found.camera.tolist() == [-1, 1]
    assert found.clothes.tolist() == [-1, 2]
    assert found.pid.tolist() == [3, 4]
    assert found.image.tolist() == [0, 1]


def test_cut_galleries_keep_table_order_and_count_junk():
    pick = first_of_gallery(2)
    table = _table([("query", 1, 0, 0, None), *(("gallery", pid, 0, 0, None) for pid in (-1, 4, 5))])
    assert np.flatnonzero(pick(table)).tolist() == [2]


def test_several_images_per_query_share_its_person_and_camera():
    table = _table(
        [
            ("query", 1, 0, 0, None),
            ("query", 2, 3, 0, None),
            ("multi_query", 1, 0, 0, None),
            ("multi_query", 1, 3, 0, None),  # a camera by which this person does not ask
            ("multi_query", 2, 3, 0, None),
            ("multi_query", 3, 0, 0, None),
            ("multi_query", 3, 1, 0, None),
            ("multi_query", 3, None, 0, None),
        ]
    )
    assert np.flatnonzero(several_per_query(table)).tolist() == [2, 4]


def test_ltcc_can_be_cut_to_those_who_change_clothes():
    rows = [("query", pid, 0, 0, None) for pid in (1, 2, 3)] + [("gallery", pid, 1, 0, None) for pid in (1, 2, 3)]
    table = _table(rows)
    table = table.replace_schema_metadata({"about": '{"cloth_change": {"train": [2], "test": [1, 3]}}'})
    protocol = PROTOCOLS["ltcc"]["cloth-changing-cut"]
    assert np.flatnonzero(protocol.query(table)).tolist() == [0, 2]
    assert np.flatnonzero(protocol.gallery(table)).tolist() == [3, 5]
    assert np.flatnonzero(PROTOCOLS["ltcc"]["cloth-changing"].gallery(table)).tolist() == [3, 4, 5]


def test_cameras_choose_the_clothes():
    table = _table(
        [("query", 1, camera, 0, None) for camera in range(4)]
        + [("gallery", 1, camera, 0, None) for camera in range(4)]
    )

    def chosen(dataset, name, side):
        return np.flatnonzero(getattr(PROTOCOLS[dataset][name], side)(table)).tolist()

    assert chosen("vc_clothes", "same-clothes", "query") == [1, 2]
    assert chosen("vc_clothes", "same-clothes", "gallery") == [5, 6]
    assert chosen("vc_clothes", "cross-clothes", "gallery") == [6, 7]
    assert chosen("prcc", "cross-clothes-single-shot", "query") == [2]
    assert chosen("prcc", "same-clothes-multi-shot", "query") == [1]


def test_the_official_gallery_of_mars_holds_the_queries():
    table = _table([("query", 1, 0, 0, None), ("gallery", 1, 1, 0, None), ("gallery", -1, 1, 0, None)])
    assert np.flatnonzero(PROTOCOLS["mars"]["official-max"].gallery(table)).tolist() == [0, 1]
    assert np.flatnonzero(PROTOCOLS["mars"]["common-average"].gallery(table)).tolist() == [1]


def test_every_protocol_says_in_full_what_it_is():
    texts = [protocol.text for protocols in PROTOCOLS.values() for protocol in protocols.values()]
    assert all(len(text) > 60 for text in texts)
    by_text: dict[str, set[int]] = {}
    for protocols in PROTOCOLS.values():
        for protocol in protocols.values():
            by_text.setdefault(protocol.text, set()).add(id(protocol))
    assert all(len(same) == 1 for same in by_text.values())  # two protocols never have the same words


def test_an_incomplete_set_of_distractors_is_called_by_its_own_size():
    protocols = PROTOCOLS["market1501_500k"]
    assert reached(protocols, 519_732) == protocols
    some = reached(protocols, 150_000)
    assert list(some) == ["gallery-19732", "gallery-119732", "gallery-150000"]
    assert "INCOMPLETE: 150,000 of 219,732 gallery images" in some["gallery-150000"].text
    assert list(reached(protocols, 119_732)) == ["gallery-19732", "gallery-119732"]
    assert reached(PROTOCOLS["synthetic"], 3) == PROTOCOLS["synthetic"]


def test_mars_brings_pooled_vectors_to_unit_length_where_its_authors_do():
    for name, protocol in PROTOCOLS["mars"].items():
        assert protocol.query_pool.unit == protocol.gallery_pool.unit == name.startswith("official"), name
        assert ("unit length" in protocol.text) == name.startswith("official")
