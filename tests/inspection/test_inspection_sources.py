"""Where labels can be had from, and how far two sources agree."""

from pathlib import Path

import numpy as np
import pytest

from labelled_project import make
from partreid import params
from partreid.drawing.label_views import VIEWS
from partreid.errors import UserError
from partreid.inspection import diff
from partreid.inspection.sources import CACHE, file, sources, word
from partreid.labels import LABELS, made
from partreid.quality import MEASURES
from partreid.quality.images import open_images
from partreid.quality.side import open_side

pytestmark = pytest.mark.usefixtures("labelled")


def test_sources_are_what_lies_there():
    assert sources("pifpaf", "synthetic") == ["blazepose", "truth"]
    path = make("pifpaf")
    assert path == file("pifpaf", "synthetic")
    assert sources("pifpaf", "synthetic") == [CACHE, "blazepose", "truth"]
    assert word("pifpaf", "synthetic", CACHE) == str(path)
    assert word("pifpaf", "synthetic", "truth") == "truth"
    assert sources("pseudo_parts", "synthetic") == []
    labels = np.ones((1, 16, 8), np.uint8)
    index = Path("data/index/synthetic.parquet")
    made.write(file("pseudo_parts", "synthetic"), "pseudo_parts", index, ["4.png"], labels, {})
    assert sources("pseudo_parts", "synthetic") == [CACHE]


@pytest.mark.parametrize(
    ("label", "source", "words"),
    [
        ("pifpaf", CACHE, "no pifpaf labels of synthetic yet; `dvc repro data/dvc.yaml:pifpaf@synthetic` makes them"),
        ("pseudo_parts", CACHE, "`dvc exp run dvc.yaml -S model=pah -S dataset=synthetic` makes them"),
        ("pifpaf", "consensus", "`dvc repro data/dvc.yaml:tool@consensus-synthetic` makes it"),
        ("pifpaf", "openpose", "cannot be made from 'openpose'; there are: blazepose, truth"),
        ("heads", "../../etc/passwd", "cannot be made from '../../etc/passwd'; there are: blazepose, truth"),
        ("pseudo_parts", "truth", "cannot be made from 'truth'; there are: none"),
    ],
)
def test_what_is_not_there_says_what_makes_it(label, source, words):
    with pytest.raises(UserError) as error:
        word(label, "synthetic", source)
    assert words in str(error.value)


@pytest.mark.parametrize("label", sorted(LABELS))
def test_agreement_is_known_where_both_found_somebody(label):
    p = params.load()
    images = open_images("synthetic", p)
    members, options = VIEWS[label].members, p.labels[label].options
    a, b = (open_side(tool, label, members, images, options) for tool in ("blazepose", "truth"))
    values = diff.agreement(MEASURES[label], a, b, np.arange(6))
    assert np.isnan(values).tolist() == [False, True, True, False, False, True]  # 1 and 2: neither; 5: one alone
    assert values[0] == values[4] == pytest.approx(1)
    assert values[3] < 0.9 or label == "poses"  # a pose is the same wherever it stands
    assert np.array_equal(diff.agreement(MEASURES[label], a, b, np.array([3])), values[3:4])
    assert np.isnan(diff.agreement(MEASURES[label], a, b, np.array([1, 5]))).all()
