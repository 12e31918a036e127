"""`python FILE ...` and `dvc ...` that start at once: forks of a process that has imported other projects' packages.

A pipeline's test starts dozens of programs, and each would spend most of its time on importing torch and DVC. The
project's own modules are imported by every program anew, from where its PYTHONPATH says.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = [
    "torch",
    "torch._dynamo",
    "cv2",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "h5py",
    "threadpoolctl",
    "concurrent.futures.process",
    "multiprocessing.queues",
    "scipy.sparse",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "jinja2",
    "yaml",
    "tqdm",
    "dvc.cli",
    "dvc.repo",
    "dvc.commands.experiments.run",
    "dvc.commands.repro",
    "dvc.repo.reproduce",
    "dvc.stage.run",
    "dvc.utils.strictyaml",
    "ruamel.yaml",
]

# What stands in for a program: it hands its words, folder, environment and open files over, and ends as the fork does.
STAND_IN = """#!{python} -SE
import array, json, os, signal, socket, sys
if sys.argv[1:2] and sys.argv[1].startswith("-") and {program!r} == "python":
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as link:
    link.connect({place!r})
    told = json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    link.sendmsg([len(told).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
    link.sendall(told)
    pid = int.from_bytes(link.recv(8), "big")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    status = int.from_bytes(link.recv(8), "big", signed=True)
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextmanager
def warm(folder: Path) -> Iterator[Path]:
    """Write the two programs into a folder, which is given back, for the front of a PATH. They work in the block."""
    place = folder / "socket"
    for program in ("python", "dvc"):
        file = folder / program
        file.write_text(STAND_IN.format(python=sys.executable, place=str(place), program=program))
        file.chmod(0o755)
    # without the second, which a container may set, each program would compile the project's modules again
    own = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    server = subprocess.Popen([sys.executable, __file__, str(place)], env={**environment, "OMP_WAIT_POLICY": "PASSIVE"})
    try:
        while not place.exists():
            assert server.poll() is None, "the process to be forked has ended"
            time.sleep(0.02)
        yield folder
    finally:
        server.terminate()
        server.wait()


def serve(place: Path) -> None:
    """Import the packages, then fork for whoever connects, until somebody ends this process."""
    for name in PACKAGES:
        importlib.import_module(name)
    assert "partreid" not in sys.modules
    gc.freeze()  # or each fork would copy what its garbage collector looks at
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the programs
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{place}.new")
        door.listen()
        Path(f"{place}.new").rename(place)
        while True:
            link, _ = door.accept()
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(link)
                os._exit(0)
            link.close()


def answer(link: socket.socket) -> None:
    """Run what is asked for in a process of its own, and say which it is and how it ended."""
    length, [(_, _, files)], _, _ = link.recvmsg(8, socket.CMSG_LEN(3 * array.array("i").itemsize))
    told = b""
    while len(told) < int.from_bytes(length, "big"):
        told += link.recv(1 << 16)
    program, words, folder, environment = json.loads(told)
    pid = os.fork()
    if pid == 0:
        link.close()
        for number, file in enumerate(array.array("i", files)):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os._exit(ended(program, words))
    link.sendall(pid.to_bytes(8, "big"))
    _, status = os.waitpid(pid, 0)
    link.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))


def ended(program: str, words: list[str]) -> int:
    """Run a program in this process; its exit status."""
    sys.path[:1] = [str(Path(words[0]).resolve().parent), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    try:
        if program == "dvc":
            sys.argv = ["dvc", *words]
            return importlib.import_module("dvc.cli").main(words)
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
