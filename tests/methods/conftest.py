"""The small network is a backbone in the tests of the methods."""

import pytest

import small_networks


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    small_networks.register(monkeypatch)
