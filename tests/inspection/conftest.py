"""A small project whose labels are looked at."""

import pytest

import labelled_project


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """The project of labelled_project, which is the current folder."""
    return labelled_project.entered(tmp_path, monkeypatch)
