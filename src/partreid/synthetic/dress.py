"""Puts an outfit on a body: from the choices of people.py to one skinned mesh and its materials."""

from dataclasses import dataclass

import numpy as np

from partreid.synthetic import materials as mat
from partreid.synthetic.bags import carry
from partreid.synthetic.body import Body, keypoint_basis, rest
from partreid.synthetic.clothes import wear_legs, wear_shoes, wear_top
from partreid.synthetic.figure import Figure, measure
from partreid.synthetic.garments import skin_mesh
from partreid.synthetic.hair import hair, hat, scalp, skin_tint
from partreid.synthetic.mesh import Mesh, join
from partreid.synthetic.people import Outfit, Person


@dataclass(frozen=True)
class Dressed:
    """A person in an outfit, ready to be posed."""

    mesh: Mesh  # in the rest pose, skinned; material numbers refer to `table`
    table: np.ndarray  # (M, 16) float32
    heads: np.ndarray  # (B, 3) bone heads, metres
    keypoints: np.ndarray  # (17, B, 4) see body.keypoint_basis


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
    for wear in (wear_legs, wear_top, wear_shoes):
        for garment, cover in wear(figure, outfit, palette):
            parts.append(garment)
            if cover is not None:
                covered |= cover
    parts += carry(figure, outfit.bag, outfit.bag_cloth, palette, join(parts))
    colour = np.array(person.hair_colour)
    strands = mat.material(mat.FOLIAGE, colour * 0.8, colour * 1.12, scale=0.02, folds=0.35, gloss=0.04, seed=3)
    parts += hair(figure, person.hair, palette.add(strands), outfit.hat != "none")
    if outfit.hat != "none":
        parts += hat(figure, outfit.hat, palette.add(mat.material(mat.PLAIN, outfit.hat_colour, folds=0.2)))
    elif person.hair not in ("bald", "buzz"):
        covered |= scalp(figure, 0.01)
    bare = body.faces[~covered[body.faces].all(1)]
    tint = skin_tint(figure, person.skin, person.hair_colour, person.hair, person.beard, person.glasses)
    parts.append(skin_mesh(figure, bare, skin_row, tint))
    return Dressed(join(parts), palette.table(), figure.heads, keypoint_basis(body, figure.points))
