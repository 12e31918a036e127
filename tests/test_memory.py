"""Memory that a program has given back: kept, and in large pages, once memory.keep has been called."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from partreid import memory
if "keep" in sys.argv:
    memory.keep()
import torch
def pages():  # that the system handed out since the process began
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    first = torch.ones(16, 2**20)  # 64 MiB, in pages of 4 KiB 16,384 of them
    return first * 2
for _ in range(20):  # until what is kept has found its shape
    step()
before = pages()
for _ in range(3):
    step()
print(pages() - before)
"""


def pages_of(given):
    """What the program says, in the environment as it is when nobody has asked for large pages."""
    environment = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    command = [sys.executable, "-c", PROGRAM, *given]
    return int(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told to")
def test_what_a_step_gives_back_the_next_one_takes():
    fresh, kept = (pages_of(given) for given in ([], ["keep"]))
    assert fresh > 3 * 16_384
    assert kept < 1_000
