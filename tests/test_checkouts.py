"""A program of a checkout runs that checkout's code, also where another one is installed."""

import os
import subprocess
import sys

PROGRAM = """
import multiprocessing
import partreid.marker

def told():
    import partreid.marker
    print(partreid.marker.WHOSE, flush=True)

if __name__ == "__main__":
    told()
    process = multiprocessing.get_context("spawn").Process(target=told)
    process.start()
    process.join()
"""


def test_it_and_the_processes_that_it_starts(tmp_path, project):
    code = tmp_path / "src/partreid"
    code.mkdir(parents=True)
    (tmp_path / "stages").mkdir()
    (code / "__init__.py").write_text("")
    (code / "marker.py").write_text("WHOSE = 'its own'\n")
    (tmp_path / "stages/program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}  # the one that is installed
    done = subprocess.run(
        [sys.executable, "stages/program.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n") == ["its own", "its own", ""], done.stderr


def test_elsewhere_the_installed_one_is_used(tmp_path, project):
    other = tmp_path / "src/partreid"  # a script of one's own beside a checkout
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    (tmp_path / "mine").mkdir()
    program = tmp_path / "mine/program.py"
    program.write_text("import partreid.errors; print(partreid.errors.__file__)")
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(project / "src/partreid/errors.py")
