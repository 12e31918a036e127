from partreid.storage import image_table

ROW = {"path": "a", "split": "gallery", "width": 1, "height": 1, "sha1": "0"}


def test_persons_and_cameras_are_called_by_their_names_where_there_are_any():
    rows = [{**ROW, "pid": 2, "camid": 0}, {**ROW, "pid": 1, "camid": None}, {**ROW, "pid": -1, "camid": 1}]
    named = image_table.build(rows, {"persons": ["ann", "bob"], "cameras": ["door", "hall"]})
    assert image_table.persons(named) == ["bob", "ann", "junk"]
    assert image_table.called(named) == ["bob · door", "ann", "junk · hall"]
    assert image_table.persons(image_table.build(rows, {})) == ["2", "1", "junk"]
    assert image_table.called(image_table.build(rows, {})) == ["2 · cam 0", "1", "junk · cam 1"]
