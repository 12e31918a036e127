import subprocess
import sys
import time
from pathlib import Path

import pytest

from partreid.tools.networks import batches


def read(path: Path) -> str | None:
    time.sleep(0.002 * (int(path.name) % 3))  # threads finish out of order
    return None if path.name in ("2", "7") else path.name


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (4, [["0", "1", "3", "4"], ["5", "6", "8", "9"]]),
        (3, [["0", "1", "3"], ["4", "5", "6"], ["8", "9"]]),
        (99, [["0", "1", "3", "4", "5", "6", "8", "9"]]),
    ],
)
def test_batches_are_full_in_order_and_without_what_cannot_be_read(size, expected):
    found = list(batches([Path(str(i)) for i in range(10)], read, size))
    assert [values for _, values in found] == expected
    assert [rows for rows, _ in found] == [[int(value) for value in values] for values in expected]


def test_nothing_readable_gives_no_batch():
    assert list(batches([Path("2"), Path("7")], read, 4)) == []


def test_importing_the_tools_does_not_load_torch():
    code = "import sys, partreid.tools.openpose, partreid.tools.schp; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
