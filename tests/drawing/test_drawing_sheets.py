import cv2
import numpy as np
import pytest

from partreid.drawing import sheets
from partreid.drawing.pictures import text_width

LEGEND = {"head": (240, 228, 66), "torso": (213, 94, 0)}


def tile(shade: int, height: int = 40, width: int = 60) -> np.ndarray:
    return sheets.tile("7 · ok", {"image": np.full((height, width, 3), shade, np.uint8)})


def test_a_tile_holds_every_panel_untouched():
    panels = {"image": np.full((50, 25, 3), 90, np.uint8), "parts": np.full((40, 30, 3), 120, np.uint8)}
    drawn = sheets.tile("a title that is far too long for two narrow panels", panels)
    assert np.count_nonzero((drawn == 90).all(-1)) >= 50 * 25
    assert np.count_nonzero((drawn == 120).all(-1)) >= 40 * 30


@pytest.mark.parametrize("width", [0, 5, 40, 100, 1000])
def test_words_are_cut_to_fit(width):
    words = "the quick brown fox jumps"
    shown = sheets.fitted(words, width, 13)
    assert text_width(shown, 13) <= width
    assert words.startswith(shown.removesuffix("…"))
    assert (shown == words) == (text_width(words, 13) <= width)


def test_a_sheet_holds_tiles_of_any_size_and_the_legend():
    drawn = sheets.sheet("heading", [tile(90), tile(91, 256, 300), tile(92, 10, 10)], LEGEND)
    for shade, count in ((90, 40 * 60), (91, 256 * 300), (92, 100)):
        assert np.count_nonzero((drawn == shade).all(-1)) >= count
    for colour in LEGEND.values():
        assert np.count_nonzero((drawn == colour).all(-1)) >= 100
    assert drawn.dtype == np.uint8


def test_many_tiles_make_many_sheets_and_old_ones_go(tmp_path):
    (tmp_path / "sheet-notes.png").write_text("somebody's own")
    per_sheet = sheets.columns([tile(90)]) * sheets.ROWS
    paths = sheets.write(tmp_path, "many", [tile(90)] * (per_sheet + 1), LEGEND)
    assert [path.name for path in paths] == ["sheet-1.png", "sheet-2.png"]
    first, second = (cv2.imread(str(path)) for path in paths)
    assert first.shape[0] > second.shape[0]
    paths = sheets.write(tmp_path, "few", [tile(90)] * per_sheet, LEGEND)
    assert [path.name for path in paths] == ["sheet.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet-notes.png", "sheet.png"]
