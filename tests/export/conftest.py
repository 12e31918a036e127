import logging

import pytest

import small_networks


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """A backbone of five convolutions; and pytest does not write down the exporter's traces, which takes seconds."""
    small_networks.register(monkeypatch)
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "propagate", False)
