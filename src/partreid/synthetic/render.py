"""Renders a whole data set into a folder, in parallel, one person after another.

Work happens in `tmp/synthetic/<fingerprint>/`: a person is finished when its truth piece is there, so a killed render
goes on where it was. All is moved to its place at the end, `truth.npz`, without which no reader accepts the set, last.
Memory holds one person per process and one chunk of truth, whatever the size of the set.
"""

import shutil
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from partreid.errors import UserError
from partreid.progress import progress
from partreid.storage import chunks
from partreid.storage.files import fingerprint, scratch_root, whole, writable
from partreid.storage.workers import spread
from partreid.synthetic import people, plan
from partreid.synthetic.truth import FIELDS

VERSION = 2  # raise it, and synthetic.version in params.yaml, when the same parameters give other pictures
OUTFITS = 2  # of an identity, by default
CROWD = 24  # people who only walk by
SMALL = 200  # images: below, starting another process costs more than it gains
SPLITS = ("gallery", "query", "train")  # the folders, in sorted order
Piece = dict[str, np.ndarray]


def render(
    root: Path,
    *,
    seed: int,
    train_identities: int,
    test_identities: int,
    images: int,
    height: int,
    width: int,
    processes: int,
    outfits: int = OUTFITS,
    train_images: int = 0,
    first_test: int = 0,
) -> None:
    """Write train/, query/, gallery/ and truth.npz into `root` (created; it must be empty or hold an earlier render).

    `images` per identity of height x width pixels. outfits: of an identity; some have one more. train_images: per
    training identity; 0: `images`. first_test: see plan.numbers. The same parameters give the same bytes, whatever
    `processes` is.
    Raises UserError when the parameters make no data set or `root` holds other files.
    """
    possible(
        train_identities=train_identities,
        test_identities=test_identities,
        images=images,
        height=height,
        width=width,
        outfits=outfits,
        train_images=train_images,
        first_test=first_test,
    )
    _own(root)
    each = {True: train_images or images, False: images}  # by whether a person trains
    writable(root / "truth.npz" if root.exists() else root)  # a folder that is there is a set that is whole
    header = {
        "version": VERSION,
        "seed": seed,
        "train_identities": train_identities,
        "test_identities": test_identities,
        "images": images,
        "height": height,
        "width": width,
        # what is as it always was is left out, so that earlier sets are what they were, to the byte
        **({"outfits": outfits} if outfits != OUTFITS else {}),
        **({"train_images": train_images} if train_images else {}),
        **({"first_test": first_test} if first_test else {}),
    }
    folder = scratch_root() / "synthetic" / fingerprint(header)
    training, test = plan.numbers(train_identities, test_identities, first_test)
    persons = sorted([*training, *test])
    digits = max(4, len(str(persons[-1])))
    rest = (height, width, digits, outfits)
    trains = set(training)
    jobs = [(folder, seed, pid, pid in trains, each[pid in trains], *rest) for pid in persons]
    todo = [job for job in jobs if not _piece(folder, job[2]).is_file()]
    total, left = (sum(job[4] for job in some) for some in (jobs, todo))
    if todo:  # anny and warp fill their caches once, not in every process at the same time, nor on the progress's clock
        _state(seed)
    with progress(total, "synthetic", done=total - left) as bar:
        processes = min(processes, len(todo), 1 + left // SMALL)
        if processes <= 1:
            for job in todo:
                bar.update(_person(*job))
        else:
            killed = "a rendering process was killed (out of memory?); run again with fewer processes"
            spread(_person, todo, processes, lambda _, images: bar.update(images), killed)
    chunks.write(folder / "truth.npz", {**header, "occluded_below": plan.OCCLUDED_BELOW}, _chunks(folder, persons))
    shutil.rmtree(folder / "truth")  # from here on a kill means to start again: the images begin to leave
    root.mkdir(parents=True, exist_ok=True)
    (root / "truth.npz").unlink(missing_ok=True)
    for name in (*SPLITS, "truth.npz"):
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        if (folder / name).exists():
            shutil.move(folder / name, root / name)
    shutil.rmtree(folder)


def possible(
    *,
    train_identities: int,
    test_identities: int,
    images: int,
    height: int,
    width: int,
    outfits: int,
    train_images: int,
    first_test: int,
) -> None:
    """Raise a UserError when these arguments of `render` make no data set."""
    if min(train_images, first_test) < 0:
        raise UserError(f"train_images is {train_images}, first_test {first_test}; expected 0 or more")
    if min(train_identities, test_identities) < 0 or train_identities + test_identities < 1:
        raise UserError(f"{train_identities} training and {test_identities} test identities, expected at least one")
    if outfits < 2:
        raise UserError(f"outfits is {outfits}, expected at least 2, so that clothes change")
    least = 2 * (outfits + 1)
    for name, number in {"images": images, "train_images": train_images or images}.items():
        if number < least:
            raise UserError(
                f"{name} is {number}, expected at least {least} of a person, who has up to {outfits + 1} outfits: two "
                "pictures in each"
            )
    if height < 32 or width < 16 or height < width:
        raise UserError(f"images of {height} x {width} pixels (height x width), expected upright, at least 32 x 16")


def _own(root: Path) -> None:
    """Raise a UserError where `root` holds other files than a rendered set."""
    if root.is_dir():
        strange = sorted(p.name for p in root.iterdir() if p.name not in (*SPLITS, "truth.npz", ".gitignore"))
        if strange:
            raise UserError(f"{root} holds other files ({', '.join(strange[:5])}); name an empty folder")


@lru_cache(maxsize=1)
def _state(seed: int) -> tuple:
    """What a process needs for all persons: body, cameras with their scenes, and the passers-by dressed so far."""
    from partreid.synthetic import body, camera, picture, scene

    views: list[list[tuple]] = []
    for number in range(plan.CAMERAS):
        rng = plan.random(seed, "camera", number)
        views.append([])
        for eye in camera.sites(number, rng):
            place = scene.scene(eye.scene, rng)
            views[-1].append((eye, picture.solid(place.mesh, place.mesh.points, place.table, camera.view(eye))))
    return body.load(), views, {}


def _piece(folder: Path, pid: int) -> Path:
    return folder / "truth" / f"{pid:06d}.npz"


def _person(
    folder: Path, seed: int, pid: int, training: bool, images: int, height: int, width: int, digits: int, outfits: int
) -> int:
    """Render all pictures of one person; returns their number."""
    from partreid.synthetic import dress, picture

    body, views, crowd = _state(seed)
    who = people.person(plan.random(seed, "person", pid), outfits)
    figure = dress.shape(body, who)
    dressed = [dress.dress(figure, who, outfit) for outfit in who.outfits]

    def passer(rng: np.random.Generator) -> dress.Dressed:
        number = int(rng.integers(CROWD))
        if number not in crowd:
            other = people.person(plan.random(seed, "crowd", number))
            crowd[number] = dress.dress(dress.shape(body, other), other, other.outfits[0])
        return crowd[number]

    found: dict[str, dict] = {}
    for shot in plan.shots(seed, pid, training, images, len(dressed)):
        rng = plan.random(seed, "picture", pid, shot.frame)
        eye, scenery = views[shot.camera][int(rng.integers(len(views[shot.camera])))]
        image, truth = picture.picture(
            body, dressed[shot.outfit], partial(passer, rng), eye, scenery, shot.occlude, (height, width), rng
        )
        path = shot.path(digits)
        coded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, eye.quality])[1]
        with whole(folder / path) as temporary:
            temporary.write_bytes(coded.tobytes())
        found[path] = {name: getattr(truth, name) for name in FIELDS}
    rows = [{"path": np.array(path), **found[path]} for path in sorted(found)]
    with whole(_piece(folder, pid)) as temporary, temporary.open("wb") as file:
        arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return len(found)


def _chunks(folder: Path, persons: Sequence[int]) -> Iterator[Piece]:
    """All truth in sorted order of the paths, 1,024 images at a time."""
    waiting: list[Piece] = []
    count = 0
    for split in SPLITS:
        for pid in persons:
            with np.load(_piece(folder, pid)) as file:
                paths = file["path"]
                mine = np.char.startswith(paths, f"{split}/")
                if not mine.any():
                    continue
                waiting.append({name: file[name][mine] for name in file.files})
            count += int(mine.sum())
            if count >= chunks.CHUNK:
                joined = _join(waiting)
                yield {name: array[: chunks.CHUNK] for name, array in joined.items()}
                waiting = [{name: array[chunks.CHUNK :] for name, array in joined.items()}]
                count -= chunks.CHUNK
    if count:
        yield _join(waiting)


def _join(pieces: list[Piece]) -> Piece:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
