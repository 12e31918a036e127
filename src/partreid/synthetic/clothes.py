"""The garments of an outfit, cut for one person."""

import numpy as np

from partreid.synthetic import materials as mat
from partreid.synthetic.body import LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG
from partreid.synthetic.fabrics import fabric
from partreid.synthetic.figure import AROUND, Figure
from partreid.synthetic.garments import follow, shell, skirt
from partreid.synthetic.mesh import Mesh, ellipsoid, loft
from partreid.synthetic.people import SKIRTS, TOPS, TROUSERS, Outfit

Worn = tuple[Mesh, np.ndarray | None]
"""A garment and the body's vertices (V,) bool that it covers: their skin is not drawn, so it cannot poke through."""

# where a top ends, metres above the lowest bone of the neck
_NECKLINES = {
    "hoodie": 0.02, "puffer": 0.04, "coat": 0.01, "jacket": 0.02, "sweater": 0.015, "shirt": 0.0, "polo": 0.0,
    "blazer": -0.01,
}  # fmt: skip


def wear_legs(figure: Figure, outfit: Outfit, palette: mat.Palette) -> list[Worn]:
    """Tights, trousers or a skirt."""
    worn: list[Worn] = []
    body, z = figure.body, figure.points[:, 2]
    leg = np.isin(body.part, (UPPER_LEG, LOWER_LEG))
    hips = (body.part == TORSO) & (z < figure.waist)
    if outfit.legs is not None:
        cover = (leg & (figure.limb < 1.97)) | hips
        worn.append((shell(figure, cover, palette.add(fabric(outfit.legs, (0, 0), 0.05)), 0.003, rounds=1), cover))
    cloth = outfit.bottom_cloth
    if outfit.bottom in TROUSERS:
        end, radii, ease = TROUSERS[outfit.bottom]
        cover = (leg & (figure.limb < end)) | hips
        folds = 0.25 if outfit.bottom == "leggings" else 0.6
        row = palette.add(fabric(cloth, (0.0, 0.0), folds))
        legs = shell(figure, cover, row, ease, rounds=8, widths={UPPER_LEG: radii, LOWER_LEG: radii})
        worn.append((legs, (leg & (figure.limb < end - 0.06)) | hips))
    elif outfit.bottom in SKIRTS:
        length, flare, pleats = SKIRTS[outfit.bottom]
        row = palette.add(fabric(cloth, (0.0, figure.crotch), 0.5))
        worn.append((skirt(figure, row, figure.waist, figure.crotch - length, flare, pleats=pleats), hips))
    return worn


def wear_top(figure: Figure, outfit: Outfit, palette: mat.Palette) -> list[Worn]:
    """What is worn above: a shell around trunk and arms, a hem that hangs free, collar or hood."""
    body, x, y, z = figure.body, *figure.points.T
    kind, cloth = outfit.top, outfit.top_cloth
    sleeve, hem, ease, sleeve_radius = TOPS[kind]
    chest = float(figure.bone("spine01")[2])
    neckline = float(figure.bone("neck01")[2]) + _NECKLINES.get(kind, -0.02)
    bottom = figure.crotch + hem
    trunk = (body.part == TORSO) & (z > max(bottom, figure.crotch + 0.02)) & ((z < neckline) | (y > 0.02))
    arm = np.isin(body.part, (UPPER_ARM, LOWER_ARM)) & (figure.limb < sleeve)
    if kind == "dress":
        trunk &= (z < neckline - 0.02) | (np.abs(x) > 0.05)
    if kind == "tank":
        arm[:] = False
        trunk &= np.abs(x) < 0.92 * abs(float(figure.bone("upperarm01.L")[0]))
    origin = (0.0, chest - 0.03 if cloth.pattern == "print" else chest - 0.10)
    folds = {"puffer": 0.3, "blazer": 0.3, "coat": 0.35, "tank": 0.3}.get(kind, 0.55)
    row = palette.add(fabric(cloth, origin, folds, 0.04 if kind == "puffer" else 0.0))
    worn: list[Worn] = []
    gap = 0.0
    outer = trunk | arm
    if outfit.inner is not None:  # worn open: the inner shirt shows
        gap = 26.0
        inner_row = palette.add(fabric(outfit.inner, (0.0, chest - 0.03), 0.4))
        worn.append((shell(figure, trunk, inner_row, 0.010, rounds=6), trunk))
        angle = np.degrees(np.abs(figure.uv[:, 0]) / AROUND)
        outer = outer & ~((body.part == TORSO) & (angle < gap / 2))
    amount: float | np.ndarray = ease
    if kind == "puffer":  # quilted
        amount = ease * (0.75 + 0.25 * np.abs(np.sin(figure.uv[:, 1] * np.pi / 0.07)))
    radii = (0.0, sleeve_radius, 0.85 * sleeve_radius)
    main = shell(figure, outer, row, amount, rounds=10, widths={UPPER_ARM: radii, LOWER_ARM: radii})
    worn.append((main, trunk | (arm & (figure.limb < sleeve - 0.06))))
    tucked = kind in ("tank", "polo", "shirt") and cloth.seed % 2 == 0
    if not tucked:
        flare = {"dress": 0.42, "coat": 0.16, "blazer": 0.15}.get(kind, 0.08)
        start = figure.waist + (0.0 if kind == "dress" else 0.03)
        end = min(bottom, figure.waist - 0.06)
        worn.append((skirt(figure, row, start, end, flare, ease=ease + 0.006, opening=gap), None))
    if kind == "hoodie":
        hood = ellipsoid(figure.bone("neck01") + np.array([0, 0.07, -0.005]), (0.11, 0.055, 0.065), row)
        hood.part[:] = TORSO
        worn.append((follow(figure, hood), None))
    if kind in ("coat", "blazer", "polo", "shirt", "jacket"):
        worn.append((_collar(figure, row, 0.0 if kind in ("polo", "shirt") else 0.012), None))
    return worn


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
        x, y = (half + out + ease) * np.sin(angle), middle - (deep + out + ease) * np.cos(angle)
        rings.append(np.stack([x, y, neck[2] + up + rise], 1))
    return follow(figure, loft(np.stack(rings), row, closed=False, part=TORSO))


def wear_shoes(figure: Figure, outfit: Outfit, palette: mat.Palette) -> list[Worn]:
    """Sneakers with a pale sole, boots up the calf, or flats."""
    body = figure.body
    bones = [number for name, number in body.names.items() if name.startswith(("foot", "toe"))]
    foot = np.isin(body.bones[:, 0], bones)
    ankle = float(figure.bone("foot.L")[2])
    cover = foot & (figure.points[:, 2] < ankle + 0.01)
    if outfit.shoes == "boots":
        cover = foot | ((body.part == LOWER_LEG) & (figure.limb > 1.42))
    elif outfit.shoes == "flats":
        cover = foot & (figure.points[:, 2] < ankle - 0.035)
    row = palette.add(mat.material(mat.PLAIN, outfit.shoe_colour, gloss=0.06))
    shoe = shell(figure, cover, row, 0.017 if outfit.shoes != "flats" else 0.008, rounds=45)
    low = float(shoe.points[:, 2].min())
    sole = shoe.points[:, 2] < low + 0.03
    shoe.points[sole, 2] = low - 0.012
    if outfit.shoes == "sneakers":
        shoe.tint[sole] = mat.linear((0.85, 0.85, 0.83)) / np.maximum(mat.linear(outfit.shoe_colour), 0.02)
    else:
        shoe.tint[sole] = {"boots": 0.35, "flats": 0.5}[outfit.shoes]
    return [(shoe, cover)]
