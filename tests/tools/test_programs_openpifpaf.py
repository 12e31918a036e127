"""The real program: uv installs openpifpaf (3 GB, some minutes the first time) and runs it with made-up weights."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from partreid.storage import pieces
from partreid.storage.cache import Cache
from partreid.storage.files import sha256
from partreid.tools import openpifpaf
from partreid.tools.base import Images

SIZES = [(256, 128), (131, 67), (256, 128), (1, 1), (1800, 600)]


@pytest.mark.network
def test_it_runs_and_the_batch_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    rng = np.random.default_rng(0)
    paths = [f"{i}.png" for i in range(len(SIZES))] + ["broken.png"]
    for path, (height, width) in zip(paths, SIZES, strict=False):
        coarse = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    (tmp_path / "broken.png").write_bytes(b"")
    heights, widths = zip(*SIZES, (1, 1), strict=True)
    table = pa.table({"path": paths, "height": heights, "width": widths})
    file = tmp_path / "some.parquet"
    pyarrow.parquet.write_table(table, file)
    images = Images("some", table, sha256(file), tmp_path, file)
    written = []
    for batch in (1, 5):
        header, work = openpifpaf.build(images, checkpoint="random:shufflenetv2k16", batch=batch, device="cpu")
        out = tmp_path / f"{batch}.npz"
        pieces.write(out, {**header, "gives": openpifpaf.GIVES}, work, len(table))
        written.append(out.read_bytes())
    assert written[0] == written[1]
    found = Cache(out, "tool/openpifpaf", file)
    rows = np.arange(len(table))
    fields, keypoints = (found.rows(name, rows) for name in ("fields", "keypoints"))
    assert (fields.shape, fields.dtype) == ((6, 36, 33, 17), np.uint8)
    assert (keypoints.shape, keypoints.dtype) == ((6, 17, 3), np.float32)
    assert found.status[-1] == 2
    ok = found.status == 0
    assert ok[:3].any()  # the made-up weights are made to see people in large enough images
    assert not fields[~ok].any()
    assert fields[ok].max() > 128
    assert (keypoints[ok][..., :2] <= np.array([widths, heights]).T[ok][:, None] + 8).all()
