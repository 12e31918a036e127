"""Shared by all tests."""

from pathlib import Path
from typing import Any

import pytest

import partreid  # noqa: F401  before any test imports torch: sets how its threads wait
from partreid import params


@pytest.fixture
def project() -> Path:
    """The project's root folder."""
    return Path(__file__).parents[1]


@pytest.fixture
def values(project: Path) -> dict[str, Any]:
    """What the project's params.yaml holds."""
    return params.read(project / "params.yaml")
