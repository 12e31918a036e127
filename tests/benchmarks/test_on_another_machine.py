"""The benchmarks that are taken to a machine with a GPU run where DVC and all that only labels need are not."""

import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import yaml

from partreid.storage import image_table

ABSENT = ("dvc", "anny", "ai_edge_litert", "faiss", "safetensors", "PIL", "jinja2", "uv", "flatbuffers", "ray")
PROGRAM = """
import importlib.util, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(f"{{name}} is not here")

sys.meta_path.insert(0, Absent())

def module(file):
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found

module("{project}/benchmarks/gpu.py").measured("bot", "auto", small=True)
methods = module("{project}/benchmarks/methods.py")
methods.PROJECT = Path("{folder}")
sys.argv = ["methods.py", "--out", "{folder}/out", "--models", "bot", "pcb", "--dataset", "folder"] + {words}
methods.main()
"""


# where the system lets us: with 64 kB of shared memory, as in some containers
TINY = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', "sh"]


def with_little_shared_memory():
    able = shutil.which("unshare") and not subprocess.run([*TINY, "true"], capture_output=True, check=False).returncode
    return TINY if able else []


def a_project(folder, project):
    """Photos of two persons who train and two who are searched for, indexed, and a small recipe."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(16):
        path = f"{number}.png"
        (folder / "photos").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "photos" / path), rng.integers(0, 256, (40, 20, 3), dtype=np.uint8))
        split = "train" if number < 8 else ("query" if number % 2 else "gallery")
        row = {"path": path, "split": split, "pid": number // 4, "camid": number % 2, "sha1": path}
        rows.append({**row, "width": 20, "height": 40})
    image_table.write(image_table.build(rows, {}), folder / "data/index/folder.parquet")
    (folder / "stages").symlink_to(project / "stages")
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    values["raw"]["folder"] = str(folder / "photos")
    values["recipes"]["laptop"] |= {"height": 64, "width": 32, "epochs": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def test_methods_are_trained_and_evaluated_there_one_after_the_other(tmp_path, project):
    a_project(tmp_path, project)
    words = ["-S", "methods.bot.smoothing=0.2", "-S", "recipes.laptop.pcb.embedding=64"]
    program = PROGRAM.format(absent=set(ABSENT), project=project, folder=tmp_path, words=words)
    command = [*with_little_shared_memory(), sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text().splitlines()]
    assert [(line["method"], line.get("stage")) for line in lines] == [
        (name, stage) for name in ("bot", "pcb") for stage in ("train", "embed", "evaluate", None)
    ]
    for line in lines[3::4]:
        assert all(0 <= values["mAP"] <= 1 for values in line["metrics"].values())
        assert line["last_epoch"]["train"]["loss"] > 0
