import math

import pytest

from partreid.training.budget import spent


def test_sums_over_the_epochs_and_the_last_ones_classifiers():
    history = [
        {"steps": 4, "images": 256, "identity": 12.0, "other": 3.0, "loss": 9.0},
        {"steps": 5, "images": 320, "identity": 6.0, "other": 2.0, "loss": 8.0},
    ]
    found = spent(history, {"identity": 3, "other": 1}, 64)
    assert found == {
        "epochs": 2,
        "steps": 9,
        "images": 576,
        "cross_entropy": 2.0,
        "chance": pytest.approx(4.1589, abs=1e-4),
    }


def test_without_a_classifier_there_is_no_cross_entropy():
    assert spent([{"steps": 1, "images": 4}], {}, 3) == {
        "epochs": 1,
        "steps": 1,
        "images": 4,
        "cross_entropy": None,
        "chance": math.log(3),
    }
    assert spent([], {"identity": 1}, 3)["cross_entropy"] is None
