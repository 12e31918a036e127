"""Three hundred broken files of every other kind that is read: one clear error, or a result that counts everything."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset_trees import photos
from partreid import methods
from partreid.backbones import caffe
from partreid.datasets import folder
from partreid.errors import UserError
from partreid.labels import LABELS, pifpaf
from partreid.storage import cache, embeddings, image_table, torchfile
from partreid.tools import alphapose, densepose_files, openpifpaf_files, openpose_files, schp_files
from partreid.tools.schp_files import palette
from reliability.mangling import Mangle, cases, mangled, restructured, told
from tools.importing import made
from upright import blob, native, people, written

pytestmark = pytest.mark.slow

FULL = 300
KINDS = 10  # kinds of files, FULL / KINDS cases of each

Read = Callable[[Path], str]  # reads a file; "read", or how it was counted


def tried(file: Path, read: Read, seed: int, other: Mangle | None = None) -> Counter[str]:
    """What became of a file's mangled forms. Anything but a result or a UserError fails the test.

    other: a way of the file's own kind, which every second case is mangled in.
    """
    random = np.random.default_rng(seed)
    data = file.read_bytes()
    found: Counter[str] = Counter()
    wrong = []
    for number in range(cases(FULL // KINDS)):
        way, broken = ("its own kind", other(data, random)) if other and number % 2 else mangled(data, random)
        file.write_bytes(broken)
        try:
            found[read(file)] += 1
        except UserError:
            found["refused"] += 1
        except Exception as error:
            found["a traceback"] += 1
            wrong.append(f"{file.name}, {way}: {told(error)}")
    file.write_bytes(data)
    print(f"\n{file.name}: {', '.join(f'{number} {what}' for what, number in found.items())}")
    assert not wrong, "\n".join(wrong)
    return found


def test_images_csv(tmp_path):
    photos(tmp_path, {"p": {"": 12}})
    names = ["Ann", "José", "李", "#7"]
    lines = [f'p/{row}.jpg,"{names[row % 4]}",{row // 4 % 2}' for row in range(12)]
    file = tmp_path / "images.csv"
    file.write_text("path,pid,camid\n" + "\n".join(lines) + "\n")

    def read(file: Path) -> str:
        table = folder.read(tmp_path)
        text = file.read_bytes().decode("utf-8-sig")
        records = [line for line in text.replace("\r", "\n").split("\n")[1:] if line.strip(' ,;\t"')]
        accounted = len(table) + len(image_table.about(table)["skipped"])
        assert accounted == len(records), (accounted, records)
        return "read, every record in the table or named"

    def another_cell(data: bytes, random: np.random.Generator) -> bytes:
        cells = [line.split(",") for line in data.decode().splitlines()]
        row = cells[random.integers(len(cells))]
        others = (
            "",
            "nan",
            "-1",
            "-1.0",
            "0007",
            "a\tb",
            '"',
            '""',
            "p/0.jpg",
            "../x.jpg",
            "x;y",
            "e\u0301",
            "\u00a0",
            "p/nothing.jpg",
        )
        row[random.integers(len(row))] = others[random.integers(len(others))]
        return "\n".join(map(",".join, cells)).encode()

    tried(file, read, 1, another_cell)


def test_alphapose_json(tmp_path):
    images = made([f"{row}.jpg" for row in range(6)])
    points = np.stack([np.linspace(10, 50, 17), np.linspace(10, 100, 17), np.full(17, 0.8)], 1).ravel().tolist()
    file = tmp_path / "results.json"
    file.write_text(json.dumps([{"image_id": f"{row}.jpg", "keypoints": points, "score": 2.5} for row in range(6)]))
    other = {"checkout": "", "python": "python", "config": "c", "checkpoint": "w"}

    def read(file: Path) -> str:
        _, work = alphapose.build(images, results={"market": str(file)}, **other)
        assert len(work(0, 6)["status"]) == 6
        return "read, every image has a status"

    def another_value(data: bytes, random: np.random.Generator) -> bytes:
        return json.dumps(restructured(json.loads(data), random)).encode()

    tried(file, read, 2, another_value)


def importer(tool, tmp_path: Path, **options) -> Read:
    """Reads a folder of 6 files, one of which is mangled."""
    images = made([f"{row}.jpg" for row in range(6)])

    def read(_file: Path) -> str:
        _, work = tool.build(images, folders={"market": str(tmp_path)}, **options)
        status = work(0, 6)["status"]
        assert (np.delete(status, 2) == cache.OK).all()
        return f"imported, its image is {cache.STATUS[status[2]]}"

    return read


def test_fields_npy(tmp_path):
    fields = np.random.default_rng(0).random((36, 17, 9)).astype(np.float32)
    for row in range(6):
        np.save(tmp_path / f"{row}.npy", fields)
    tried(tmp_path / "2.npy", importer(openpifpaf_files, tmp_path), 3)


def test_charts_npz(tmp_path):
    labels = np.zeros((128, 64), np.uint8)
    labels[10:40, 20:40], labels[40:100, 20:40] = 23, 2
    for row in range(6):
        np.savez(tmp_path / f"{row}.npz", labels=labels, score=np.float32(0.9))
    tried(tmp_path / "2.npz", importer(densepose_files, tmp_path), 4)


def test_maps_float(tmp_path):
    maps = np.zeros((57, 20, 10), np.float32)
    maps[56] = 1
    maps[38:50, 5, 5] = 0.9
    for row in range(6):
        values = np.concatenate([[3, 57, 20, 10], maps.ravel()]).astype(np.float32)
        (tmp_path / f"{row}.float").write_bytes(values.tobytes())
    tried(tmp_path / "2.float", importer(openpose_files, tmp_path, order="paper", scale=3), 5)


def test_parsings_png(tmp_path):
    classes = np.zeros((128, 64), np.uint8)
    classes[10:100, 20:40] = np.repeat(np.arange(1, 7), 15)[:, None]
    for row in range(6):
        image = Image.fromarray(classes)
        image.putpalette(palette(7).ravel().tolist())
        image.save(tmp_path / f"{row}.png")
    tried(tmp_path / "2.png", importer(schp_files, tmp_path, classes="pascal"), 6)


def test_label_caches(tmp_path):
    members = {"keypoints": people(70), "person": blob().repeat(70, 0)}
    tool, table = native(tmp_path, np.zeros(70, np.uint8), members)
    header, work = pifpaf.build(tool, table, height=9, width=5, thickness=1.0, mask=True, min_score=0.1)
    label = written(tmp_path, "pifpaf", LABELS["pifpaf"].suffix, header, work, table)
    good = label.rows("fields", np.arange(70))

    def read(file: Path) -> str:
        opened = cache.Cache(file, "label/pifpaf", tmp_path / "index.parquet")
        np.testing.assert_array_equal(opened.rows("fields", np.arange(70)), good)
        return "read, with the same values"

    tried(label.path, read, 7)


def test_image_tables_and_embeddings(tmp_path):
    row = {"split": "train", "width": 4, "height": 4, "sha1": "0"}
    table = image_table.build([{**row, "path": f"{number}.jpg", "pid": number} for number in range(50)], {})
    image_table.write(table, tmp_path / "index.parquet")

    def read_table(file: Path) -> str:
        assert image_table.read(file).equals(table)
        return "read, with the same values"

    tried(tmp_path / "index.parquet", read_table, 8)
    random = np.random.default_rng(0)
    stored = embeddings.Embeddings(
        np.arange(50), random.random((50, 2, 4)).astype(np.float32), np.ones((50, 2), np.float32), {}
    )
    embeddings.write(tmp_path / "embeddings.npz", {"distance": "cosine"}, [stored])

    def read_embeddings(file: Path) -> str:
        np.testing.assert_array_equal(embeddings.read(file).features, stored.features)
        return "read, with the same values"

    tried(tmp_path / "embeddings.npz", read_embeddings, 9)


def test_weights(tmp_path):
    torch.manual_seed(0)
    method = methods.build("pcb", backbone="mobilenet_v2", identities=3, **{**OPTIONS, "parts": 2, "embedding": 4})
    about = {"model": "pcb", "backbone": "mobilenet_v2", "identities": 3, "height": 64, "width": 32}
    file = tmp_path / "weights.safetensors"
    methods.save(file, method, {**about, "options": {**OPTIONS, "parts": 2, "embedding": 4}, "dataset": "x"})

    def read(file: Path) -> str:
        methods.load(file)
        return "loaded"

    tried(file, read, 10)
    torch.save({f"layer{number}.weight": torch.rand(8, 8) for number in range(8)}, tmp_path / "published.pth")

    def published(file: Path) -> str:
        torchfile.load(file, "download it again")
        return "loaded"

    tried(tmp_path / "published.pth", published, 11)
    (tmp_path / "net.caffemodel").write_bytes(b"\x12\x0c" + b"\x22\x03abc\x32\x05\x2d\x00\x00\x80\x3f")

    def caffemodel(file: Path) -> str:
        caffe.load(file, "download it again")
        return "loaded"

    tried(tmp_path / "net.caffemodel", caffemodel, 12)


OPTIONS = {
    "backbone_rate": 1.0, "smoothing": 0.0, "margin": 0.3, "identity_on": ["parts"], "triplet_on": [],
}  # fmt: skip
