"""benchmarks/market_lists.py on a tiny set with lists of its own."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from scipy.io import savemat

from dataset_trees import market1501 as tree
from partreid.datasets import market1501
from partreid.errors import UserError

# positions from 1 in the sorted gallery: -1_c1, -1_c4, 0000_c1, 0001_c1, 0001_c2, 1488_c1, 1488_c5
LISTS = {
    "0001_c1s1_001051_00": ([5], [4]),
    "0001_c2s1_000301_00": ([4], [5]),
    "1488_c1s6_023021_00": ([7], [6]),
}


@pytest.fixture
def root(tmp_path):
    root = tree(tmp_path)
    for stem, lists in LISTS.items():
        write(root, stem, *lists)
    return root


def write(root, stem, good, junk):
    for kind, positions in (("good", good), ("junk", junk)):
        savemat(root / "gt_query" / f"{stem}_{kind}.mat", {f"{kind}_index": np.array([positions], np.int32)})


@pytest.fixture
def compare(project):
    """The program's function: root -> text, differences."""
    file = project / "benchmarks" / "market_lists.py"
    spec = importlib.util.spec_from_file_location("market_lists", file)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return lambda root: program.compare(market1501.read(root), root)


def test_lists_as_the_rule_has_them(compare, root):
    text, differing = compare(root.parent)  # the folder that holds the set will do
    assert differing == []
    assert text.splitlines() == [
        "3 queries, 7 gallery images",
        "good: 3 lists equal, 3 entries by the rule",
        "junk: 3 lists equal, 3 entries by the rule",
        "junk: 0 lists hold only a 0 and the rule gives no entry",
    ]


def test_a_zero_stands_for_no_junk(compare, root):
    (root / "bounding_box_test/0001_c2s1_000301_02.jpg").unlink()
    write(root, "0001_c1s1_001051_00", [], [4])
    write(root, "0001_c2s1_000301_00", [4], [0])
    write(root, "1488_c1s6_023021_00", [6], [5])
    text, differing = compare(root)
    assert differing == []
    assert text.splitlines()[1:] == [
        "good: 3 lists equal, 2 entries by the rule",
        "junk: 2 lists equal, 2 entries by the rule",
        "junk: 1 lists hold only a 0 and the rule gives no entry",
    ]


@pytest.mark.parametrize(
    ("good", "junk", "what"), [([5, 6], [4], "2 good"), ([4], [4], "1 good"), ([5], [0], "1 junk"), ([5], [], "0 junk")]
)
def test_a_difference_is_named(compare, root, good, junk, what):
    write(root, "0001_c1s1_001051_00", good, junk)
    assert compare(root)[1] == [f"query/0001_c1s1_001051_00.jpg: {what} listed, 1 by the rule"]


def test_a_difference_is_an_error_of_the_program(project, root):
    write(root, "0001_c1s1_001051_00", [5, 6], [4])
    command = [sys.executable, project / "benchmarks" / "market_lists.py", root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("3 queries, 7 gallery images\n")
    assert "\nerror: 1 lists differ; the first: query/0001_c1s1_001051_00.jpg: 2 good listed" in done.stderr


def test_a_missing_list_is_named(compare, root):
    (root / "gt_query/0001_c2s1_000301_00_junk.mat").unlink()
    with pytest.raises(UserError, match=r"cannot read .*0001_c2s1_000301_00_junk\.mat .*unpacked whole"):
        compare(root)
