import io
import os
import subprocess
import sys

import pytest

from partreid import errors


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_letters_that_the_terminal_lacks_are_escapes_and_no_traceback(stream):
    code = f"import sys; from partreid.errors import run; run(lambda: print('Jos\\u00e9 \\u2192', file=sys.{stream}))"
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
        errors.run(lambda: print("é"))
    assert stream.getvalue() == "é\n"


@pytest.mark.parametrize("name", [["bot"], {"bot": 1}, None, 7, "bott"])
def test_whatever_stands_in_the_place_of_a_name_is_one_message(name):
    with pytest.raises(errors.UserError, match=r"unknown model .*; known: bot, pcb"):
        errors.choose({"pcb": 1, "bot": 2}, name, "model")
