import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from labelled_project import make
from partreid.errors import UserError
from partreid.inspection import diff, look
from partreid.labels import LABELS, made

ROOT = Path(__file__).resolve().parents[2]


def shown(folder: str = "out") -> list[tuple[int, str]]:
    """Image and status of the cards in the page."""
    html = Path(folder, "index.html").read_text(encoding="utf-8")
    return [(int(row), status) for row, status in re.findall(r'data-image="(\d+)" data-status="([^"]+)"', html)]


@pytest.mark.usefixtures("labelled")
@pytest.mark.parametrize("label", sorted(LABELS))
def test_every_label_is_drawn_and_compared(label, capsys):
    make(label)
    look.main([label, "synthetic", "--out", "out"])
    assert shown() == [(0, "ok"), (1, "missing"), (2, "failed"), (3, "ok"), (4, "ok"), (5, "ok")]
    assert cv2.imread("out/sheet.png") is not None
    assert "66.7%" in capsys.readouterr().out
    diff.main([label, "synthetic", "blazepose", "truth", "--out", "both"])
    assert shown("both")[0] == (3, "both ok")
    assert shown("both")[-1] == (5, "only blazepose")
    assert cv2.imread("both/sheet.png") is not None


@pytest.mark.usefixtures("labelled")
def test_labels_that_a_method_made_while_it_trained_are_drawn(capsys):
    maps = np.zeros((2, 16, 8), np.uint8)
    maps[0, :8] = 3
    index = Path("data/index/synthetic.parquet")
    file = made.file("pseudo_parts", "synthetic")
    made.write(file, "pseudo_parts", index, ["4.png", "0.png"], maps, {"epoch": 7})
    look.main(["pseudo_parts", "synthetic", "--out", "out", "--status", "ok"])
    assert shown() == [(0, "ok"), (4, "ok")]
    assert "parameters.epoch" in Path("out/index.html").read_text(encoding="utf-8")
    look.main(["pseudo_parts", "synthetic", "--stats"])
    out = capsys.readouterr().out
    assert "Tool output" not in out
    assert "runs/pah-synthetic/labels/pseudo_parts.npz" in out


@pytest.mark.usefixtures("labelled")
@pytest.mark.parametrize(
    ("words", "images"),
    [
        (["--ids", "3,0-1"], [0, 1, 3]),
        (["--missing"], [1, 2]),
        (["--status", "failed,ok", "--split", "train"], [0, 3, 4]),
        (["--worst", "--count", "3"], [2, 1, 5]),
        (["--worst", "--status", "ok"], [5, 0, 3, 4]),
        (["--split", "gallery"], [2, 5]),
        (["--count", "6", "--seed", "4"], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_filters(words, images):
    make("pifpaf")
    look.main(["pifpaf", "synthetic", "--out", "out", *words])
    assert [row for row, _ in shown()] == images


@pytest.mark.usefixtures("labelled")
def test_a_draw_depends_on_the_seed_alone():
    make("pifpaf")
    drawn = []
    for seed in ("1", "1", "2", "3"):
        look.main(["pifpaf", "synthetic", "--out", "out", "--count", "2", "--seed", seed])
        drawn.append(shown())
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 2
    assert len({tuple(rows) for rows in drawn}) > 1


@pytest.mark.usefixtures("labelled")
def test_stats_say_what_the_cache_is_and_draw_nothing(capsys):
    path = make("pifpaf")
    shutil.rmtree("data/synthetic")  # the images are not needed
    look.main(["pifpaf", "synthetic", "--stats"])
    text = capsys.readouterr().out
    assert re.search(rf"^size +{path.stat().st_size} B, [\d.]+ .?B per image$|^size +[\d.]+ kB, ", text, re.M)
    for line in (
        "tool +blazepose",
        "tool_version +7",
        "weights +w",
        "parameters.width +17",
        "tool_parameters.sure +0.5",
    ):
        assert re.search(f"^{line}$", text, re.M), line
    assert "data/tools/blazepose/synthetic.npz" in text
    assert not Path("tmp/inspect").exists()
    Path("data/tools/blazepose/synthetic.npz").unlink()
    look.main(["pifpaf", "synthetic", "--stats"])
    assert "tool@blazepose-synthetic` makes it" in capsys.readouterr().out


@pytest.mark.usefixtures("labelled")
def test_a_tool_agrees_with_its_own_cache(capsys):
    path = make("pifpaf")
    diff.main(["pifpaf", "synthetic", "blazepose", str(path), "--out", "out"])
    assert re.search(r"cells with the same part, K = 8 +1\.000", capsys.readouterr().out)
    diff.main(["pifpaf", "synthetic", "blazepose", "truth", "--out", "out", "--ids", "0,4,5"])
    text = capsys.readouterr().out
    assert re.search(r"^blazepose ok +2 +1 +0$", text, re.M)
    assert re.search(r"cells with the same part, K = 8 +1\.000", text)


@pytest.mark.usefixtures("labelled")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nose", "synthetic"], "unknown label 'nose'; known: "),
        (["pifpaf", "nowhere"], "unknown data set"),
        (["pifpaf", "market1501"], "no image table data/index/market1501.parquet"),
        (["pifpaf", "synthetic", "--ids", "6"], "0..5"),
        (["pifpaf", "synthetic", "--ids", "a"], "--ids takes"),
        (["pifpaf", "synthetic", "--status", "fine"], "unknown status 'fine'"),
        (["pifpaf", "synthetic", "--missing", "--status", "ok"], "give one of them"),
        (["pifpaf", "synthetic", "--missing", "--split", "train"], "no image is missing or failed with split train"),
        (["pifpaf", "synthetic", "--parts", "7"], "unknown number of parts '7'"),
        (["diff", "nose", "synthetic", "blazepose", "truth"], "unknown label 'nose'"),
        (["diff", "pifpaf", "synthetic", "blazepose", "nobody"], "unknown tool 'nobody'"),
        (["diff", "pifpaf", "synthetic", "blazepose", "a/b.npz"], "no file a/b.npz"),
        (["diff", "pifpaf", "synthetic", "blazepose", "truth", "--ids", "1"], "nothing to draw"),
    ],
)
def test_a_mistake_is_one_line(words, said):
    make("pifpaf")
    program = diff if words[0] == "diff" else look
    with pytest.raises(UserError) as error:
        program.main(words[1:] if program is diff else words)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "0"], "argument --count: must be 1 or more, found 0"),
        (["--seed", "-1"], "argument --seed: must be 0 or more, found -1"),
    ],
)
@pytest.mark.parametrize(("program", "more"), [(look, []), (diff, ["blazepose", "truth"])])
def test_a_number_that_cannot_be_is_told_with_the_usage(words, said, program, more, capsys):
    with pytest.raises(SystemExit):
        program.main(["pifpaf", "synthetic", *more, *words])
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("labelled")
def test_a_missing_tool_output_says_how_to_make_it():
    Path("data/tools/truth/synthetic.npz").unlink()
    with pytest.raises(UserError, match=r"`dvc repro data/dvc.yaml:tool@truth-synthetic` makes it"):
        diff.main(["pifpaf", "synthetic", "blazepose", "truth"])


@pytest.mark.usefixtures("labelled")
def test_the_program_runs_from_the_command_line(program):
    done = program(ROOT / "stages/inspect.py", "diff", "pifpaf", "synthetic", "blazepose", "truth")
    assert done.returncode == 0, done.stderr
    assert "wrote tmp/inspect/pifpaf-synthetic-diff/index.html" in done.stdout
    done = program(ROOT / "stages/inspect.py", "nose", "synthetic")
    assert done.returncode == 1
    assert done.stderr.startswith("error: unknown label 'nose'")
    assert done.stderr.count("\n") == 1
