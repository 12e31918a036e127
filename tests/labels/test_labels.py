"""What every label keeps to."""

import numpy as np
import pytest

from partreid import params
from partreid.labels import LABELS
from partreid.storage import cache
from upright import blob, native, people


@pytest.mark.parametrize("name", LABELS)
def test_an_image_has_the_same_label_in_whatever_piece_it_is_made(name, project, tmp_path):
    status = np.full(7, cache.OK, np.uint8)
    status[[1, 5]] = cache.MISSING, cache.FAILED
    sizes = np.array([[256, 128], [128, 64], [300, 100], [250, 140], [256, 90], [90, 128], [200, 128]])
    seen, table = native(tmp_path, status, {"keypoints": people(7), "person": blob().repeat(7, 0)}, sizes=sizes)
    options = params.load(project / "params.yaml").labels[name].options | dict.fromkeys(LABELS[name].beside, seen)
    _, work = LABELS[name].build(seen, table, **options)
    whole = work(0, 7)
    for start, stop in ((0, 3), (3, 7), (6, 7)):
        for member, values in work(start, stop).items():
            np.testing.assert_array_equal(values, whole[member][start:stop], err_msg=f"{member} {start}")


@pytest.mark.parametrize("name", LABELS)
def test_a_tool_feeds_a_label_that_gives_all_of_one_way_to_make_it(name):
    label = LABELS[name]
    for way in label.needs:
        assert label.fed_by({*way, "more"})
        assert not label.fed_by({*way[1:], "more"})
        assert label.fed_alone_by({*way, *label.beside})
        assert not label.fed_alone_by({*way[1:], *label.beside})
        assert label.fed_alone_by(way) == (not label.beside)
