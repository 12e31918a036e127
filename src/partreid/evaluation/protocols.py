"""Every benchmark's protocols by name: who asks, who answers, what is right, and in full words what that means.

Sources and variants that are not offered stand beside each. What all share: the AP formula and whether queries without
a right answer are skipped or counted as zero are parameters (`evaluate` in params.yaml) and written into every result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from partreid.errors import UserError
from partreid.evaluation.picks import (
    Pick,
    by_cameras,
    first_of_gallery,
    gallery,
    misaligned_queries,
    occluded_queries,
    persons_only,
    queries,
    several_per_query,
    test_set,
    who_change_clothes,
)
from partreid.evaluation.pooling import Pool
from partreid.evaluation.rules import Relation, cross_clothes_rule, market_rule, other_cameras_rule, same_clothes_rule

FILE = "src/partreid/evaluation/protocols.py"  # as messages name it
RE_RANKED = " re-ranked"  # ends the name of a protocol whose distances are re-ranked (evaluation.rerank)


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate a data set.

    text: the protocol in full words, written into every result. relation: which entries of the gallery are right or
    ignored for a query. query, gallery: which rows of the table take part. query_pool, gallery_pool: how several of
    them become one. draws: 0, or how often one random gallery image per person and camera is drawn, all results of the
    draws being averaged. images: 0, or how large the gallery of the image table has to be.
    """

    text: str
    relation: Relation = market_rule
    query: Pick = queries
    gallery: Pick = gallery
    query_pool: Pool | None = None
    gallery_pool: Pool | None = None
    draws: int = 0
    images: int = 0


MARKET = (
    "single query; gallery images of the same person seen by the same camera are removed per query, the rest of the "
    "same person is right; junk (pid -1) is removed for all"
)
SAME = (
    "single query; right are the same person's images by another camera in the same clothes; the person's other images "
    "are removed"
)
CROSS = (
    "single query; right are the same person's images by another camera in other clothes; the person's other images "
    "are removed"
)
DISTRACTORS = "distractors (pid 0) stay and are wrong"

# The Market rule: Zheng et al., ICCV 2015, and its MATLAB evaluator: pid -1 is removed, pid 0 stays and is never right.
# The MATLAB code averages the trapezoid AP over all queries; most later code takes the rectangle AP over the queries
# that have a match (every query of Market-1501 has one).
MARKET1501 = {"market": Protocol(f"Market-1501: {MARKET}; {DISTRACTORS}", query=persons_only)}

# Zheng et al., ICCV 2015, section 5: all hand-drawn and detected boxes of the query's person and camera are one query.
MULTI_QUERY = {
    f"multi-query-{how}": Protocol(
        f"Market-1501, multi-query: the features of all images of gt_bbox of the query's person and camera are pooled "
        f"({how}) to one query; then {MARKET.removeprefix('single query; ')}; {DISTRACTORS}",
        query=several_per_query,
        query_pool=Pool(("pid", "camid"), how),
    )
    for how in ("average", "max")
}

# Suh et al., ECCV 2018 (Part-Aligned Bilinear), section 6.4: the gallery and the first 0, 100k, 200k, 500k distractors.
LARGE = {
    f"gallery-{images}": Protocol(
        f"Market-1501+500k, gallery of {images:,} images (junk counted): {MARKET}; {DISTRACTORS}",
        query=persons_only,
        gallery=first_of_gallery(images),
        images=images,
    )
    for images in (19_732, 119_732, 219_732, 519_732)
}

# Zheng et al., ECCV 2016. official: as github.com/liangzheng06/MARS-evaluation, which ranks all test tracklets and
# pools by maximum, then brings every tracklet's vector to unit length (here each part's); common: as most toolboxes,
# without the asking tracklets, where 140 of 1,980 queries have no match.
TRACKLET = ("tracklet_id",)
MARS = {
    f"{name}-{how}": Protocol(
        f"MARS, tracklets: the features of all frames are pooled ({how}) to one vector{length}; gallery: {which}; "
        f"{MARKET.replace('images', 'tracklets')}; {DISTRACTORS}",
        query=persons_only,
        gallery=answer,
        query_pool=Pool(TRACKLET, how, unit=bool(length)),
        gallery_pool=Pool(TRACKLET, how, unit=bool(length)),
    )
    for name, length, which, answer in (
        ("official", ", which is brought to unit length", "all test tracklets, the asking ones among them", test_set),
        ("common", "", "the test tracklets that do not ask", gallery),
    )
    for how in ("average", "max")
}

# Yang et al., TPAMI 2021: one random image of each person by camera A, ten times, CMC only (FSAM, paper 004, follows).
# Later work (PAH-Net, paper 000) ranks all of camera A. With one right answer per query, AP is the reciprocal rank.
# The authors' own draws are not published; these come from NumPy's generator with seeds 0..9.
PRCC = {
    f"{clothes}-clothes-{shot}-shot": Protocol(
        f"PRCC, {clothes} clothes: queries of camera {'ABC'[camera]}; gallery: "
        + ("one random image per person of camera A, ten draws averaged" if draws else "all images of camera A")
        + f"; {MARKET}",
        query=by_cameras(queries, camera),
        draws=draws,
    )
    for clothes, camera in (("cross", 2), ("same", 1))
    for shot, draws in (("single", 10), ("multi", 0))
}

# Qian et al., ACCV 2020. The cloth-changing setting is applied per query on the whole test set, so persons who never
# change clothes remain as wrong answers; others first cut query and gallery to the persons who change: both are here.
LTCC = {
    "standard": Protocol(f"LTCC, standard: {MARKET}"),
    "cloth-changing": Protocol(f"LTCC, cloth-changing, whole test set: {CROSS}", cross_clothes_rule),
    "cloth-changing-cut": Protocol(
        f"LTCC, cloth-changing, query and gallery cut to the persons listed as changing clothes: {CROSS}",
        cross_clothes_rule,
        who_change_clothes(queries),
        who_change_clothes(gallery),
    ),
    "same-clothes": Protocol(f"LTCC, same clothes, whole test set: {SAME}", same_clothes_rule),
}

# Wan et al., CVPR Workshops 2020. The choice of cameras fixes the clothes; numbers of cameras are 1-based in the text.
VC_CLOTHES = {
    "general": Protocol(f"VC-Clothes, all cameras: {MARKET}"),
    "same-clothes": Protocol(
        f"VC-Clothes, same clothes, cameras 2 and 3 only: {MARKET}",
        query=by_cameras(queries, 1, 2),
        gallery=by_cameras(gallery, 1, 2),
    ),
    "cross-clothes": Protocol(
        f"VC-Clothes, cross clothes, cameras 3 and 4 only: {MARKET}",
        query=by_cameras(queries, 2, 3),
        gallery=by_cameras(gallery, 2, 3),
    ),
}

# Li et al., CVPR 2014: every test image asks; per repetition one random image of each person and view is the gallery,
# of which the other view's are ranked. CMC is the measure; AP is then the reciprocal rank. Results are those of one of
# the 20 splits; their mean is what papers report.
CUHK03_CLASSIC = {
    "classic": Protocol(
        "CUHK03, classic protocol, one of 20 splits: all images of 100 persons ask; gallery: one random image per "
        "person of the other view, 100 draws averaged; right is the same person",
        other_cameras_rule,
        test_set,
        test_set,
        draws=100,
    )
}
# Zhong et al., CVPR 2017
CUHK03_NEW = {"new": Protocol(f"CUHK03, new protocol (767/700 persons): {MARKET}")}

# One of ten random splits (partreid.datasets.cuhk01); view A asks, view B answers.
CUHK01 = {
    "single-shot": Protocol(
        "CUHK01, one of ten random splits: images of view A ask; gallery: one random image per person of view B, ten "
        "draws averaged; right is the same person",
        draws=10,
    ),
    "multi-shot": Protocol("CUHK01, one of ten random splits: images of view A ask, all images of view B answer"),
}

# occluded-query: as Occluded-Duke, occluded queries against an ordinary gallery, some of it occluded too.
# same-clothes, cross-clothes: as LTCC, per query on the whole test set.
RENDERED = {
    "general": Protocol(f"rendered people, Market rule: {MARKET}"),
    "same-clothes": Protocol(f"rendered people, same clothes: {SAME}", same_clothes_rule),
    "cross-clothes": Protocol(f"rendered people, cross clothes: {CROSS}", cross_clothes_rule),
    "occluded-query": Protocol(
        f"rendered people, occluded queries against the whole gallery, Market rule: {MARKET}",
        query=occluded_queries,
    ),
    "misaligned-query": Protocol(
        f"rendered people, queries whose box is shifted, loose or cuts the person, Market rule: {MARKET}",
        query=misaligned_queries,
    ),
}

PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "synthetic": RENDERED,
    "synthetic_large": RENDERED,
    # the Market rule; own photos without cameras: nothing is removed but the query image itself
    "folder": {
        "photos": Protocol(f"own photos, Market rule: {MARKET}; an image without a camera is compared with all others")
    },
    "market1501": MARKET1501,
    "market1501_multi_query": MARKET1501 | MULTI_QUERY,
    "market1501_500k": LARGE,
    "dukemtmc": {"duke": Protocol(f"DukeMTMC-reID: {MARKET}")},
    "msmt17_v1": {"msmt17": Protocol(f"MSMT17 V1: {MARKET}")},
    "msmt17_v2": {"msmt17": Protocol(f"MSMT17 V2 (faces masked): {MARKET}")},
    "mars": MARS,
    # Miao et al., ICCV 2019
    "occluded_duke": {"occluded": Protocol(f"Occluded-Duke: occluded queries against an ordinary gallery; {MARKET}")},
    # Zhuo et al., ICME 2018, split the persons into halves; later work trains elsewhere and tests on all 200
    "occluded_reid": {
        "occluded": Protocol(
            "Occluded-REID, all 200 persons: occluded queries against a gallery of whole bodies; nothing is removed"
        )
    },
    "p_dukemtmc": {
        "occluded": Protocol(
            "P-DukeMTMC-reID: occluded queries against a gallery of whole bodies; nothing is removed for its camera"
        )
    },
    "prcc": PRCC,
    "ltcc": LTCC,
    "vc_clothes": VC_CLOTHES,
    # Huang et al., IJCNN 2019: there are no cameras, so nothing is removed
    "celeb_reid": {"celeb": Protocol("Celeb-reID: every query against the whole gallery; nothing is removed")},
    "celeb_reid_light": {
        "celeb": Protocol("Celeb-reID-light: every query against the whole gallery; nothing is removed")
    },
    "cuhk03_detected": CUHK03_NEW,
    "cuhk03_labeled": CUHK03_NEW,
    "cuhk03_classic_detected": CUHK03_CLASSIC,
    "cuhk03_classic_labeled": CUHK03_CLASSIC,
    "cuhk01_100": CUHK01,
    "cuhk01_486": CUHK01,
}


def of(dataset: str) -> dict[str, Protocol]:
    """A data set's protocols. UserError where it has none, which says where to add them."""
    if dataset not in PROTOCOLS:
        raise UserError(
            f"{dataset} has no protocols, which say who asks and who answers; add them to PROTOCOLS in {FILE}"
        )
    return PROTOCOLS[dataset]


def reached(protocols: Mapping[str, Protocol], images: int) -> dict[str, Protocol]:
    """The protocols of a data set whose gallery has this many images, by names that say what they are.

    Those that ask for a larger gallery (distractors that were not all fetched) are one, called by the real size.
    """
    result = {name: protocol for name, protocol in protocols.items() if protocol.images <= images}
    for protocol in protocols.values():
        if protocol.images > images:
            text = f"{protocol.text}; INCOMPLETE: {images:,} of {protocol.images:,} gallery images"
            result.setdefault(f"gallery-{images}", replace(protocol, text=text))
    return result
