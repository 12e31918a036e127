"""Pieces that other machines make: a two-node Ray cluster on this one, submitit's executor that needs no Slurm."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.storage import chunks, elsewhere, pieces

IMAGES = 1285
# a slow tool; every piece notes who made it. `dies`: the first who comes to image 320 is killed
WORK = """
import os, signal, time
from pathlib import Path
import numpy as np
from partreid.errors import UserError

def work(start, stop):
    pace, how = Path("how.txt").read_text().split("\\n")
    time.sleep(float(pace))
    if how == "breaks":
        raise KeyError("no such person")
    if how == "raises" and start >= 320:
        raise UserError("found a cat, expected a person")
    if how == "always dies" or (how == "dies" and start == 320 and not Path("dead").exists()):
        Path("dead").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with Path("made.txt").open("a") as log:
        log.write(f"{start} {os.environ.get('RAY_NODE', '')} {os.getpid()}\\n")
    rows = np.arange(start, stop)
    return {"status": (rows % 3).astype(np.uint8), "value": np.sqrt(rows)[:, None] * np.arange(5)}
"""
PROGRAM = """
import sys
from pathlib import Path
from partreid.program import run
from partreid.storage import pieces
from slow_work import work

if __name__ == "__main__":
    run(lambda: pieces.write(Path("out.npz"), {"tool": "slow"}, work, 1285, processes=2, on=sys.argv[1]))
"""


def start(folder: Path, on: str, how: str = "", pace: float = 0.05) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    (folder / "how.txt").write_text(f"{pace}\n{how}")  # not by the environment, which machines need not share
    (folder / "slow.py").write_text(PROGRAM)
    (folder / "slow_work.py").write_text(WORK)
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    everything = {**os.environ, "PYTHONPATH": path}
    everything.pop("DVC_ROOT", None)
    command = [sys.executable, "slow.py", on]
    return subprocess.Popen(command, cwd=folder, env=everything, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen) -> str:
    """Its last line on stderr, after a good end an empty one."""
    try:
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    return "" if process.returncode == 0 else said.strip().splitlines()[-1] + said


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> bytes:
    """What this machine's own processes make."""
    folder = tmp_path_factory.mktemp("calm")
    assert ended(start(folder, "local", pace=0)) == ""
    return (folder / "out.npz").read_bytes()


def makers(folder: Path) -> list[list[str]]:
    return [line.split(" ") for line in (folder / "made.txt").read_text().splitlines()]


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("cloud", r"unknown place \(--on cloud\) 'cloud'; known: local, ray, slurm"),
        ("slurm:queue=big", "unknown 'queue=big'; slurm takes partition, jobs"),
        ("ray:10.0.0.1:6379,cpus=two", "cpus is a number, found 'two'"),
        ("ray:cpus=0", "cpus must be 1 or more, found 0"),
        ("ray:gpus=-0.5", "gpus must be 0 or more, found -0.5"),
        ("slurm:jobs=0", "jobs must be 1 or more, found 0"),
        ("slurm:memory=-1", "memory must be 1 or more, found -1"),
        ("local:2", "local takes no options"),
    ],
)
def test_bad_words_are_one_line(tmp_path, on, message):
    with pytest.raises(UserError, match=message):
        pieces.write(tmp_path / "out.npz", {}, _nothing, 10, on=on)
    assert not list(tmp_path.iterdir())


def _nothing(start: int, stop: int) -> dict[str, np.ndarray]:
    return {"status": np.zeros(stop - start, np.uint8)}


def test_the_environment_says_where_and_the_flag_says_it_louder(monkeypatch):
    asked = []
    monkeypatch.setitem(elsewhere.PLACES, "ray", lambda _, **options: asked.append(options))
    monkeypatch.setenv(elsewhere.VARIABLE, "ray:head:6379,gpus=0.5")
    elsewhere.place(None)(None)
    elsewhere.place("ray")(None)
    assert elsewhere.place("local") is None
    assert asked == [{"address": "head:6379", "gpus": 0.5}, {}]
    monkeypatch.delenv(elsewhere.VARIABLE)
    assert elsewhere.place(None) is None


@pytest.mark.parametrize(("on", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, on, package):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"pip install 'partreid\[{on}\]'"):
        pieces.write(tmp_path / "out.npz", {}, _nothing, 10, on=on)


def test_a_program_of_its_own_is_refused(tmp_path):
    with pytest.raises(UserError, match="uv is a program of its own"):
        pieces.write(tmp_path / "out.npz", {}, pieces.Program(("uv",)), 10, on="ray")


def test_what_is_finished_is_not_sent_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def somebody(task):
        seen.append([start for _, start, _ in task.todo])
        task.make(task.work, task.todo, 1)

    monkeypatch.setattr(elsewhere, "place", lambda _: somebody)
    folder = tmp_path / "tmp/pieces" / pieces.fingerprint({"tool": "t"}, 200, pieces.PIECE)
    pieces._make(_nothing, folder / "000000064.npz", 64, 128)
    pieces.write(tmp_path / "out.npz", {"tool": "t"}, _nothing, 200)
    assert seen == [[0, 128, 192]]
    assert chunks.Reader(tmp_path / "out.npz").header["ok"] == 200


@pytest.mark.slow
class TestSlurm:
    """With submitit's local executor."""

    @pytest.fixture(autouse=True)
    def _wanted(self):
        pytest.importorskip("submitit", reason="needs partreid[slurm]")

    @pytest.mark.parametrize("cpus", [1, 2])
    def test_the_bytes_are_those_of_one_machine(self, tmp_path, calm, cpus):
        assert ended(start(tmp_path, f"slurm:cluster=local,jobs=2,cpus={cpus}")) == ""
        assert (tmp_path / "out.npz").read_bytes() == calm
        assert len({pid for _, _, pid in makers(tmp_path)}) == 2 * cpus
        assert not list((tmp_path / "tmp/pieces").iterdir())

    def test_a_job_that_dies_half_way_is_followed_by_others(self, tmp_path, calm):
        assert ended(start(tmp_path, "slurm:cluster=local,jobs=2", how="dies")) == ""
        assert (tmp_path / "out.npz").read_bytes() == calm
        assert (tmp_path / "dead").exists()
        made = [piece for piece, _, _ in makers(tmp_path)]
        assert len(made) == len(set(made)) == -(-IMAGES // pieces.PIECE)  # none twice

    def test_jobs_that_finish_nothing_are_an_error(self, tmp_path):
        assert "no job of 21 pieces finished any" in ended(
            start(tmp_path, "slurm:cluster=local,jobs=2", how="always dies")
        )

    def test_what_the_work_raises_is_told_and_the_run_goes_on_later(self, tmp_path, calm):
        said = ended(start(tmp_path, "slurm:cluster=local,jobs=2", how="raises"))
        assert "error: found a cat, expected a person" in said
        assert "KeyError: 'no such person'" in ended(start(tmp_path, "slurm:cluster=local,jobs=2", how="breaks"))
        assert ended(start(tmp_path, "local")) == ""
        assert (tmp_path / "out.npz").read_bytes() == calm

    def test_without_slurm_it_says_so(self, tmp_path):
        if shutil.which("srun"):
            pytest.skip("there is a Slurm here")
        assert "no Slurm here" in ended(start(tmp_path, "slurm:partition=gpu"))


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="needs partreid[ray]")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "env_vars": {"RAY_NODE": "head"}})
    yield made
    made.shutdown()


@pytest.mark.slow
class TestRay:
    """Two nodes on this machine."""

    def test_the_bytes_are_those_of_one_machine_and_a_dying_node_changes_nothing(self, cluster, tmp_path, calm):
        second = cluster.add_node(num_cpus=1, env_vars={"RAY_NODE": "second"})
        process = start(tmp_path, f"ray:{cluster.address}", pace=0.3)
        folder = tmp_path / "tmp/pieces"
        while process.poll() is None and not {"head", "second"} <= self._at_work(tmp_path):
            time.sleep(0.05)
        there = len(list(folder.glob("*/0*.npz")))
        assert 0 < there < 18  # half-way, and not at the end
        cluster.remove_node(second, allow_graceful=False)
        assert ended(process) == ""
        assert (tmp_path / "out.npz").read_bytes() == calm
        assert not list(folder.iterdir())

    def _at_work(self, folder):
        return {node for _, node, _ in makers(folder)} if (folder / "made.txt").exists() else set()

    def test_what_the_work_raises_is_raised_and_a_killed_worker_is_replaced(self, cluster, tmp_path, calm):
        on = f"ray:{cluster.address}"
        assert "error: found a cat, expected a person" in ended(start(tmp_path, on, how="raises"))
        assert not (tmp_path / "out.npz").exists()
        assert ended(start(tmp_path, on, how="dies")) == ""  # goes on
        assert (tmp_path / "dead").exists()
        assert (tmp_path / "out.npz").read_bytes() == calm

    def test_without_a_cluster_it_says_so(self, tmp_path):
        pytest.importorskip("ray", reason="needs partreid[ray]")
        assert "no Ray cluster at 127.0.0.1:1" in ended(start(tmp_path, "ray:127.0.0.1:1"))

    def test_a_machine_without_the_shared_disk_is_named_at_the_start(self, cluster, tmp_path):
        folder = tmp_path / "project"
        folder.mkdir()
        hide = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
        ray = Path(sys.executable).with_name("ray")
        command = f"mount -t tmpfs none {folder} && exec {ray} start --address={cluster.address} --num-cpus=1 --block"
        if subprocess.run([*hide, f"mount -t tmpfs none {folder}"], capture_output=True, check=False).returncode:
            pytest.skip("cannot hide a folder from a process here (unshare)")
        blind = subprocess.Popen(
            [*hide, command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            look = f"import ray; ray.init({cluster.address!r}); print(sum(n['Alive'] for n in ray.nodes()))"
            deadline = time.monotonic() + 60
            while "2\n" not in subprocess.run([sys.executable, "-c", look], stdout=-1, text=True, check=True).stdout:
                assert time.monotonic() < deadline, blind.poll()
            said = ended(start(folder, f"ray:{cluster.address}"))
            assert "cannot write where this machine looks for the pieces" in said
            assert not list(folder.glob("made.txt"))
        finally:
            os.killpg(blind.pid, signal.SIGKILL)
