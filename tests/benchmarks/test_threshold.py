"""benchmarks/threshold.py against a loop over all pairs, and on trained weights."""

import re
import runpy

import numpy as np
import pytest

import coloured_persons
import small_networks
from partreid import methods
from partreid.errors import UserError
from partreid.storage import image_table
from partreid.storage.embeddings import Embeddings


@pytest.fixture
def benchmark(project):
    return runpy.run_path(str(project / "benchmarks/threshold.py"))


def people(seed, persons):
    """A table of four images of each person by two cameras, and embeddings that say a little of who they are."""
    random = np.random.default_rng(seed)
    rows = [
        {"path": f"{pid}_{n}.png", "split": "train", "pid": pid, "camid": n % 2, "width": 64, "height": 128, "sha1": ""}
        for pid in range(persons)
        for n in range(4)
    ]
    table = image_table.build(rows, {})
    features = random.normal(size=(persons, 1, 8)).repeat(4, 0) + random.normal(size=(len(rows), 1, 8))
    ids = image_table.integers(table, "image_id")
    return table, Embeddings(
        ids, features.astype(np.float32), np.ones((len(rows), 1), np.float32), {"distance": "euclidean"}
    )


def test_shares_of_all_pairs_by_a_loop(benchmark):
    (table, trained), (other, tested) = people(0, 20), people(1, 15)
    limit, *shares = benchmark["compared"](trained, tested, table, other, 0.05)

    def near(found, of):
        pid, camid = of["pid"].to_pylist(), of["camid"].to_pylist()
        counts = {True: [], False: []}
        for a in range(len(pid)):
            for b in range(a):
                if pid[a] == pid[b] and camid[a] == camid[b]:
                    continue
                distance = float(np.linalg.norm(found.features[a, 0] - found.features[b, 0]))
                counts[pid[a] == pid[b]].append(distance <= limit)
        return {who: np.mean(each) for who, each in counts.items()}

    seen, unseen = near(trained, table), near(tested, other)
    assert seen[False] == pytest.approx(0.05, abs=1e-3)
    assert shares == pytest.approx([seen[True], unseen[False], unseen[True]], abs=2e-3)
    assert seen[True] > 2 * seen[False]


def test_it_prints_the_shares_of_every_file_and_their_mean(benchmark, tmp_path, monkeypatch, capsys):
    small_networks.register(monkeypatch)
    coloured_persons.project(tmp_path, 12, training=6)
    files = [tmp_path / f"{n}.safetensors" for n in range(2)]
    for file in files:
        of = small_networks.trained("bot")
        methods.save(file, of.method, of.header)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["threshold.py", "folder", *map(str, files), "--rate", "0.1"])
    benchmark["main"]()
    *each, mean = capsys.readouterr().out.splitlines()
    shares = [re.findall(r"([\d.]+) %", line) for line in each]
    assert shares[0] == shares[1]  # of the same network
    assert all(0 <= float(share) <= 100 for share in shares[0])
    assert re.findall(r"([\d.]+) ± 0\.00 %", mean) == shares[0]


def test_without_pairs_it_is_said_what_there_is(benchmark):
    (table, trained), nobody = people(0, 3), slice(0, 0)
    with pytest.raises(UserError, match="both among training and among test images; found 12 and 0 images"):
        benchmark["compared"](trained, trained.take(np.arange(0)), table, table[nobody], 0.05)


@pytest.mark.parametrize("rate", ["0", "1", "nan"])
def test_a_rate_that_is_no_share_is_named(benchmark, monkeypatch, rate):
    monkeypatch.setattr("sys.argv", ["threshold.py", "folder", "weights.safetensors", "--rate", rate])
    with pytest.raises(UserError, match="--rate is a share between 0 and 1, found"):
        benchmark["main"]()
