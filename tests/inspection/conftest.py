"""A small project whose labels are looked at."""

import pytest

import labelled_project


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """The project of labelled_project, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    labelled_project.project(tmp_path)
    return tmp_path
