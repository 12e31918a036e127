"""Shared by the tests of the pipeline."""

import pytest

from pipeline.warm import warm


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A folder with a `python` and a `dvc` that start at once."""
    with warm(tmp_path_factory.mktemp("programs")) as folder:
        yield folder
