import io
import os
import subprocess
import sys

import pytest
import torch

from partreid import program
from partreid.errors import UserError


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_letters_that_the_terminal_lacks_are_escapes_and_no_traceback(stream):
    code = f"import sys; from partreid.program import run; run(lambda: print('Jos\\u00e9 \\u2192', file=sys.{stream}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, getattr(done, stream)) == (0, "Jos\\xe9 \\u2192\n")


def test_a_stream_that_is_no_terminal_is_left_alone(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit):
        program.run(lambda: print("é"))
    assert stream.getvalue() == "é\n"


SAID = (
    "CUDA out of memory. Tried to allocate 52.00 MiB. GPU 0 has a total capacity of 139.80 GiB of which 59.69 MiB is "
    "free. Process 3850 has 8.53 GiB memory in use. If reserved but unallocated memory is large try PYTORCH_ALLOC_CONF"
)


def test_a_gpu_without_enough_memory_is_one_message(capsys):
    def main():
        raise torch.OutOfMemoryError(SAID)

    with pytest.raises(SystemExit) as ended:
        program.run(main)
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("error: CUDA out of memory. Tried to allocate 52.00 MiB. GPU 0 has a total capacity")
    assert "59.69 MiB is free. End what else" in said
    assert "ids_per_batch" in said
    assert "Traceback" not in said
    assert "Process 3850" not in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "a/b"), "error: a/b: No such file or directory\n"),
        (OSError(39, "Directory not empty", "a", None, "b"), "error: a -> b: Directory not empty\n"),
        (OSError("no connection"), "error: no connection\n"),
        (UserError("a is 3, expected 1"), "error: a is 3, expected 1\n"),
    ],
)
def test_what_the_system_says_has_no_number(error, said, capsys):
    def fails():
        raise error

    with pytest.raises(SystemExit):
        program.run(fails)
    assert capsys.readouterr().err == said


def test_any_other_fault_keeps_its_traceback():
    def main():
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="ours"):
        program.run(main)


def test_the_help_of_a_program_keeps_the_lines_of_its_docstring(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["keep.py", "--help"])
    with pytest.raises(SystemExit):
        program.arguments("Keeps a run.\n\n    python keep.py NAME\n\nWhat stays.", "name")
    assert "Keeps a run.\n\n    python keep.py NAME\n\nWhat stays.\n" in capsys.readouterr().out
