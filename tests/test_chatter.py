"""What native libraries say of themselves: left out, and nothing else is."""

import os
import subprocess
import sys

import pytest

from partreid.chatter import without


def test_lines_that_match_are_left_out_and_others_are_not(capfd):
    with without("^INFO: .* delegate"):
        os.write(2, b"INFO: Created a delegate for CPU.\nERROR: no memory\n")
        print("a warning", file=sys.stderr)
    os.write(2, b"INFO: a delegate, later\n")
    assert sorted(capfd.readouterr().err.splitlines()) == ["ERROR: no memory", "INFO: a delegate, later", "a warning"]


def test_nothing_is_lost_when_the_block_fails(capfd):
    def fails():
        os.write(2, b"the reason\n")
        raise OSError("bad")

    with pytest.raises(OSError, match="bad"), without("delegate"):
        fails()
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.parametrize("program", [
    "from partreid.synthetic import shade; import warp; warp.init()",
    "from partreid.tools import body_parts; body_parts._network(body_parts.WEIGHTS)",
    "from partreid.storage import published_weights as w; from partreid.tools import blazepose; "
    "blazepose._interpreter(w.path('blazepose_full'))",
])  # fmt: skip
def test_the_libraries_are_quiet(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
