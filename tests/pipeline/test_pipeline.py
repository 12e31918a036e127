"""The pipeline through the real `dvc`, on a tiny rendered data set, in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from partreid import params
from partreid.storage import embeddings

# everything that is not a pinned input: which stages run for which change
UPSTREAM = ["check", "source", "synthetic", "index-synthetic", "tool@blazepose-synthetic", "pifpaf@synthetic"]


# a data set and a recipe that take seconds; few data sets, because DVC makes stages of each, whatever it runs
TINY = {
    "datasets": ["synthetic", "folder"],
    "tools__blazepose__looks": 1,
    "synthetic__train_identities": 4,
    "synthetic__test_identities": 4,
    "synthetic__images": 6,
    "synthetic__train_images": 6,
    "recipes__laptop__epochs": 1,
    "recipes__laptop__batches_per_epoch": 1,
    "recipes__laptop__height": 64,
    "recipes__laptop__width": 32,
}


class Project:
    """A copy of the project's tracked kind of files in its own git and DVC repository.

    programs: a folder that stands first in its PATH; see pipeline.warm.
    """

    def __init__(self, source: Path, root: Path, programs: Path | None = None):
        self.root = root
        folders = "src", "stages", "weights"
        for name in (*folders, "data/dvc.yaml", "dvc.yaml", "params.yaml", ".gitignore", ".dvcignore"):
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (source / name).is_dir() else shutil.copy)(source / name, target)
        first = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{programs or first}:{first}:{os.environ['PATH']}",
            "PYTHONPATH": str(root / "src"),
            "DVC_NO_ANALYTICS": "1",
        }
        self.run("git", "init", "-q")
        self.run("git", "config", "user.name", "test")  # DVC commits too, and a fresh machine's git knows nobody
        self.run("git", "config", "user.email", "test@localhost")
        self.dvc("init", "-q")
        shutil.copytree(source / ".dvc/plots", root / ".dvc/plots")
        self.commit("project")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        program = shutil.which(command[0], path=self.environment["PATH"])
        words = [program or command[0], *command[1:]]
        done = subprocess.run(words, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("dvc", *arguments, check=check)

    def commit(self, message: str) -> None:
        """Everything there is."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def set(self, **values: object) -> None:
        """Change params.yaml: keys with __ for dots."""
        path = self.root / "params.yaml"
        content = params.read(path)
        for key, value in values.items():
            *way, last = key.split("__")
            place = content
            for step in way:
                place = place[step]
            place[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def repro(self) -> list[str]:
        """Run `dvc repro`; the names of the stages whose command was executed (not restored from the run cache)."""
        return executed(self.dvc("repro").stdout)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, programs):
    project = Project(Path(__file__).parents[2], tmp_path_factory.mktemp("pipeline"), programs)
    short = {
        "warmup_epochs": 0, "parsing__epochs": 1, "partmaps__epochs": 1, "partmaps__batches_per_epoch": 1
    }  # fmt: skip
    project.set(**TINY, **{f"recipes__laptop__{key}": value for key, value in short.items()})
    project.set(methods__bpbreid__embedding=16, methods__pabr__embedding=32)
    return project


@pytest.fixture(scope="module")
def built(tiny):
    tiny.first = tiny.repro()
    return tiny


def test_the_first_run_does_what_the_model_needs_and_no_more(built):
    # dvc lists data/ and stages/ cells in the order it runs them
    assert sorted(built.first) == sorted([*UPSTREAM, "train@bpbreid", "embed@bpbreid", "evaluate", "report"])
    for name in ("metrics.json", "cmc.csv", "ranks.parquet", "record.json", "report.html", "ranking.png"):
        assert (built.root / "results/synthetic/bpbreid" / name).stat().st_size > 0


def test_nothing_to_do(built):
    assert built.repro() == []


def test_another_model_runs_only_its_own_stages_and_going_back_runs_nothing(built):
    built.set(model="bot")
    assert built.repro() == ["check", "train@bot", "embed@bot", "evaluate", "report"]
    built.set(model="bpbreid")
    assert [stage for stage in built.repro() if stage != "check"] == []


def test_a_methods_value_retrains_only_that_method(built):
    built.set(methods__bpbreid__parts=8)
    assert built.repro() == ["check", "train@bpbreid", "embed@bpbreid", "evaluate", "report"]


def test_an_evaluation_value_only_evaluates(built):
    built.set(evaluate__average_precision="trapezoid", evaluate__rerank__code="python")
    assert built.repro() == ["check", "evaluate", "report"]
    metrics = json.loads((built.root / "results/synthetic/bpbreid/metrics.json").read_text())
    assert {"general", "general re-ranked"} <= set(metrics)


def test_another_tool_makes_new_labels(built):
    built.set(labels__pifpaf__tool="truth")
    assert built.repro() == [
        "check", "tool@truth-synthetic", "pifpaf@synthetic", "train@bpbreid", "embed@bpbreid", "evaluate", "report"
    ]  # fmt: skip


def test_an_edit_runs_again_what_it_can_change(built):
    def edit(name, text):
        file = built.root / "src/partreid" / name
        file.write_text(file.read_text() + text)

    edit("methods/mpn.py", "\nMORE = 1\n")
    edit("methods/bpbreid.py", "\n# a comment\n")
    assert built.repro() == ["source"]
    edit("labels/grouping.py", "\nMORE = 1\n")  # bpbreid's own, two imports away
    assert built.repro()[:3] == ["source", "train@bpbreid", "embed@bpbreid"]  # to the same numbers, this time


@pytest.mark.parametrize("label", ["heads", "schp", "poses", "partmaps"])
def test_every_label_is_one_stage_away(built, label):
    out = built.dvc("repro", f"data/dvc.yaml:{label}@synthetic").stdout
    assert f"Running stage 'data/dvc.yaml:{label}@synthetic'" in out
    assert "Running stage 'data/dvc.yaml:tool@blazepose" not in out  # it has looked already
    made = list((built.root / "data/labels" / label).iterdir())
    assert len(made) == 1
    assert "ok" in built.run("python", "stages/inspect.py", label, "synthetic", "--stats").stdout


def test_the_quality_of_a_tool_is_a_metric(built):
    built.dvc("repro", "data/dvc.yaml:quality@blazepose")
    assert "unoccluded" in built.dvc("metrics", "show", "--json").stdout
    for label in ("heads", "pifpaf", "schp", "poses", "partmaps"):
        assert (built.root / f"results/labels/blazepose/pictures/{label}.png").stat().st_size > 0


def test_metrics_and_plots_are_shown(built):
    assert "occluded-query" in built.dvc("metrics", "show", "--json").stdout
    assert "cmc.csv" in built.dvc("plots", "show", "--json", "-o", "plots").stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "bott"}, "error: unknown model 'bott'; known: bot, bpbreid"),
        ({"train__sed": 2}, "error: params.yaml: unknown key train.sed"),
        ({"dataset": "foo"}, "error: unknown data set 'foo'; known: celeb_reid, "),
        ({"recipe": "foo"}, "error: unknown recipe (`recipe` in params.yaml) 'foo'; known: laptop, paper"),
        ({"labels__pifpaf__tool": "foo"}, "error: unknown tool (labels.pifpaf.tool) 'foo'; known: alphapose, blaze"),
        (
            {"labels__heads__tool": "alphapose"},
            "error: params.yaml: labels.heads.tool is alphapose, which cannot feed it",
        ),
        (
            {"labels__schp__person": "openpose"},
            "error: unknown tool that gives `person` (labels.schp.person) 'openpose'",
        ),
    ],
)
def test_a_wrong_name_is_one_line_and_how_to_go_back(built, change, message):
    before = (built.root / "params.yaml").read_text()
    built.set(**change)
    done = built.run("python", "stages/check.py", "data/params.checked", check=False)
    (built.root / "params.yaml").write_text(before)
    assert done.returncode
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_name_stops_dvc_before_any_work(built):
    before = (built.root / "params.yaml").read_text()
    built.set(model="bott", train__seed=9)
    done = built.dvc("repro", check=False)
    (built.root / "params.yaml").write_text(before)
    assert done.returncode
    assert "error: unknown model 'bott'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert executed(done.stdout) == ["check"]


def test_an_experiment_sets_its_values(built):
    built.commit("state")
    out = built.dvc("exp", "run", "-S", "recipes.laptop.epochs=2").stdout
    assert "train@bpbreid" in out
    assert params.read(built.root / "params.yaml")["recipes"]["laptop"]["epochs"] == 2


def executed(out: str) -> list[str]:
    return [line.split("'")[1].rpartition(":")[2] for line in out.splitlines() if line.startswith("Running stage")]


def test_another_set_is_tested_with_one_parameter_and_without_training(built):
    photos = built.root / "photos"  # nobody trains: the rendered test persons as own photos
    for split in ("query", "gallery"):
        for image in (built.root / "data/synthetic" / split).iterdir():
            person, camera = image.name[:7].split("_c")
            target = photos / split / person / camera / image.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, target)
    built.set(raw__folder=str(photos))
    built.repro()
    before = (built.root / "runs/bpbreid-synthetic/weights.safetensors").read_bytes()
    out = built.dvc("exp", "run", "-S", "also_test_on=[folder]").stdout
    assert sorted(executed(out)) == sorted(
        ["check", "index@folder", "embed-on@method4-folder", "evaluate-on@folder", "report-on@folder"]
    )
    results = built.root / "results/folder/bpbreid-synthetic"
    for name in ("metrics.json", "cmc.csv", "ranks.parquet", "record.json", "report.html"):
        assert (results / name).stat().st_size > 0
    record = json.loads((results / "record.json").read_text())
    assert (record["dataset"], record["trained_on"]) == ("folder", "synthetic")
    own = json.loads((built.root / "results/synthetic/bpbreid/metrics.json").read_text())["general"]
    other = json.loads((results / "metrics.json").read_text())["photos"]
    assert other == own  # the same images by the same rule
    assert (built.root / "runs/bpbreid-synthetic/weights.safetensors").read_bytes() == before
    assert built.repro() == []
    built.set(also_test_on=[])
    assert built.repro() == []


def test_training_starts_from_a_file_and_again_when_it_changes(built):
    weights = built.root / "runs/bpbreid-synthetic/weights.safetensors"
    built.set(train__start_from="first.pt")
    done = built.dvc("repro", check=False)
    assert "error: no file weights/first.pt (train.start_from)" in done.stdout + done.stderr
    shutil.copy(weights, built.root / "weights/first.pt")
    assert built.repro() == ["check", "train@bpbreid", "embed@bpbreid", "evaluate", "report"]
    assert built.repro() == []
    shutil.copy(weights, built.root / "weights/first.pt")  # the newer ones
    assert "train@bpbreid" in built.repro()
    built.set(train__start_from="imagenet")
    assert built.repro() == []


def test_fsam_starts_from_a_pretraining_and_a_choice_at_test_time_only_embeds(built):
    built.set(model="fsam")
    ran = built.repro()  # its labels may be there already
    assert [stage for stage in ran if "@synthetic" not in stage] == [
        "check", "pretrain@parsing", "train@fsam", "embed@fsam", "evaluate", "report"
    ]  # fmt: skip
    report = (built.root / "results/synthetic/fsam/report.html").read_text()
    assert "Coarse and fine masks" in report
    assert "Pose clusters" in report
    built.set(at_test__fsam__stream="both")
    assert built.repro() == ["check", "embed@fsam", "evaluate", "report"]
    for label in ("schp", "poses"):  # a test needs neither
        shutil.rmtree(built.root / "data/labels" / label)
    built.set(at_test__fsam__stream="appearance")
    built.run("python", "stages/embed.py", "fsam", "synthetic")
    built.set(model="bpbreid")
    assert [stage for stage in built.repro() if stage != "check"] == []


def test_pabr_with_a_trained_then_a_cached_part_stream(built):
    def embedded():
        found = embeddings.read(built.root / "runs/pabr-synthetic/embeddings.npz")
        assert found.features.shape[1:] == (1, 32)
        np.testing.assert_allclose(np.linalg.norm(found.features, axis=2), 1, rtol=1e-5)
        return found.features

    built.set(model="pabr")
    ran = built.repro()  # its label may be there already
    assert [stage for stage in ran if "@synthetic" not in stage] == [
        "check", "pretrain@partmaps", "train@pabr", "embed@pabr", "evaluate", "report"
    ]  # fmt: skip
    trained = embedded()
    assert "Appearance and part maps" in (built.root / "results/synthetic/pabr/report.html").read_text()
    built.set(methods__pabr__part_stream="cached")
    assert built.repro() == ["check", "train@pabr", "embed@pabr", "evaluate", "report"]
    assert np.abs(embedded() - trained).max() > 0.01


def test_the_stages_are_these(built):
    names = built.dvc("stage", "list", "--all", "--name-only").stdout.split()
    for stage in ("evaluate", "report", "stages/dvc.yaml:train@bot", "data/dvc.yaml:index@market1501"):
        assert stage in names
