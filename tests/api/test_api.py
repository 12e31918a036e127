"""The library: photos in, embeddings, distances and ranks out, from an empty folder."""

import ast
import errno
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import partreid
from partreid import methods, params
from partreid.api import People, comparison
from partreid.api.labels import labels
from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.inference import embed
from partreid.inputs.images import normalise, resized
from partreid.inputs.kinds import Label
from partreid.methods import METHODS
from partreid.storage import cache
from partreid.tools import TOOLS
from partreid.tools.base import Tool

PROJECT = Path(__file__).parents[2]
HEIGHT, WIDTH = 64, 32


def write(path: Path, name: str, **more: object) -> Path:
    """An untrained method's weights."""
    _, options = params.load(PROJECT / "params.yaml").recipe_of(name)
    torch.manual_seed(1)
    method = methods.build(name, backbone="mobilenet_v2", identities=3, **options)
    about = {"model": name, "backbone": "mobilenet_v2", "identities": 3, "options": options, "dataset": "synthetic"}
    methods.save(path, method, {**about, "height": HEIGHT, "width": WIDTH, **more})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five photos of different sizes."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(64, 32), (130, 50), (40, 40), (200, 90), (33, 70)]):
        colours = random.integers(0, 256, (4, 2, 3), dtype=np.uint8)
        image = cv2.resize(colours, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(root / f"{number}.png"), image)
    return root


@pytest.fixture(scope="module")
def photos(folder):
    return sorted(folder.glob("*.png"))


@pytest.fixture(scope="module")
def arrays(photos):
    return [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in photos]


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    return partreid.load(write(tmp_path_factory.mktemp("bot") / "weights.safetensors", "bot"))


def test_the_documents_lines_run_as_they_stand(tmp_path, monkeypatch, photos):
    monkeypatch.chdir(tmp_path)
    write(Path("weights.safetensors"), "bot")
    for name, photo in zip(("a", "b", "photos/c", "photos/d", "photos/e"), photos, strict=True):
        Path(f"{name}.jpg").parent.mkdir(exist_ok=True)
        cv2.imwrite(f"{name}.jpg", cv2.imread(str(photo)))
    given = {"query_pids": [1, 2], "gallery_pids": [2, 1, 1], "query_camids": [0, 0], "gallery_camids": [1, 1, 1]}
    given |= {"video": [], "limit": 0.5}  # test_boxes.py has one with frames
    told = {"distances": np.eye(2, 3), "names": ["anna", "ben", "anna"], **given}
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/use.md").read_text(), re.DOTALL)
    for block in (each for each in blocks if "people" in each or "partreid" in each):
        exec(block, told)
    assert told["found"]["queries"] == 2
    assert Path("people.parquet").is_file()


HEADS = np.array([[2, 1, 20, 15], [0, 0, 50, 40], [np.nan] * 4, [30, 5, 60, 44], [10, 0, 40, 12]], np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_it_is_the_embedding_of_the_pipeline(name, tmp_path, folder, photos):
    file = write(tmp_path / "weights.safetensors", name)
    model = partreid.load(file)
    people = model.embed(photos, labels={"heads": HEADS} if model.needs else None, batch=2)
    assert model.needs == (("heads",) if name == "pah" else ())
    table = pa.table({"image_id": pa.array(range(5), pa.int32()), "path": [path.name for path in photos]})
    corners = dict(zip(("x0", "y0", "x1", "y1"), HEADS.T, strict=True))
    label = {"heads": Label(corners, ~np.isnan(HEADS[:, 0]))} if model.needs else {}
    (wanted,) = embed(methods.load(file), table, folder, label, torch.device("cpu"))
    np.testing.assert_allclose(people.features, wanted.features, atol=2e-5 * np.abs(wanted.features).max())
    np.testing.assert_array_equal(people.visibility, wanted.visibility)
    assert len(people.parts) == people.features.shape[1]
    assert people.paths == tuple(map(str, photos))
    given = vectors(torch.from_numpy(people.features), torch.from_numpy(people.visibility))
    # in blocks of the evaluator's size
    block = DISTANCES[people.distance](given.rows(0, 256), given.rows(0, 1024))
    rounding = 1e-6 if people.distance == "cosine" else 1e-3  # partreid.evaluation.distances
    longest = 1 if people.distance == "cosine" else np.linalg.norm(people.features, axis=2).max()
    np.testing.assert_allclose(partreid.distance(people, people), block[:5, :5], rtol=0, atol=2 * rounding * longest)


def test_paths_arrays_and_pictures_are_the_same_photo(bot, photos, arrays):
    wanted = bot.embed(photos).features
    kinds = {
        "text": [str(path) for path in photos],
        "arrays": arrays,
        "PIL": [Image.open(path) for path in photos],
        "with alpha": [Image.open(path).convert("RGBA") for path in photos],
        "alpha arrays": [np.dstack([each, np.full(each.shape[:2], 7, np.uint8)]) for each in arrays],
        "mixed": [photos[0], arrays[1], Image.open(photos[2]), str(photos[3]), arrays[4]],
        "a generator": (path for path in photos),
    }
    for kind, given in kinds.items():
        np.testing.assert_array_equal(bot.embed(given).features, wanted, err_msg=kind)


def test_one_photo_needs_no_list(bot, photos, arrays):
    wanted = bot.embed(photos[:1]).features
    for one in (photos[0], str(photos[0]), arrays[0], Image.open(photos[0]), arrays[0][None]):
        assert np.array_equal(bot.embed(one).features, wanted)


def test_grey_is_that_grey_in_colour(bot):
    grey = np.random.default_rng(0).integers(0, 256, (40, 20), dtype=np.uint8)
    assert np.array_equal(bot.embed(grey).features, bot.embed(np.dstack([grey] * 3)).features)


def test_a_picture_is_turned_by_its_exif_note_as_its_file_is(bot, tmp_path, arrays):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(arrays[1]).save(tmp_path / "a.jpg", quality=95, exif=exif)
    from_file, picture = bot.embed(tmp_path / "a.jpg").features, bot.embed(Image.open(tmp_path / "a.jpg")).features
    assert np.abs(from_file - picture).max() < 0.02 * np.abs(from_file).max()
    assert np.abs(from_file - bot.embed(arrays[1]).features).max() > 0.1 * np.abs(from_file).max()


def test_a_tensor_is_taken_as_it_is(bot, arrays):
    small = np.stack([resized(each, HEIGHT, WIDTH) for each in arrays])
    found = bot.embed(normalise(torch.from_numpy(small))).features
    np.testing.assert_allclose(found, bot.embed(arrays).features, atol=1e-5 * np.abs(found).max())
    with pytest.raises(UserError, match=r"float, \(N, 3, 64, 32\), normalised; found torch.uint8"):
        bot.embed(torch.zeros(2, 3, 64, 32, dtype=torch.uint8))


def test_ranks_are_those_of_the_distances(bot, photos):
    people = bot.embed(photos)
    found = partreid.rank(people[[0, 3]], people, top=3)
    assert found.row[:, 0].tolist() == [0, 3]
    distances = partreid.distance(people[[0, 3]], people)
    np.testing.assert_allclose(np.sort(distances, 1)[:, :3], found.distance, atol=1e-6)
    assert partreid.rank(people, people).row.shape == (5, 5)
    assert people[1:3].paths == tuple(map(str, photos[1:3]))
    assert people.vectors.shape == (5, people.features.shape[1] * people.features.shape[2])


def test_people_of_several_frames_are_joined(bot, photos, tmp_path):
    first, second = bot.embed(photos[:2]), bot.embed(photos[2:])
    joined, whole = partreid.People.joined([first, second]), bot.embed(photos)
    assert joined.paths == whole.paths
    assert len(partreid.People.joined(iter([first]))) == 2
    assert [each.paths for each in whole] == [(path,) for path in whole.paths]
    assert partreid.distance(joined, whole).diagonal().max() < 1e-6
    np.testing.assert_array_equal(joined.visibility, whole.visibility)
    with pytest.raises(UserError, match="embedded differently and cannot be compared"):
        partreid.People.joined([first, partreid.load(write(tmp_path / "w.safetensors", "pcb")).embed(photos)])
    with pytest.raises(UserError, match=r"expected people, .* found ndarray"):
        partreid.People.joined([first, first.features])
    with pytest.raises(UserError, match="there are no people to join"):
        partreid.People.joined([])


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_and_a_rank_are_the_same_number(name):
    random = np.random.default_rng(0)
    features = random.normal(size=(1100, 3, 70)).astype(np.float32)  # two blocks of the gallery
    seen = (random.random((1100, 3)) < 0.8).astype(np.float32)
    gallery = People(features, seen, ("a", "b", "c"), name, "0" * 64, (None,) * 1100)
    people = gallery[[0, 3, 1099, *range(200, 460)]]  # and of the queries
    found, distances = partreid.rank(people, gallery), partreid.distance(people, gallery)
    np.testing.assert_array_equal(np.take_along_axis(distances, found.row, 1), found.distance)
    assert found.row[:3, 0].tolist() == [0, 3, 1099]
    assert not comparison.few(people, gallery)
    pair = gallery[[0, 3, 7]]
    for others in (pair, gallery):  # as they are, not in blocks
        assert comparison.few(pair, others)
        few, one = partreid.rank(pair, others), partreid.distance(pair, others)
        np.testing.assert_array_equal(np.take_along_axis(one, few.row, 1), few.distance)
        assert few.row.shape == (3, min(20, len(others)))
    np.testing.assert_array_equal(few.row, partreid.rank(gallery[[0, 3, 7, *range(200, 460)]], gallery).row[:3])


def test_few_have_ties_in_the_order_of_many():
    features = np.random.default_rng(0).integers(0, 2, (1100, 1, 4)).astype(np.float32)  # 16 places: exact, many ties
    gallery = People(features, np.ones((1100, 1), np.float32), ("a",), "euclidean", "0" * 64, (None,) * 1100)
    few, many = partreid.rank(gallery[:2], gallery, 1100), partreid.rank(gallery[:300], gallery, 1100)
    np.testing.assert_array_equal(few.row, many.row[:2])


def test_the_distance_of_parts_that_the_documents_write_in_numpy_is_ours():
    random = np.random.default_rng(0)
    features = random.normal(size=(9, 4, 5)).astype(np.float32)
    seen = (random.random((9, 4)) < 0.5).astype(np.float32)
    seen[0] = 0  # shares no part with anybody
    people = People(features, seen, ("a", "b", "c", "d"), "parts", "0" * 64, (None,) * 9)
    code = re.search(
        r"```python\n(import numpy as np\n\neach = .*?)```", (PROJECT / "docs/use.md").read_text(), re.DOTALL
    )[1]
    names = {"features": features[:5], "visibility": seen[:5], "others": features, "others_visibility": seen}
    exec(code, names)
    np.testing.assert_allclose(names["distance"], partreid.distance(people[:5], people), atol=2e-3)


def test_people_are_kept_as_parquet(bot, photos, arrays, tmp_path):
    people = bot.embed([*photos[:2], arrays[2]])
    again = partreid.People.load(people.save(tmp_path / "people.parquet"))
    assert again.paths == (*map(str, photos[:2]), None)
    assert partreid.distance(again, people).diagonal().max() < 1e-6
    assert np.array_equal(again.features, people.features)
    with pytest.raises(UserError, match=r"people are saved as Parquet; give .*people\.npz a name"):
        people.save(tmp_path / "people.npz")
    with pytest.raises(UserError, match=r"there are no people to save in .*nobody\.parquet"):
        people[:0].save(tmp_path / "nobody.parquet")
    with pytest.raises(UserError, match=r"no file .*nothing\.parquet"):
        partreid.People.load(tmp_path / "nothing.parquet")


def test_threads_share_a_model(bot, photos):
    wanted, found = bot.embed(photos).features, []
    threads = [threading.Thread(target=lambda: found.append(bot.embed(photos).features)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(each, wanted) for each in found)


def test_a_forked_process_embeds(tmp_path, photos):
    file = write(tmp_path / "weights.safetensors", "bot")
    code = f"""
import os, signal, partreid, torch
torch.set_num_threads(2)
model = partreid.load({str(file)!r})
wanted = model.embed({[str(photo) for photo in photos]!r}).features
child = os.fork()
if not child:
    signal.alarm(60)  # ends one that waits for ever
    found = model.embed({[str(photo) for photo in photos]!r}).features
    os._exit(int(abs(found - wanted).max() > 1e-5 * abs(wanted).max()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), torch.get_num_threads())
"""
    assert run(tmp_path, code).split() == ["0", "2"]


def test_what_is_asked_goes_before_what_converted_weights_bring(tmp_path, photos):
    file = write(tmp_path / "weights.safetensors", "pcb", at_test={"vectors": "averages"})
    wide = partreid.load(file).embed(photos[:1])
    asked = partreid.load(file, at_test={"vectors": "reduced"}).embed(photos[:1])
    assert wide.at_test == {"vectors": "averages"}
    assert asked.at_test == {"vectors": "reduced"}
    assert wide.features.shape[2] != asked.features.shape[2]


def test_a_model_can_be_pickled(bot, photos):
    there = pickle.loads(pickle.dumps(bot))
    assert np.array_equal(there.embed(photos).features, bot.embed(photos).features)


def test_a_saved_folder_is_the_same_model(bot, photos, tmp_path):
    again = partreid.load(bot.save(tmp_path / "model"))
    assert partreid.distance(again.embed(photos), bot.embed(photos)).diagonal().max() < 1e-6
    assert again.header == bot.header


def test_what_a_test_compares_can_be_chosen(tmp_path, photos):
    file = write(tmp_path / "w.safetensors", "bpbreid")
    model = partreid.load(file, at_test={"embeddings": ("global",)})
    assert model.parts == ("global",)
    people = model.embed(photos)
    assert people.features.shape[1] == 1
    kept = partreid.People.load(people.save(tmp_path / "people.parquet"))
    assert partreid.distance(kept, people).diagonal().max() < 1e-2  # in the file the tuple is a list


@pytest.mark.parametrize(("name", "key"), [("bpbreid", "embeddings"), ("pah", "streams")])
@pytest.mark.parametrize("value", [5, None, "head"])
def test_a_choice_that_is_to_be_a_list_is_named_where_it_is_none(tmp_path, name, key, value):
    file = write(tmp_path / "w.safetensors", name)
    with pytest.raises(UserError, match=rf"at_test\.{name}\.{key} is a list of .*, found {value!r}"):
        partreid.load(file, at_test={key: value})


def test_precision_and_device_are_chosen(tmp_path, photos):
    file = write(tmp_path / "w.safetensors", "bot")
    exact = partreid.load(file, device="cpu", precision="float32").embed(photos).features
    rough = partreid.load(file, device=torch.device("cpu"), precision="bfloat16").embed(photos).features
    assert 0 < np.abs(exact - rough).max() < 0.1 * np.abs(exact).max()
    for wrong in ({"device": "cuda:99"}, {"device": "tpu"}):
        with pytest.raises(UserError, match="cannot be used here"):
            partreid.load(file, **wrong)
    with pytest.raises(UserError, match="unknown precision 'float16'; known: auto, float32, bfloat16"):
        partreid.load(file, precision="float16")


# labels in a test


def drawn(images, *, side):
    """A tool that sees a head in the left upper corner of even images, and nobody in the others."""
    header = cache.header("tool/drawn", "drawn", "1", None, {"side": side}, images.sha256)

    def work(start, stop):
        even = np.arange(start, stop) % 2 == 0
        head = np.where(even[:, None], np.float32([0, 0, side, side]), np.nan).astype(np.float32)
        status = np.where(even, cache.OK, cache.MISSING).astype(np.uint8)
        return {"status": status, "score": even.astype(np.float32), "head": head}

    return header, work


def test_missing_labels_are_made_by_the_tool_that_the_weights_name(tmp_path, photos, monkeypatch):
    monkeypatch.setitem(TOOLS, "drawn", Tool(drawn, ("head",)))
    how = {"tool": "drawn", "tool_parameters": {"side": 20}, "parameters": {"margin": 0.0, "min_score": 0.1}}
    model = partreid.load(write(tmp_path / "w.safetensors", "pah", label_tools={"heads": how}))
    boxes = np.array([[0, 0, 20, 20], [np.nan] * 4] * 3, np.float32)[:5]
    made, given = model.embed(photos), model.embed(photos, labels={"heads": boxes})
    assert np.array_equal(made.features, given.features)
    members = dict(zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True))
    assert np.array_equal(model.embed(photos, labels={"heads": members}).features, given.features)


def red(images):
    """A tool that takes what is red for a head."""
    header = cache.header("tool/red", "red", "1", None, {}, images.sha256)

    def work(start, stop):
        heads = []
        for path in images.table["path"].to_pylist()[start:stop]:
            there = (cv2.imread(str(images.root / path), cv2.IMREAD_COLOR_RGB) == (255, 0, 0)).all(2)
            (top, *_, bottom), (left, *_, right) = (np.flatnonzero(there.any(axis)) for axis in (1, 0))
            heads.append([left, top, right + 1, bottom + 1])
        count = stop - start
        status, score = np.full(count, cache.OK, np.uint8), np.ones(count, np.float32)
        return {"status": status, "score": score, "head": np.float32(heads)}

    return header, work


def test_a_tool_sees_the_photos_in_their_colours_and_order(monkeypatch):
    monkeypatch.setitem(TOOLS, "red", Tool(red, ("head",)))
    how = {"tool": "red", "tool_parameters": {}, "parameters": {"margin": 0.0, "min_score": 0.1}}
    some = [np.zeros((60, 30, 3), np.uint8), np.zeros((40, 50, 3), np.uint8)]
    some[0][5:20, 8:17], some[1][2:12, 30:41] = (255, 0, 0), (255, 0, 0)
    some[0][30:50, 2:9], some[1][20:35, 5:15] = (0, 0, 255), (0, 0, 255)
    found = labels(("heads",), some, {}, {"heads": how})["heads"]
    boxes = np.stack([found.values[name] for name in ("x0", "y0", "x1", "y1")], 1)
    np.testing.assert_array_equal(boxes, [[8, 5, 17, 20], [30, 2, 41, 12]])
    assert found.known.all()


def test_a_given_box_ends_at_the_edge_of_its_photo(tmp_path, photos, arrays):
    model = partreid.load(write(tmp_path / "w.safetensors", "pah"))
    height, width = arrays[0].shape[:2]
    boxes = np.array([[-3, -5, 20, 15], [width - 9, 3, width + 4, height + 50], [width + 2, 0, width + 9, 9]])
    inside = np.array([[0, 0, 20, 15], [width - 9, 3, width, height], [np.nan] * 4])
    same = [photos[0]] * 3
    found, wanted = (model.embed(same, labels={"heads": each.astype(np.float32)}) for each in (boxes, inside))
    assert np.array_equal(found.features, wanted.features)


def test_labels_that_cannot_be_made_are_named(tmp_path, photos, bot):
    model = partreid.load(write(tmp_path / "w.safetensors", "pah"))
    with pytest.raises(
        UserError, match="needs heads labels, and its weights do not say how to make them; give labels="
    ):
        model.embed(photos)
    with pytest.raises(UserError, match="labels have a row per photo: found 4 rows, 5 photos"):
        model.embed(photos, labels={"heads": HEADS[:4]})
    with pytest.raises(UserError, match="labels of schp were given; this model needs none"):
        bot.embed(photos, labels={"schp": HEADS})
    with pytest.raises(UserError, match="labels of heads are x0, y0, x1, y1 by name; y1 is missing"):
        model.embed(photos, labels={"heads": {"x0": HEADS[:, 0], "y0": HEADS[:, 0], "x1": HEADS[:, 0]}})
    for wrong in (HEADS[:, :2], HEADS[:, 0], HEADS.astype(str)):
        with pytest.raises(UserError, match=r"boxes of heads are numbers \(N, 4\).*found"):
            model.embed(photos, labels={"heads": wrong})
    with pytest.raises(UserError, match="found 0 rows, 5 photos"):
        model.embed(photos, labels={"heads": None})
    with pytest.raises(UserError, match=r"by kind, as labels=\{'heads': boxes\}; found ndarray"):
        model.embed(photos, labels=HEADS)


# bad input


def test_bad_photos_are_one_message(bot, tmp_path, arrays):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    for wrong, words in (
        (tmp_path / "nothing.jpg", r"no photo .*nothing\.jpg"),
        (tmp_path / "a.jpg", r"a\.jpg is damaged, or no image file"),
        ([arrays[0], arrays[0] / 255], r"photo 1 is float64 \(64, 32, 3\); arrays are uint8, RGB in 0\.\.255"),
        (np.zeros((3, 4, 5), np.uint8), r"photo 0 has the shape \(3, 4, 5\)"),
        (
            np.zeros((0, 4, 3), np.uint8),
            r"photo 0 is empty, \(0, 4, 3\): cut out by a box that lies outside its frame\?",
        ),
        (np.zeros((5, 0), np.uint8), r"photo 0 is empty"),
        ([], "there are no photos to embed"),
        (7, "expected photos, found int"),
    ):
        with pytest.raises(UserError, match=words):
            bot.embed(wrong)


def test_every_way_to_name_files_is_taken(bot, photos):
    wanted = bot.embed(photos)
    entries = sorted(os.scandir(photos[0].parent), key=lambda entry: entry.name)
    for given in (np.array(list(map(str, photos))), np.array(photos, object), entries):
        found = bot.embed(given)
        assert np.array_equal(found.features, wanted.features)
        assert found.paths == wanted.paths


def test_what_is_no_photo_is_called_by_its_name(bot, tmp_path, photos):
    data = photos[0].read_bytes()
    with photos[0].open("rb") as file:
        for wrong in (data, [data], file, [None], [3], [[photos[0]]]):
            with pytest.raises(
                UserError, match=r"photo 0 is of type (bytes|BufferedReader|NoneType|int|list); photos are"
            ):
                bot.embed(wrong)
    with pytest.raises(UserError, match="is a folder; give the photos in it"):
        bot.embed(tmp_path)


def test_a_file_that_cannot_be_read_is_not_called_damaged(bot, photos, monkeypatch):
    def refused(_path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)  # root may read everything
    with pytest.raises(UserError, match=r"0\.png cannot be read: Permission denied"):
        bot.embed(photos[0])


def test_a_picture_that_cannot_be_read_is_one_message(bot, tmp_path, photos):
    data = photos[3].read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        UserError, match=r"photo 1 is a PIL image that cannot be read .*damaged, cut short, or was closed"
    ):
        bot.embed([photos[0], Image.open(tmp_path / "cut.png")])
    with Image.open(photos[0]) as closed:
        pass
    with pytest.raises(UserError, match="was closed before"):
        bot.embed(closed)


def test_a_tensor_without_photos_or_numbers_is_one_message(bot):
    with pytest.raises(UserError, match="there are no photos to embed"):
        bot.embed(torch.zeros(0, 3, HEIGHT, WIDTH))
    with pytest.raises(UserError, match="holds NaN or infinity"):
        bot.embed(torch.full((1, 3, HEIGHT, WIDTH), torch.nan))


def test_options_that_are_none_are_one_message(bot, tmp_path, photos):
    people = bot.embed(photos)
    for wrong in (0, -1, 1.5, "8", None):
        with pytest.raises(UserError, match=r"batch is .*, expected 1 or more"):
            bot.embed(photos, batch=wrong)
        with pytest.raises(UserError, match=r"top is .*, expected 1 or more"):
            partreid.rank(people, people, top=wrong)
    assert partreid.rank(people, people, top=np.int64(2)).row.shape == (5, 2)
    with pytest.raises(UserError, match="the gallery is empty"):
        partreid.rank(people, people[:0])
    for compare in (partreid.distance, partreid.rank):
        with pytest.raises(
            UserError, match=r"expected people, as model\.embed and People\.load give them, found ndarray"
        ):
            compare(people, people.features)
    with pytest.raises(UserError, match="expected the path of a weights file, found None"):
        partreid.load(None)
    with pytest.raises(UserError, match=r"at_test is \['global'\], expected names and values"):
        partreid.load(write(tmp_path / "w.safetensors", "bot"), at_test=["global"])


def test_people_are_things_not_numbers_to_compare(bot, photos):
    people = bot.embed(photos)
    assert people != bot.embed(photos)  # of arrays, Python could not say
    assert len({people, people}) == 1
    assert repr(people).startswith("<partreid.People 5 photos, 1 parts, cosine distance, by weights ")


def test_people_of_two_networks_are_not_compared(bot, photos, tmp_path):
    other = partreid.load(write(tmp_path / "w.safetensors", "pcb"))
    for compare in (partreid.distance, partreid.rank):
        with pytest.raises(UserError, match="embedded differently and cannot be compared"):
            compare(bot.embed(photos), other.embed(photos))


def test_weights_that_are_none_are_one_message(tmp_path):
    with pytest.raises(
        UserError, match=r"no weights .*nothing\.safetensors; expected .* that a training left, or a folder that"
    ):
        partreid.load(tmp_path / "nothing.safetensors")
    with pytest.raises(UserError, match=r"no weights .*weights\.safetensors") as error:
        partreid.load(tmp_path)
    assert f"in the folder {tmp_path}: it has no weights.safetensors" in str(error.value)


# from an empty folder


def run(folder: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_the_import_brings_nothing_heavy(tmp_path):
    loaded = run(tmp_path, "import sys, partreid; print(*sys.modules)").split()
    assert not {"torch", "numpy", "cv2", "pyarrow"} & set(loaded)
    loaded = run(tmp_path, "import sys, partreid; partreid.load; print(*sys.modules)").split()
    assert not {"dvc", "dvclive", "anny", "warp", "matplotlib", "sklearn", "faiss", "jinja2"} & set(loaded)


def test_the_library_works_in_an_empty_folder_and_leaves_it_empty(tmp_path, photos):
    file = write(tmp_path / "weights.safetensors", "bpbreid")
    (tmp_path / "empty").mkdir()
    code = (
        f"import partreid; model = partreid.load({str(file)!r}); people = model.embed({[str(p) for p in photos]!r});"
        "print(people.features.shape, partreid.distance(people, people).shape);"
        "print(partreid.rank(people, people, top=3).row.shape)"
    )
    assert run(tmp_path / "empty", code).strip().endswith("(5, 5)\n(5, 3)")
    assert not list((tmp_path / "empty").iterdir())


def test_an_unknown_name_is_an_attribute_error():
    shown = {name for name in dir(partreid) if not name.startswith("__")}
    assert shown == {"Hits", "Model", "People", "UserError", "distance", "evaluate", "load", "rank"}
    assert f"version: {partreid.__version__}\n" in (PROJECT / "CITATION.cff").read_text()
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = partreid.lode


def test_a_type_checker_sees_the_names_that_there_are():
    """And no others: a module's __getattr__ would be taken for all of them."""
    tree = ast.parse((PROJECT / "src/partreid/__init__.py").read_text())
    assert not [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "__getattr__"]
    [imports] = [each for each in tree.body if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"]
    shown = {alias.asname for each in imports.body if isinstance(each, ast.ImportFrom) for alias in each.names}
    assert shown == set(partreid.HANDED_ON)
