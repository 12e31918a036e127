import os
import sys
import tomllib
from pathlib import Path

import pyarrow as pa
import pytest

from partreid.errors import UserError
from partreid.storage import published_weights
from partreid.storage.files import sha256
from partreid.tools import densepose, isolated, openpifpaf
from partreid.tools.base import Images

SCRIPTS = (openpifpaf.SCRIPT, densepose.SCRIPT)


@pytest.fixture
def images(tmp_path):
    table = pa.table({"path": ["a.jpg"], "height": [4], "width": [2]})
    return Images("some", table, "ab" * 32, tmp_path / "root", tmp_path / "some.parquet")


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """Puts a program that plays uv first; call it with its body in sh. It notes its arguments in calls.txt."""

    def make(body: str) -> Path:
        file = tmp_path / "bin" / "uv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls.txt\n{body}\n')
        file.chmod(0o755)
        monkeypatch.setattr(isolated.sys, "executable", str(file.parent / "python"))
        return file

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls.txt").read_text().splitlines()


def header(script: str) -> dict:
    """The script's metadata, read as PEP 723 says."""
    lines = (isolated.FOLDER / script).read_text(encoding="utf-8").split("# ///")[1].splitlines()[1:]
    return tomllib.loads("\n".join(line[2:] for line in lines))


@pytest.mark.parametrize("script", SCRIPTS)
def test_headers_pin_everything_and_torch_once(script):
    metadata = header(script)
    assert metadata["dependencies"] == isolated.requirements(isolated.FOLDER / script)
    for requirement in metadata["dependencies"]:
        assert "==" in requirement or len(requirement.partition("@ git+")[2].partition("@")[2][:40]) == 40
    (torch,) = [requirement for requirement in metadata["dependencies"] if requirement.startswith("torch==")]
    for extra in metadata["tool"]["uv"]["extra-build-dependencies"].values():
        assert torch in extra  # what is compiled must be compiled against the torch it runs with


def test_torch_is_partreids_own_pin(project):
    ours = (project / "requirements.txt").read_text()
    for script in SCRIPTS:
        for requirement in isolated.requirements(isolated.FOLDER / script):
            if requirement.startswith(("torch==", "numpy==", "pyarrow==", "opencv-python-headless==")):
                assert f"{requirement}\n" in ours.replace(" #", "\n#")


def test_an_installed_program_is_started(uv, images, tmp_path):
    path = uv("exit 0")
    made = isolated.program(openpifpaf.SCRIPT, images, {"min_score": 0.5, "device": "cpu"})
    words = list(made.command)
    assert words[:2] == [str(path), "run"]
    assert words[words.index("--script") + 1] == str(isolated.FOLDER / openpifpaf.SCRIPT)
    options = {words[i]: words[i + 1] for i in range(words.index("--table"), len(words), 2)}
    assert options == {
        "--table": str(images.file), "--root": str(images.root), "--parent": str(os.getpid()),
        "--min-score": "0.5", "--device": "cpu",
    }  # fmt: skip
    assert [line.split()[-1] for line in calls(tmp_path)] == ["--offline"]  # it was there


def test_a_missing_program_is_installed_once(uv, images, tmp_path, capfd):
    uv(f'case "$*" in *--check*) exit 1;; esac; echo "Downloaded torch" >&2; touch {tmp_path}/installed')
    isolated.program(densepose.SCRIPT, images, {})
    assert (tmp_path / "installed").exists()
    shown = capfd.readouterr().err
    assert "installing what run_densepose.py needs" in shown
    assert "Downloaded torch" in shown


def test_a_failed_installation_is_an_error_in_one_line(uv, images):
    uv('case "$*" in *--check*) exit 1;; esac; echo "error: no network\n\n  cause: no such host" >&2; exit 2')
    with pytest.raises(UserError, match=r"run_densepose\.py failed.*at last: cause: no such host$") as error:
        isolated.program(densepose.SCRIPT, images, {})
    assert "\n" not in str(error.value)


def test_without_uv_the_error_says_how_to_get_it(images, monkeypatch, tmp_path):
    monkeypatch.setattr(isolated.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="pip install uv"):
        isolated.program(openpifpaf.SCRIPT, images, {})


def entry(name: str, url: str) -> published_weights.Weights:
    return published_weights.Weights(name, published_weights.Url(url), "", 1, "none")


def test_missing_weights_are_named_before_anything_is_installed(uv, images, tmp_path, monkeypatch):
    uv("exit 0")
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path / "cache"))
    absent = (tmp_path / "absent").as_uri()
    for tool, name, own in (
        (openpifpaf, "shufflenetv2k16", {}),
        (densepose, "R_50_FPN_s1x", {"min_score": 0.5}),
    ):
        monkeypatch.setitem(published_weights.WEIGHTS, tool.PUBLISHED[name], entry("file.pkl", absent))
        with pytest.raises(UserError, match=r"By hand.*absent.*put it at .*file\.pkl"):
            tool.build(images, checkpoint=name, batch=1, device="cpu", **own)
    assert not (tmp_path / "calls.txt").exists()


def test_headers_name_weights_and_packages(uv, images, tmp_path, monkeypatch):
    uv("exit 0")
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path))
    (tmp_path / "file.pkl").write_bytes(b"weights")
    monkeypatch.setitem(published_weights.WEIGHTS, openpifpaf.PUBLISHED["shufflenetv2k16"], entry("file.pkl", "x"))
    made, work = openpifpaf.build(images, checkpoint="shufflenetv2k16", batch=4, device="auto")
    assert made["weights"] == sha256(tmp_path / "file.pkl")
    assert made["kind"] == "tool/openpifpaf"
    assert "openpifpaf-vita==0.14.2" in made["parameters"]["packages"]
    assert work.command[work.command.index("--checkpoint") + 1] == str(tmp_path / "file.pkl")
    own, _ = openpifpaf.build(images, checkpoint=str(tmp_path / "file.pkl"), batch=4, device="auto")
    assert own["weights"] == made["weights"]
    random, work = openpifpaf.build(images, checkpoint="random:shufflenetv2k16", batch=4, device="auto")
    assert random["weights"] is None
    assert random["parameters"]["checkpoint"] == "random:shufflenetv2k16"
    faster, _ = openpifpaf.build(images, checkpoint="random:shufflenetv2k16", batch=64, device="cuda")
    assert faster == random  # how fast it went is no part of what it is
    made, work = densepose.build(images, checkpoint="random", min_score=0.25, batch=1, device="cpu")
    assert made["parameters"]["min_score"] == 0.25
    assert work.command[work.command.index("--min-score") + 1] == "0.25"


@pytest.mark.parametrize(("tool", "own"), [(openpifpaf, {}), (densepose, {"min_score": 0.5})])
def test_a_checkpoint_that_is_neither_a_name_nor_a_file_is_an_error(tool, own, uv, images):
    uv("exit 0")
    with pytest.raises(UserError, match=r"no file shufflenet2k16.*known names"):
        tool.build(images, checkpoint="shufflenet2k16", batch=4, device="auto", **own)
    with pytest.raises(UserError, match=r"run_\w+\.py: batch is 0, expected at least 1"):
        tool.build(images, checkpoint="random" if own else "random:shufflenetv2k16", batch=0, device="auto", **own)


def test_programs_are_never_imported_by_partreid():
    assert not {"openpifpaf", "detectron2", "run_openpifpaf", "run_densepose"} & set(sys.modules)
