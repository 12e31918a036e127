"""Which pictures are taken: every protocol has its queries."""

import pytest

from partreid.errors import UserError
from partreid.synthetic import plan


@pytest.mark.parametrize("images", [6, 7, 16, 40])
@pytest.mark.parametrize("outfits", [2, 3])
def test_queries_find_the_same_and_another_outfit_under_another_camera(images: int, outfits: int) -> None:
    for pid in range(1, 40):
        shots = plan.shots(3, pid, False, images, outfits)
        gallery = [s for s in shots if s.split == "gallery"]
        queries = [s for s in shots if s.split == "query"]
        assert len(shots) == images
        assert queries
        assert len(queries) <= round(images / 4) + 1
        assert any(s.occlude for s in queries)
        for query in queries:
            others = [s for s in gallery if s.camera != query.camera]
            assert any(s.outfit == query.outfit for s in others)
            assert any(s.outfit != query.outfit for s in others)


def test_training_persons_have_no_test_pictures_and_names_are_unique() -> None:
    shots = plan.shots(3, 12, True, 40, 3)
    assert {s.split for s in shots} == {"train"}
    assert len({s.path() for s in shots}) == 40
    assert {s.camera for s in shots} == set(range(plan.CAMERAS))


def test_the_name_pattern() -> None:
    shot = plan.Shot(65, 7, "query", 1, 0, False)
    assert shot.path() == "query/0065_c2s1_000007_00.jpg"
    assert shot.path(6) == "query/000065_c2s1_000007_00.jpg"


def test_the_seed_decides() -> None:
    assert plan.shots(3, 12, False, 16, 2) == plan.shots(3, 12, False, 16, 2)
    assert plan.shots(3, 12, False, 16, 2) != plan.shots(4, 12, False, 16, 2)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UserError, match="at least 6"):
        plan.shots(3, 1, False, 5, 3)
