"""The large rendered set: more outfits, the same renderer and protocols."""

import pytest

from partreid import params
from partreid.datasets import DATASETS
from partreid.errors import UserError
from partreid.evaluation.protocols import PROTOCOLS
from partreid.storage.places import index_stage
from partreid.synthetic import people, plan, render


def test_persons_have_as_many_outfits_as_asked_for_or_one_more():
    for outfits in (2, 3):
        counts = [len(people.person(plan.random(1, "person", pid), outfits).outfits) for pid in range(40)]
        assert set(counts) == {outfits, outfits + 1}
        assert 4 < counts.count(outfits + 1) < 20
    first, more = (people.person(plan.random(1, "person", 3), outfits) for outfits in (2, 3))
    assert more.outfits[: len(first.outfits)] == first.outfits  # no other draws before


def test_no_outfit_of_the_large_set_tells_a_person_from_all_his_images(project):
    """Every person of the test is asked for in one outfit and found in two others or more."""
    p = params.load(project / "params.yaml").synthetic_large
    assert (p.train_identities, p.test_identities, p.images) == (512, 128, 16)
    for pid in range(p.train_identities + 1, p.train_identities + p.test_identities + 1):
        outfits = len(people.person(plan.random(p.seed, "person", pid), p.outfits).outfits)
        shots = plan.shots(p.seed, pid, False, p.images, outfits)
        for query in (shot for shot in shots if shot.split == "query"):
            others = {shot.outfit for shot in shots if shot.split == "gallery" and shot.camera != query.camera}
            assert len(others - {query.outfit}) >= 2


def test_it_is_a_data_set_of_its_own(project):
    p = params.load(project / "params.yaml")
    assert p.root("synthetic_large").as_posix() == "data/synthetic_large"
    assert "synthetic_large" in p.datasets
    assert DATASETS["synthetic_large"] is DATASETS["synthetic"]
    assert PROTOCOLS["synthetic_large"] is PROTOCOLS["synthetic"]
    assert index_stage("synthetic_large") == "data/dvc.yaml:index-synthetic_large"


@pytest.mark.parametrize(("images", "outfits", "message"), [(7, 3, "at least 8"), (8, 1, "expected at least 2")])
def test_too_few_images_or_outfits_are_named(tmp_path, images, outfits, message):
    size = {"seed": 1, "train_identities": 1, "test_identities": 1, "height": 64, "width": 32, "processes": 1}
    with pytest.raises(UserError, match=message):
        render.render(tmp_path / "set", **size, images=images, outfits=outfits)
    assert not (tmp_path / "set").exists()
