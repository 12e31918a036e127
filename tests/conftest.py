"""Shared by all tests."""

from pathlib import Path

import pytest

import partreid  # noqa: F401  before any test imports torch: sets how its threads wait


@pytest.fixture
def project() -> Path:
    """The project's root folder."""
    return Path(__file__).parents[1]
