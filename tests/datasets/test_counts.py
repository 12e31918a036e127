from partreid.datasets.counts import count, differences


def rows(split, *pids_and_cameras):
    return [{"split": split, "pid": pid, "camid": camid} for pid, camid in pids_and_cameras]


def test_zero_is_a_distractor_only_where_nobody_asks_for_it():
    gallery = rows("gallery", (0, 0), (0, 1), (-1, 1), (5, 1))
    assert count(gallery) == {
        "gallery images": 4,
        "gallery persons": 1,
        "gallery images per camera": [1, 3],
        "gallery distractors": 2,
        "gallery junk": 1,
    }
    found = count(gallery + rows("query", (0, 2)))
    assert found["gallery persons"] == 2
    assert "gallery distractors" not in found
    assert found["query images per camera"] == [0, 0, 1]


def test_images_without_cameras():
    assert count(rows("train", (1, None), (2, None))) == {"train images": 2, "train persons": 2}


def test_differences_name_found_and_published():
    published = {"query images": 3, "gallery images": 4, "query images per camera": [1, 2]}
    found = {"query images": 3, "query images per camera": [2, 1], "train images": 9}
    assert differences(found, published) == [
        "gallery images: found 0, published 4",
        "query images per camera: found [2, 1], published [1, 2]",
    ]
