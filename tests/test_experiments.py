"""What counts as done, and that only what is new is queued."""

import copy

import pytest
import yaml

from partreid import experiments, params
from partreid.errors import UserError
from partreid.experiments import experiment, state


@pytest.fixture
def values(project):
    return yaml.load((project / "params.yaml").read_text(), params.Loader)


def shown(content, metrics, progress="success"):
    data = {
        "params": {"params.yaml": {"data": content}},
        "metrics": {"results/synthetic/mpn/metrics.json": {"data": metrics}, "another.json": {"error": "gone"}},
    }
    return [
        {"rev": "workspace", "data": data, "experiments": None},
        {"rev": "abc", "experiments": [{"revs": [{"data": data}], "executor": {"state": progress}}, {"revs": [{}]}]},
    ]


CHANGES = {"model": "mpn", "dataset": "synthetic", "train.seed": 7, "methods.mpn.alignment": "none"}
METRICS = {"general": {"mAP": 0.5, "rank1": 0.6}}


def test_an_experiment_is_known_by_its_parameters(values):
    wanted = experiment("x", values, CHANGES).wanted
    assert wanted["methods"]["mpn"]["alignment"] == "none"
    assert wanted["train"]["seed"] == 7
    assert values["train"]["seed"] != 7  # a copy
    assert state(shown(wanted, METRICS), wanted) == ("done", METRICS)
    assert state(shown(wanted, METRICS, "queued"), wanted) == ("queued", None)
    assert state(shown(wanted, METRICS, "running"), wanted) == ("queued", None)
    assert state(shown(wanted, METRICS, "failed"), wanted) == ("new", None)
    assert state(shown(wanted, None), wanted) == ("new", None)
    assert state([], wanted) == ("new", None)
    other = copy.deepcopy(wanted)
    other["labels"]["schp"]["thickness"] = 2.0
    assert state(shown(other, METRICS), wanted) == ("new", None)


def test_names_are_what_git_takes_and_tell_parameters_apart(values):
    name = experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, CHANGES).identifier
    assert name.startswith("mpn-1-na-ve-mtl-eq-9-10-s2-")
    assert name != experiment("mpn-1-Naïve MTL (Eq. 9) [10]-s2", values, {**CHANGES, "train.seed": 8}).identifier


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (0.01, "0.01"), ("class", "class"), ([1, 2], "[1, 2]"), ("a b", "'a b'"), (None, "null")],
)
def test_overrides_are_dvcs(value, text):
    assert experiments.override("a.b", value) == f"a.b={text}"


@pytest.mark.parametrize(("runs", "text"), [([], "-"), ([0.25], "25.0"), ([0.2, 0.3], "25.0 ± 7.1")])
def test_mean_and_sample_standard_deviation(runs, text):
    assert experiments.spread(runs) == text


@pytest.fixture
def dvc(monkeypatch, values):
    """What was done, in order; after `work`, all experiments have a result."""
    done = []
    wanted = experiment("done", values, CHANGES).wanted
    monkeypatch.setattr(experiments, "show", lambda: [each for content in known for each in shown(content, METRICS)])
    monkeypatch.setattr(experiments, "committed", lambda: done.append("committed"))
    monkeypatch.setattr(experiments, "dvc", lambda *words: done.append(words[4]))
    monkeypatch.setattr(
        experiments, "work", lambda: known.append(experiment("", values, {**CHANGES, "train.seed": 8}).wanted)
    )
    known = [wanted]
    return done


def test_only_what_is_new_is_queued_and_what_has_no_result_is_named(dvc, values, capsys):
    both = [experiment(f"s{seed}", values, {**CHANGES, "train.seed": seed}) for seed in (7, 8)]
    assert experiments.complete(both, "T", dry=True) is None
    out = capsys.readouterr().out
    assert "T: 2 runs, 1 done, 0 queued, 1 new" in out
    assert out.count("dvc exp run --queue") == 1
    assert "-S train.seed=8 -S methods.mpn.alignment=none evaluate" in out
    assert dvc == []

    assert experiments.complete(both, "T", before=lambda: dvc.append("before")) == [METRICS, METRICS]
    assert dvc == ["committed", "before", both[1].identifier]
    assert experiments.complete(both, "T", before=lambda: dvc.append("before")) == [METRICS, METRICS]
    assert len(dvc) == 3

    more = [*both, experiment("s9", values, {**CHANGES, "train.seed": 9})]
    results = experiments.complete(more, "T")
    assert results == [METRICS, METRICS, None]
    with pytest.raises(UserError, match="no result of s9: `dvc queue status`"):
        experiments.all_there(more, results)
