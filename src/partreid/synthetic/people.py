"""Who somebody is and what hangs in the wardrobe: random choices only, no geometry.

Colours come from one short list that everybody shares, so a person is told by the combination of garment kinds,
lengths, patterns, hair, shoes, bag and build, and seldom by a colour alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

CLOTH = {  # name: (sRGB, weight)
    "black": ((0.07, 0.07, 0.08), 10), "charcoal": ((0.20, 0.20, 0.22), 7), "grey": ((0.48, 0.48, 0.49), 8),
    "white": ((0.88, 0.87, 0.85), 10), "navy": ((0.10, 0.13, 0.26), 9), "blue": ((0.22, 0.33, 0.55), 8),
    "sky": ((0.55, 0.68, 0.82), 4), "beige": ((0.74, 0.66, 0.53), 7), "brown": ((0.33, 0.23, 0.16), 6),
    "olive": ((0.33, 0.34, 0.20), 6), "burgundy": ((0.40, 0.10, 0.15), 5), "red": ((0.70, 0.13, 0.12), 7),
    "green": ((0.13, 0.37, 0.25), 6), "mustard": ((0.76, 0.56, 0.15), 5), "pink": ((0.83, 0.58, 0.62), 5),
}  # fmt: skip
DENIM_COLOURS = ((0.16, 0.22, 0.36), (0.30, 0.40, 0.55), (0.13, 0.14, 0.18), (0.50, 0.58, 0.68))
SKIN = (
    (0.93, 0.77, 0.68),
    (0.87, 0.69, 0.58),
    (0.80, 0.62, 0.49),
    (0.70, 0.52, 0.39),
    (0.56, 0.39, 0.28),
    (0.39, 0.26, 0.18),
)
HAIR = ((0.06, 0.05, 0.05), (0.13, 0.09, 0.07), (0.26, 0.16, 0.10), (0.42, 0.28, 0.16), (0.68, 0.53, 0.31),
        (0.45, 0.18, 0.09), (0.55, 0.54, 0.53), (0.82, 0.80, 0.78))  # fmt: skip

# kind of top: (sleeve in limb units, hem in metres above the crotch, ease in metres, sleeve radius in metres)
TOPS = {
    "tank": (0.12, 0.06, 0.008, 0.0), "tee": (0.62, 0.02, 0.014, 0.065), "polo": (0.55, 0.04, 0.010, 0.058),
    "shirt": (1.95, 0.00, 0.013, 0.052), "sweater": (1.98, 0.02, 0.022, 0.060), "hoodie": (1.98, -0.03, 0.028, 0.066),
    "jacket": (1.98, 0.00, 0.032, 0.070), "puffer": (1.98, 0.00, 0.055, 0.085), "blazer": (1.97, -0.09, 0.022, 0.060),
    "coat": (1.98, -0.45, 0.032, 0.070), "dress": (0.45, -0.40, 0.010, 0.055),
}  # fmt: skip
# kind of bottom: (end in leg units or, for skirts, metres below the crotch; radii at hip, knee, ankle)
TROUSERS = {
    "leggings": (1.92, (0.0, 0.0, 0.0), 0.005), "slim": (1.95, (0.0, 0.066, 0.054), 0.009),
    "straight": (1.99, (0.0, 0.086, 0.080), 0.012), "wide": (1.99, (0.098, 0.104, 0.112), 0.014),
    "shorts": (0.88, (0.100, 0.103, 0.103), 0.014), "bermuda": (1.05, (0.095, 0.095, 0.095), 0.012),
    "cropped": (1.65, (0.0, 0.080, 0.075), 0.011),
}  # fmt: skip
SKIRTS = {"mini": (0.16, 0.45, 0), "knee": (0.42, 0.22, 0), "pleated": (0.34, 0.55, 12), "maxi": (0.72, 0.22, 8)}
PATTERNS = ("plain", "hoops", "pinstripes", "checks", "plaid", "dots", "print", "blocks", "camouflage")
HAIRSTYLES = ("bald", "buzz", "short", "swept", "curly", "bob", "long", "ponytail", "bun")


@dataclass(frozen=True)
class Cloth:
    """What a garment is made of."""

    colour: tuple[float, float, float]  # sRGB
    second: tuple[float, float, float]  # sRGB, of the pattern
    pattern: str  # of PATTERNS, or denim
    scale: float  # metres
    seed: int


@dataclass(frozen=True)
class Outfit:
    """One set of clothes."""

    top: str  # of TOPS
    top_cloth: Cloth
    inner: Cloth | None  # seen in the opening of a jacket or coat
    bottom: str  # of TROUSERS or SKIRTS; "none" under a dress
    bottom_cloth: Cloth
    legs: Cloth | None  # tights under skirts and dresses
    shoes: str  # sneakers, boots, flats
    shoe_colour: tuple[float, float, float]
    bag: str  # none, backpack, shoulder, tote
    bag_cloth: Cloth
    hat: str  # none, cap, beanie
    hat_colour: tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """What stays when the clothes change."""

    phenotype: dict[str, float]
    skin: tuple[float, float, float]
    hair: str  # of HAIRSTYLES
    hair_colour: tuple[float, float, float]
    beard: bool
    glasses: bool
    outfits: tuple[Outfit, ...]


def _pick(rng: np.random.Generator, options: Mapping[str, float]) -> str:
    weights = np.array(list(options.values()), float)
    return str(rng.choice(list(options), p=weights / weights.sum()))


def _colour(rng: np.random.Generator, *avoid: tuple[float, float, float]) -> tuple[float, float, float]:
    names = [name for name, (colour, _) in CLOTH.items() if colour not in avoid]
    weights = np.array([CLOTH[name][1] for name in names], float)
    return CLOTH[str(rng.choice(names, p=weights / weights.sum()))][0]


def _cloth(rng: np.random.Generator, patterns: Mapping[str, float], *avoid: tuple[float, float, float]) -> Cloth:
    pattern = _pick(rng, patterns)
    colour = DENIM_COLOURS[int(rng.integers(len(DENIM_COLOURS)))] if pattern == "denim" else _colour(rng, *avoid)
    second = tuple(min(1.0, 1.35 * c + 0.06) for c in colour) if pattern == "denim" else _colour(rng, colour)
    scale = {"hoops": rng.uniform(0.05, 0.16), "pinstripes": rng.uniform(0.04, 0.09), "checks": rng.uniform(0.06, 0.14),
             "plaid": rng.uniform(0.07, 0.14), "dots": rng.uniform(0.05, 0.09), "print": rng.uniform(0.08, 0.15),
             "camouflage": rng.uniform(0.06, 0.11)}.get(pattern, 0.1)  # fmt: skip
    return Cloth(colour, (second[0], second[1], second[2]), pattern, float(scale), int(rng.integers(1, 10_000)))


def _outfit(rng: np.random.Generator, woman: bool, own_bag: tuple[str, Cloth], own_shoes: tuple[str, tuple]) -> Outfit:
    tops = {"tank": 3.0, "tee": 16, "polo": 6, "shirt": 13, "sweater": 12, "hoodie": 13, "jacket": 13, "puffer": 9,
            "blazer": 7, "coat": 11}  # fmt: skip
    if woman:
        tops |= {"dress": 14, "polo": 2, "tank": 7}
    top = _pick(rng, tops)
    bare = top in ("tank", "tee", "polo", "dress")
    patterns = {"plain": 40.0, "hoops": 12, "blocks": 6, "print": 14 if top != "coat" else 0, "camouflage": 3}
    if top in ("shirt", "dress"):
        patterns = {"plain": 35, "pinstripes": 10, "checks": 8, "plaid": 16, "dots": 10, "hoops": 8}
    elif top in ("coat", "blazer"):
        patterns = {"plain": 80, "plaid": 14, "checks": 3}
    elif top in ("jacket", "puffer"):
        patterns = {"plain": 55, "blocks": 22, "camouflage": 6, "denim": 10 if top == "jacket" else 0, "hoops": 5}
    top_cloth = _cloth(rng, patterns)
    inner = None
    if top in ("jacket", "coat", "blazer") and rng.random() < 0.6:
        inner = _cloth(rng, {"plain": 60, "hoops": 15, "print": 10, "plaid": 6}, top_cloth.colour)
    if top == "dress":
        bottom = "none"
    elif woman and rng.random() < 0.38:
        bottom = _pick(rng, {"mini": 10, "knee": 10, "pleated": 8, "maxi": 8})
    else:
        bottom = _pick(rng, {"leggings": 12 if woman else 0, "slim": 24, "straight": 26, "wide": 12, "cropped": 6,
                             "shorts": 12 if bare else 2, "bermuda": 7 if bare and not woman else 1})  # fmt: skip
    skirt = bottom in SKIRTS
    fabric = {"plain": 50.0, "plaid": 12, "dots": 8, "checks": 5, "hoops": 4} if skirt else {
        "plain": 48, "denim": 42, "pinstripes": 3, "plaid": 4, "camouflage": 3}  # fmt: skip
    bottom_cloth = _cloth(rng, fabric, top_cloth.colour)
    legs = None
    if (skirt or bottom == "none") and rng.random() < 0.45:
        legs = Cloth((0.10, 0.10, 0.11), (0, 0, 0), "plain", 0.1, 1)
    shoes, shoe_colour = own_shoes
    if rng.random() < 0.3:
        shoes, shoe_colour = _shoes(rng, woman)
    bag, bag_cloth = own_bag
    if rng.random() < 0.25:
        bag, bag_cloth = _bag(rng, woman)
    hat = _pick(rng, {"none": 84, "cap": 10, "beanie": 0 if bare else 6})
    return Outfit(
        top, top_cloth, inner, bottom, bottom_cloth, legs, shoes, shoe_colour, bag, bag_cloth, hat, _colour(rng)
    )


def _shoes(rng: np.random.Generator, woman: bool) -> tuple[str, tuple[float, float, float]]:
    kind = _pick(rng, {"sneakers": 60, "boots": 22, "flats": 25 if woman else 5})
    colours = {"sneakers": ("white", "black", "grey", "red", "navy", "mustard"), "boots": ("black", "brown", "beige"),
               "flats": ("black", "brown", "burgundy", "beige")}[kind]  # fmt: skip
    return kind, CLOTH[str(rng.choice(colours))][0]


def _bag(rng: np.random.Generator, woman: bool) -> tuple[str, Cloth]:
    kind = _pick(rng, {"none": 45, "backpack": 26, "shoulder": 24 if woman else 14, "tote": 12 if woman else 5})
    return kind, _cloth(rng, {"plain": 70, "blocks": 10, "print": 5})


def person(rng: np.random.Generator, outfits: int = 2) -> Person:
    """Draw an identity with this many outfits or, three times in ten, one more."""
    woman = bool(rng.random() < 0.5)
    age = float(np.clip(rng.beta(1.4, 1.8) * 0.5 + 0.52, 0.5, 1.0))
    phenotype = {
        "gender": float(rng.uniform(0.82, 1.0) if woman else rng.uniform(0.0, 0.18)),
        "age": age,
        "muscle": float(rng.uniform(0.25, 0.75)),
        "weight": float(np.clip(rng.normal(0.52, 0.2), 0.08, 0.98)),
        "height": float(np.clip(rng.normal(0.5 + (0.03 if woman else 0.0), 0.07), 0.33, 0.68)),
        "proportions": float(rng.uniform(0.2, 0.9)),
    }
    styles = {"bob": 18.0, "long": 30, "ponytail": 20, "bun": 14, "short": 8, "curly": 8} if woman else {
        "bald": 9, "buzz": 16, "short": 38, "swept": 20, "curly": 12, "long": 3, "bun": 2}  # fmt: skip
    grey = age > 0.86 and rng.random() < 0.7
    hair_colour = (
        HAIR[int(rng.integers(6, 8))] if grey else HAIR[int(rng.choice(6, p=[0.24, 0.16, 0.18, 0.14, 0.16, 0.12]))]
    )
    hair = _pick(rng, styles)
    own_bag, own_shoes = _bag(rng, woman), _shoes(rng, woman)
    number = outfits + 1 if rng.random() < 0.3 else outfits
    wardrobe = tuple(_outfit(rng, woman, own_bag, own_shoes) for _ in range(number))
    return Person(
        phenotype,
        SKIN[int(rng.choice(6, p=[0.2, 0.24, 0.2, 0.14, 0.12, 0.1]))],
        hair,
        hair_colour,
        bool(not woman and rng.random() < 0.3),
        bool(rng.random() < 0.2),
        wardrobe,
    )
