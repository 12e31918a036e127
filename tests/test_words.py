"""What is said to a person: names in order, nouns that fit, the command that makes a file, a disk that is full."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from partreid import params
from partreid.errors import UserError, choose
from partreid.experiments import check
from partreid.storage.places import absent, maker
from partreid.words import counted


def test_known_names_that_hold_numbers_come_in_the_order_of_the_numbers():
    with pytest.raises(UserError, match="known: 2, 5, 10, part_9, part_10"):
        choose(dict.fromkeys(["part_10", "10", "2", "part_9", "5"]), "x", "thing")


def test_known_names_that_hold_commas_are_told_apart():
    with pytest.raises(UserError, match=r"known: PSA; PSA, C1-S$"):
        choose(dict.fromkeys(["PSA, C1-S", "PSA"]), "x", "row")
    with pytest.raises(UserError, match=r"known: 1, 3$"):
        choose(dict.fromkeys([3, 1]), 2, "number of looks")


def test_one_is_no_plural():
    assert [counted(n, "epoch") for n in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("data/index/synthetic.parquet", "dvc repro data/dvc.yaml:index-synthetic"),
        ("data/index/synthetic_large.parquet", "dvc repro data/dvc.yaml:index-synthetic_large"),
        ("/a/data/index/prcc.parquet", "dvc repro data/dvc.yaml:index@prcc"),
        ("data/labels/heads/synthetic.parquet", "dvc repro data/dvc.yaml:heads@synthetic"),
        ("/a/data/tools/blazepose/folder.npz", "dvc repro data/dvc.yaml:tool@blazepose-folder"),
        ("runs/bot-folder/embeddings.npz", "dvc exp run dvc.yaml -S model=bot -S dataset=folder"),
        (
            "/a/runs/bot-folder/embeddings-prcc.npz",
            "dvc exp run dvc.yaml -S model=bot -S dataset=folder -S 'also_test_on=[prcc]'",
        ),
        ("runs/pretrain-ide-folder/weights.safetensors", "dvc repro stages/dvc.yaml:pretrain@ide"),
        ("results/prcc/bot/cmc.csv", "dvc exp run dvc.yaml -S model=bot -S dataset=prcc"),
        (
            "results/prcc/bot-folder/metrics.json",
            "dvc exp run dvc.yaml -S model=bot -S dataset=folder -S 'also_test_on=[prcc]'",
        ),
        ("data/synthetic/truth.npz", "dvc repro data/dvc.yaml:synthetic"),
        ("/home/me/mine.npz", ""),
        ("runs/pah-prcc/labels/pseudo_parts.npz", "dvc exp run dvc.yaml -S model=pah -S dataset=prcc"),
    ],
)
def test_a_file_is_made_by_its_stage(project, file, command):
    assert maker(Path(file)) == command
    if ":" in command:
        pipeline, _, stage = command.removeprefix("dvc repro ").partition(":")
        assert f"  {stage.partition('@')[0]}:" in (project / pipeline).read_text()


@pytest.mark.parametrize("program", ["embed", "export"])
def test_a_method_that_there_is_not_is_not_looked_for(project, monkeypatch, program):
    monkeypatch.chdir(project)
    monkeypatch.setattr("sys.argv", [program, "bott", "synthetic"])
    with pytest.raises(UserError, match="unknown model 'bott'; known: bot, bpbreid"):
        runpy.run_path(str(project / f"stages/{program}.py"))["main"]()


@pytest.mark.parametrize("program", ["keep", "runs"])
def test_another_folder_than_the_projects_is_told_as_one(project, tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [program, *(["name"] if program == "keep" else [])])
    with pytest.raises(UserError, match=r"no params\.yaml here; run from the project's root folder"):
        runpy.run_path(str(project / f"stages/{program}.py"))["main"]()


@pytest.mark.parametrize("program", ["ablation", "check", "compare", "keep", "runs", "search", "serve", "splits"])
def test_what_a_person_types_shows_its_help_without_torch(project, program):
    script = str(project / f"stages/{program}.py")
    shown = (
        "import runpy, sys\n"
        f"sys.argv = [{script!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({script!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    heavy = {'torch', 'matplotlib', 'scipy'} & sys.modules.keys()\n"
        "    sys.exit(end.code or bool(heavy) and str(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


def test_no_program_takes_a_number_without_a_bound(project):
    programs = [*project.glob("stages/*.py"), *project.glob("benchmarks/*.py"), *project.glob("src/partreid/*/*.py")]
    for file in programs:
        assert not re.search(r"add_argument\([^)]*type=(int|float)\b(?!.*a share)", file.read_text()), file


def test_no_command_is_named_that_does_not_make_the_file():
    assert absent(Path("mine.npz")) == "no file mine.npz"
    assert absent(Path("data/labels/heads/d.parquet")).endswith("; `dvc repro data/dvc.yaml:heads@d` makes it")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("recipes.laptop.epochs", "many", r"recipes\.laptop\.epochs must be int, found 'many'"),
        ("recipes.laptop.mpn.height", 1.5, r"recipes\.laptop\.mpn\.height must be int, found 1\.5"),
        ("methods.mpn.decay", "x", r"methods\.mpn\.decay must be float"),
    ],
)
def test_a_bad_value_is_said_where_it_stands(values, path, value, said):
    *way, key = path.split(".")
    place = values
    for step in way:
        place = place[step]
    place[key] = value
    with pytest.raises(UserError, match=said):
        params.parse(values)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_said_by_the_check_even_when_nothing_has_to_train(values):
    values["train"]["device"] = "cuda"
    with pytest.raises(UserError, match="torch sees no CUDA device"):
        check.names(params.parse(values))


WRITE = """
import resource, signal, sys, torch
from pathlib import Path
from partreid.program import run
from partreid.storage import torchfile, weights
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
file = Path(sys.argv[1])
big = {"a": torch.zeros(100_000)}
run((lambda: torchfile.save(file, big)) if file.suffix == ".pt" else (lambda: weights.save(file, {}, big)))
"""


@pytest.mark.parametrize("name", ["checkpoint.pt", "weights.safetensors"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, name):
    done = subprocess.run([sys.executable, "-c", WRITE, tmp_path / name], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / name} cannot be written (")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
