"""Shared by all tests: one thread per process, so that tests beside each other do not fight over the cores."""

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]

torch.set_num_threads(2)


@pytest.fixture
def project() -> Path:
    """The project's root folder."""
    return ROOT
