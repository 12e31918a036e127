"""speed.json: read back as it was measured, and not where it was measured of something else."""

import json
from dataclasses import replace

import pytest

from partreid import params
from partreid.experiments import speed_file
from partreid.experiments.speed_file import Cost
from partreid.storage import source


@pytest.fixture
def p(project):
    return params.load(project / "params.yaml")


@pytest.fixture
def costs():
    return {
        "bot": Cost(2_000_000, 1280, 40.0, 160.0, 0.0, [], []),
        "pah": Cost(9_500_000, 4096, 10.0, 80.0, 0.05, ["heads"], ["heads"]),
        "mpn": Cost(3_000_000, 768, 20.0, 120.0, None, ["schp"], []),
    }


@pytest.fixture
def speed(p, costs, tmp_path):
    """A speed.json of these costs."""
    about = {"device": "the CPU", "revision": "abc", "batch": 8, "rounds": 1}
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(speed_file.measured(about, p, costs)))
    return path


def test_costs_are_read_back_with_where_they_were_measured(p, costs, speed):
    del costs["mpn"]
    assert speed_file.recorded(speed, p, ["pah", "bot"]) == (costs, "the CPU (revision abc)")


def test_a_measurement_of_other_values_is_out_of_date(p, speed, monkeypatch):
    def known(p, *models):
        return speed_file.recorded(speed, p, models) is not None

    assert known(p, "bot", "pah")
    assert not known(p, "bot", "pcb")
    wider = replace(p, methods={**p.methods, "pah": {**p.methods["pah"], "parts": 5}})
    assert known(wider, "bot")
    assert not known(wider, "bot", "pah")
    assert not known(replace(p, recipe="paper"), "bot")
    assert not known(replace(p, methods={**p.methods, "bot": {**p.methods["bot"], "margin": 0.2}}), "bot")
    assert not known(replace(p, train=replace(p.train, device="cuda")), "bot")
    assert not known(replace(p, train=replace(p.train, precision="float32")), "bot")
    assert known(replace(p, train=replace(p.train, seed=7)), "bot")
    assert not known(replace(p, tools={**p.tools, "blazepose": {**p.tools["blazepose"], "looks": 5}}), "bot")
    monkeypatch.setattr(speed_file, "CODE", ("partreid.experiments.costs",))
    assert not known(p, "bot")


def test_the_code_that_decides_a_cost_is_there():
    assert all(source.reached(name) for name in speed_file.CODE)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"methods": []}', '{"methods": {"bot": 1}}', '{"methods": {"bot": {}}}']
)
def test_another_file_is_no_measurement(p, speed, text):
    speed.write_text(text)
    assert speed_file.recorded(speed, p, ["bot"]) is None
    speed.unlink()
    assert speed_file.recorded(speed, p, ["bot"]) is None


def test_a_measurement_of_another_version_is_none(p, speed):
    whole = json.loads(speed.read_text())
    for key in ("device", "revision"):
        speed.write_text(json.dumps({name: value for name, value in whole.items() if name != key}))
        assert speed_file.recorded(speed, p, ["bot"]) is None
    whole["methods"]["bot"]["more"] = 1
    speed.write_text(json.dumps(whole))
    assert speed_file.recorded(speed, p, ["bot"]) is None
