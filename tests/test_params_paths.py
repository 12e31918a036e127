from dataclasses import replace
from pathlib import Path

import pytest

from partreid import params
from partreid.errors import UserError


def test_a_tilde_in_raw_is_the_home_folder(project, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    p = replace(params.load(project / "params.yaml"), raw={"folder": "~/photos", "ltcc": "/data/~x"})
    assert p.root("folder") == tmp_path / "photos"
    assert p.root("ltcc") == Path("/data/~x")
    with pytest.raises(UserError, match=r"~nobody-here/photos.*write the whole path"):
        params.home("~nobody-here/photos")
