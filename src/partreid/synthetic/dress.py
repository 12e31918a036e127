"""Puts an outfit on a body: from the choices of people.py to one skinned mesh and its materials."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from partreid.synthetic import materials as mat
from partreid.synthetic.body import HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG, Body, keypoint_basis, rest
from partreid.synthetic.figure import Figure, measure
from partreid.synthetic.garments import follow, shell, skin_mesh, skirt
from partreid.synthetic.hair import hair, hat, scalp, skin_tint
from partreid.synthetic.mesh import Mesh, box, ellipsoid, join, loft, tube
from partreid.synthetic.people import SKIRTS, TOPS, TROUSERS, Cloth, Outfit, Person

_KINDS = {
    "plain": mat.PLAIN, "hoops": mat.HOOPS, "pinstripes": mat.PINSTRIPES, "checks": mat.CHECKS, "plaid": mat.PLAID,
    "dots": mat.DOTS, "print": mat.PRINT, "blocks": mat.BLOCKS, "camouflage": mat.CAMOUFLAGE, "denim": mat.DENIM,
}  # fmt: skip
# where a top ends, metres above the lowest bone of the neck
_NECKLINES = {
    "hoodie": 0.02,
    "puffer": 0.04,
    "coat": 0.01,
    "jacket": 0.02,
    "sweater": 0.015,
    "shirt": 0.0,
    "polo": 0.0,
    "blazer": -0.01,
}


@dataclass(frozen=True)
class Dressed:
    """A person in an outfit, ready to be posed."""

    mesh: Mesh  # in the rest pose, skinned; material numbers refer to `table`
    table: np.ndarray  # (M, 16) float32
    heads: np.ndarray  # (B, 3) bone heads, metres
    keypoints: np.ndarray  # (17, B, 4) see body.keypoint_basis


def _fabric(cloth: Cloth, origin: tuple[float, float], folds: float, gloss: float = 0.0) -> np.ndarray:
    amount = {
        "hoops": 0.45,
        "pinstripes": 0.22,
        "plaid": 0.35,
        "dots": 0.55,
        "print": 1.0,
        "camouflage": 0.5,
        "denim": 0.8,
    }
    return mat.material(
        _KINDS[cloth.pattern],
        cloth.colour,
        cloth.second,
        scale=cloth.scale,
        origin=origin,
        amount=amount.get(cloth.pattern, 0.5),
        folds=folds,
        gloss=gloss,
        seed=cloth.seed,
    )


def shape(body: Body, person: Person) -> Figure:
    """The person's rest body."""
    return measure(body, *rest(body, person.phenotype))


def dress(figure: Figure, person: Person, outfit: Outfit) -> Dressed:
    """Build the mesh of a person in an outfit."""
    body = figure.body
    palette = mat.Palette()
    skin_row = palette.add(mat.material(mat.PLAIN, (1, 1, 1), gloss=0.03))
    parts: list[Mesh] = []
    covered = np.zeros(len(figure.points), bool)

    def wear(m: Mesh, cover: np.ndarray | None = None) -> None:
        nonlocal covered
        parts.append(m)
        if cover is not None:
            covered = covered | cover

    _wear_legs(figure, outfit, palette, wear)
    _wear_top(figure, outfit, palette, wear)
    _wear_shoes(figure, outfit, palette, wear)
    _carry(figure, outfit, palette, wear, join(parts))
    hair_row = palette.add(
        mat.material(
            mat.FOLIAGE,
            np.array(person.hair_colour) * 0.8,
            np.array(person.hair_colour) * 1.12,
            scale=0.02,
            folds=0.35,
            gloss=0.04,
            seed=3,
        )
    )
    parts += hair(figure, person.hair, hair_row, outfit.hat != "none")
    if outfit.hat != "none":
        parts += hat(figure, outfit.hat, palette.add(mat.material(mat.PLAIN, outfit.hat_colour, folds=0.2)))
    if person.hair not in ("bald", "buzz") and outfit.hat == "none":
        covered = covered | scalp(figure, 0.01)
    bare = body.faces[~covered[body.faces].all(1)]
    tint = skin_tint(figure, person.skin, person.hair_colour, person.hair, person.beard, person.glasses)
    parts.append(skin_mesh(figure, bare, skin_row, tint))
    return Dressed(join(parts), palette.table(), figure.heads, keypoint_basis(body, figure.points))


def _wear_legs(figure: Figure, outfit: Outfit, palette: mat.Palette, wear) -> None:  # type: ignore[no-untyped-def]
    body, z = figure.body, figure.points[:, 2]
    leg = np.isin(body.part, (UPPER_LEG, LOWER_LEG))
    hips = (body.part == TORSO) & (z < figure.waist)
    if outfit.legs is not None:
        cover = (leg & (figure.limb < 1.97)) | hips
        wear(shell(figure, cover, palette.add(_fabric(outfit.legs, (0, 0), 0.05)), 0.003, rounds=1), cover)
    cloth = outfit.bottom_cloth
    if outfit.bottom in TROUSERS:
        end, radii, ease = TROUSERS[outfit.bottom]
        cover = (leg & (figure.limb < end)) | hips
        folds = 0.25 if outfit.bottom == "leggings" else 0.6
        row = palette.add(_fabric(cloth, (0.0, 0.0), folds))
        wear(
            shell(figure, cover, row, ease, rounds=8, widths={UPPER_LEG: radii, LOWER_LEG: radii}),
            cover & (figure.limb < end - 0.06) | hips,
        )
    elif outfit.bottom in SKIRTS:
        length, flare, pleats = SKIRTS[outfit.bottom]
        row = palette.add(_fabric(cloth, (0.0, figure.crotch), 0.5))
        wear(skirt(figure, row, figure.waist, figure.crotch - length, flare, pleats=pleats), hips)


def _wear_top(figure: Figure, outfit: Outfit, palette: mat.Palette, wear) -> None:  # type: ignore[no-untyped-def]
    body, z = figure.body, figure.points[:, 2]
    sleeve, hem, ease, sleeve_radius = TOPS[outfit.top]
    cloth = outfit.top_cloth
    chest = float(figure.bone("spine01")[2])
    neckline = float(figure.bone("neck01")[2]) + _NECKLINES.get(outfit.top, -0.02)
    bottom = figure.crotch + hem
    trunk = (
        (body.part == TORSO) & (z > max(bottom, figure.crotch + 0.02)) & ((z < neckline) | (figure.points[:, 1] > 0.02))
    )
    if outfit.top == "dress":
        trunk &= (z < neckline - 0.02) | (np.abs(figure.points[:, 0]) > 0.05)
    arm = np.isin(body.part, (UPPER_ARM, LOWER_ARM)) & (figure.limb < sleeve)
    if sleeve < 0.3:
        arm &= False
        trunk &= np.abs(figure.points[:, 0]) < 0.92 * abs(float(figure.bone("upperarm01.L")[0]))
    cover = trunk | arm
    origin = (0.0, chest - 0.03 if cloth.pattern == "print" else chest - 0.10)
    folds = {"puffer": 0.3, "blazer": 0.3, "coat": 0.35, "tank": 0.3}.get(outfit.top, 0.55)
    row = palette.add(_fabric(cloth, origin, folds, 0.04 if outfit.top == "puffer" else 0.0))
    opened = outfit.inner is not None
    outer = cover
    gap = 26.0 if opened else 0.0
    if outfit.inner is not None:
        inner_row = palette.add(_fabric(outfit.inner, (0.0, chest - 0.03), 0.4))
        wear(shell(figure, trunk, inner_row, 0.010, rounds=6), trunk)
        angle = np.abs(figure.uv[:, 0]) / 0.15
        outer = cover & ~((body.part == TORSO) & (angle < np.radians(gap / 2)))
    radii = (0.0, sleeve_radius, 0.85 * sleeve_radius)
    amount: float | np.ndarray = ease
    if outfit.top == "puffer":  # quilted
        amount = ease * (0.75 + 0.25 * np.abs(np.sin(figure.uv[:, 1] * np.pi / 0.07)))
    wear(
        shell(figure, outer, row, amount, rounds=10, widths={UPPER_ARM: radii, LOWER_ARM: radii}),
        cover & ~(arm & (figure.limb > sleeve - 0.06)),
    )
    flare = {"dress": 0.42, "coat": 0.16, "blazer": 0.15}.get(outfit.top, 0.08)
    start = figure.waist + (0.0 if outfit.top == "dress" else 0.03)
    tucked = outfit.top in ("tank", "polo", "shirt") and cloth.seed % 2 == 0 and outfit.bottom != "none"
    if not tucked:
        wear(skirt(figure, row, start, min(bottom, figure.waist - 0.06), flare, ease=ease + 0.006, opening=gap))
    if outfit.top == "hoodie":
        neck = figure.bone("neck01")
        wear(follow(figure, ellipsoid(neck + np.array([0, 0.07, -0.005]), (0.11, 0.055, 0.065), row)))
    if outfit.top in ("coat", "blazer", "polo", "shirt", "jacket"):
        wear(_collar(figure, row, 0.0 if outfit.top in ("polo", "shirt") else 0.012))


def _collar(figure: Figure, row: int, ease: float) -> Mesh:
    """A stand-up collar around the neck, open in front."""
    neck = figure.bone("neck01")
    near = (np.abs(figure.points[:, 2] - neck[2] - 0.02) < 0.02) & (np.abs(figure.points[:, 0]) < 0.1)
    slab = figure.points[near]
    half, middle = min(0.075, float(np.abs(slab[:, 0]).max())), float(neck[1]) + 0.014
    deep = 1.05 * half
    angle = np.radians(np.linspace(14, 346, 24))
    rise = 0.03 * (1 - np.cos(angle)) / 2  # higher at the nape
    rings = []
    for out, up in ((0.030, -0.035), (0.016, 0.0), (0.012, 0.024)):
        rings.append(
            np.stack(
                [
                    (half + out + ease) * np.sin(angle),
                    middle - (deep + out + ease) * np.cos(angle),
                    neck[2] + up + rise,
                ],
                1,
            )
        )
    return follow(figure, loft(np.stack(rings), row, closed=False, part=TORSO))


def _wear_shoes(figure: Figure, outfit: Outfit, palette: mat.Palette, wear) -> None:  # type: ignore[no-untyped-def]
    body = figure.body
    foot = np.isin(
        body.bones[:, 0], [number for name, number in body.names.items() if name.startswith(("foot", "toe"))]
    )
    ankle = float(figure.bone("foot.L")[2])
    cover = foot & (figure.points[:, 2] < ankle + 0.01)
    if outfit.shoes == "boots":
        cover = foot | ((body.part == LOWER_LEG) & (figure.limb > 1.42))
    elif outfit.shoes == "flats":
        cover = foot & (figure.points[:, 2] < ankle - 0.035)
    row = palette.add(mat.material(mat.PLAIN, outfit.shoe_colour, gloss=0.06))
    shoe = shell(figure, cover, row, 0.014 if outfit.shoes != "flats" else 0.008, rounds=14)
    low = float(shoe.points[:, 2].min())
    sole = {"sneakers": 1.0, "boots": 0.35, "flats": 0.5}[outfit.shoes]
    shoe.points[:, 2] = np.where(shoe.points[:, 2] < low + 0.03, low - 0.012, shoe.points[:, 2])
    if outfit.shoes == "sneakers":
        pale = mat.linear((0.85, 0.85, 0.83)) / np.maximum(mat.linear(outfit.shoe_colour), 0.02)
        shoe.tint[shoe.points[:, 2] < low + 0.028] = pale
    else:
        shoe.tint[shoe.points[:, 2] < low + 0.028] = sole
    wear(shoe, cover)


def _carry(figure: Figure, outfit: Outfit, palette: mat.Palette, wear, clothed: Mesh) -> None:  # type: ignore[no-untyped-def]
    if outfit.bag == "none":
        return
    cloth = outfit.bag_cloth
    chest, shoulder = figure.bone("spine01"), figure.bone("upperarm01.L")
    row = palette.add(_fabric(cloth, (0.0, 0.0), 0.3))
    trunk = clothed.part == TORSO
    surface = clothed.points[np.unique(clothed.faces[trunk])]

    def back_of(height: float) -> float:
        near = surface[(np.abs(surface[:, 2] - height) < 0.05) & (np.abs(surface[:, 0]) < 0.12)]
        return float(near[:, 1].max())

    if outfit.bag == "backpack":
        middle = float(chest[2]) - 0.07
        deep = back_of(middle)
        t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        outline = np.stack(
            [
                0.15 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.5,
                0 * t,
                0.21 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.5,
            ],
            1,
        )
        rings = np.stack(
            [outline * s + np.array([0, y, 0]) for s, y in ((0.9, -0.02), (1.0, 0.02), (0.98, 0.09), (0.8, 0.14))]
        )
        sack = loft(rings + np.array([0, deep, middle]), row, caps=True, part=TORSO)
        sack = _recoordinate(sack, middle)
        wear(follow(figure, sack, None))
        for sign in (1, -1):
            x = sign * 0.55 * float(shoulder[0])
            path = [
                (x, deep, middle + 0.17),
                (x, 0.06, shoulder[2] + 0.06),
                (x, -0.03, shoulder[2] + 0.085),
                (x, -0.14, chest[2]),
                (1.25 * x, -0.12, chest[2] - 0.16),
                (1.45 * x, 0.0, chest[2] - 0.22),
                (1.1 * x, deep, middle - 0.15),
            ]
            wear(_strap(figure, clothed, np.array(path), row))
    elif outfit.bag == "shoulder":
        hip = np.array([-0.5, 0.0, 0.0]) * 0 + np.array(
            [-float(figure.points[figure.body.part == TORSO, 0].max()) - 0.03, 0.0, figure.crotch + 0.06]
        )
        sack = box((0.09, 0.30, 0.22), row, hip, part=TORSO)
        wear(follow(figure, sack, None))
        s = float(shoulder[0])
        front = [
            (0.6 * s, 0.05, shoulder[2] + 0.05),
            (0.6 * s, -0.05, shoulder[2] + 0.05),
            (0.0, -0.16, chest[2] - 0.06),
            (-0.8 * s, -0.12, figure.waist),
            tuple(hip + [0.02, -0.1, 0.1]),
        ]
        back = [
            (0.6 * s, -0.02, shoulder[2] + 0.06),
            (0.5 * s, 0.12, chest[2] + 0.03),
            (0.0, 0.16, chest[2] - 0.08),
            (-0.8 * s, 0.12, figure.waist),
            tuple(hip + [0.02, 0.1, 0.1]),
        ]
        for path in (front, back):
            wear(_strap(figure, clothed, np.array(path, float), row))
    else:  # a tote in the left hand
        wrist = figure.bone("wrist.L")
        hand = figure.body.names["wrist.L"]
        centre = wrist + np.array([0.05, -0.06, -0.30])
        wear(box((0.11, 0.30, 0.30), row, centre, part=LOWER_ARM, bone=hand))
        handle = (
            np.array([[0, -0.09, -0.15], [0.0, -0.06, 0.05], [0, 0.06, 0.05], [0, 0.09, -0.15]]) + centre + [0, 0, 0.15]
        )
        strap = tube(handle, 0.008, row)
        strap.bones[:] = hand
        wear(strap)


def _recoordinate(m: Mesh, middle: float) -> Mesh:
    """Patterns on a backpack are drawn on its back: u = x, v = height above its middle."""
    m.uv[:, 0], m.uv[:, 1] = m.points[:, 0], m.points[:, 2] - middle
    return m


def _strap(figure: Figure, clothed: Mesh, path: np.ndarray, material: int) -> Mesh:
    """A ribbon along a coarse path, pressed onto the clothes."""
    t = np.linspace(0, len(path) - 1, 5 * len(path))
    fine = np.stack([np.interp(t, range(len(path)), path[:, axis]) for axis in range(3)], 1)
    trunk = clothed.points[np.unique(clothed.faces[clothed.part == TORSO])]
    nearest = trunk[cKDTree(trunk).query(fine)[1]]
    outward = nearest - np.array([0.0, 0.0, 0.0])
    outward[:, 2] = np.where(nearest[:, 2] > float(figure.bone("upperarm01.L")[2]) + 0.02, 0.1, 0.0)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    pressed = nearest + 0.008 * outward
    kernel = np.ones(5) / 5
    for axis in range(3):
        padded = np.pad(pressed[:, axis], 2, mode="edge")
        pressed[:, axis] = np.convolve(padded, kernel, mode="valid")
    strap = tube(pressed + 0.004 * outward, 0.022, material, around=6, flat=0.45)
    strap.part[:] = TORSO
    return follow(figure, strap, clothed)


__all__ = ["HEAD", "Dressed", "dress", "shape"]
