"""The parametric human body (anny, MakeHuman data) as plain NumPy arrays, and how bone transforms move it.

Coordinates of a body: metres, x to the person's left, y to the back, z up; the person faces -y.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from partreid.synthetic import shape_files

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG = range(1, 7)  # Pascal-Person-Part classes, 0 = background

# prefix of a bone's name -> its part; the first match counts
_PARTS = (
    ("neck", HEAD), ("head", HEAD), ("eye", HEAD), ("upperarm", UPPER_ARM), ("lowerarm", LOWER_ARM),
    ("wrist", LOWER_ARM), ("finger", LOWER_ARM), ("metacarpal", LOWER_ARM), ("upperleg", UPPER_LEG),
    ("lowerleg", LOWER_LEG),
    ("foot", LOWER_LEG), ("toe", LOWER_LEG), ("", TORSO),
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """What all people share. V = 13,718 vertices, B = 104 bones."""

    model: Any  # the anny module
    faces: np.ndarray  # (F, 3) int32, without the cavities of mouth and eyes
    bones: np.ndarray  # (V, 4) int32, the four bones that move a vertex most
    weights: np.ndarray  # (V, 4) float32, sum 1
    parents: np.ndarray  # (B,) int, -1 for the root; a parent comes before its children
    names: dict[str, int]  # bone name -> number
    part: np.ndarray  # (V,) uint8, part of the strongest bone
    eyeball: np.ndarray  # (V,) bool
    keypoints: np.ndarray  # (17, V) float32, COCO keypoints as weighted means of vertices


@lru_cache(maxsize=1)
def load() -> Body:
    """Load anny's body: a second; the first load on a machine takes ten, while anny fills its cache."""
    import torch
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR  # warp would announce itself, and the missing GPU, in every process
    torch.set_num_threads(1)  # one process per core renders; threads would only fight
    import anny
    from anny.face_segmentation import get_face_segmentation_mask

    with shape_files.read_fast():
        model = anny.Anny()
    labels = list(model.bone_labels)
    drop = [f"{name}.{side}" for name in ("eye_back", "eye_cavity") for side in "LR"] + ["mouth_cavity", "tongue"]
    hidden = get_face_segmentation_mask(model, drop).numpy()
    all_faces = model.faces.numpy().astype(np.int32)
    eye_faces = get_face_segmentation_mask(model, ["eye_front.L", "eye_front.R"]).numpy()
    eyeball = np.zeros(len(model.template_vertices), bool)
    eyeball[all_faces[eye_faces].ravel()] = True

    weights = model.vertex_bone_weights.numpy()
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    bones = np.take_along_axis(model.vertex_bone_indices.numpy(), order, 1).astype(np.int32)
    weights = np.take_along_axis(weights, order, 1).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    bone_part = np.array(
        [next(part for prefix, part in _PARTS if label.startswith(prefix)) for label in labels], np.uint8
    )
    regressor = anny.KeypointsRegressor.coco(model)
    return Body(
        model=model,
        faces=all_faces[~hidden],
        bones=bones,
        weights=weights,
        parents=np.array(model.bone_parents),
        names={label: number for number, label in enumerate(labels)},
        part=bone_part[bones[:, 0]],
        eyeball=eyeball,
        keypoints=regressor.regression_weights[:17].numpy().astype(np.float32),
    )


def rest(body: Body, phenotype: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and bone heads (B, 3), float32 metres, of a person standing with the arms away from the body.

    `phenotype`: anny's gender (0 male, 1 female), age, muscle, weight, height, proportions, each in 0..1.
    """
    import torch

    with torch.no_grad():
        out = body.model(phenotype_kwargs=dict(phenotype))
    return out["rest_vertices"][0].numpy().astype(np.float32), out["rest_bone_heads"][0].numpy().astype(np.float32)


def keypoint_basis(body: Body, vertices: np.ndarray) -> np.ndarray:
    """(17, B, 4) float32 such that the posed keypoints are einsum('bij,kbj->ki', transforms, basis).

    A keypoint is a weighted mean of vertices and a vertex a weighted mean of its bones' images, so the sum over
    vertices can be done once per person instead of once per picture.
    """
    homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1), np.float32)], 1)  # (V, 4)
    basis = np.zeros((17, len(body.parents), 4), np.float32)
    for k in range(17):
        used = np.flatnonzero(body.keypoints[k])
        amount = body.keypoints[k, used, None] * body.weights[used]  # (n, 4)
        for column in range(4):
            np.add.at(basis[k], body.bones[used, column], amount[:, column, None] * homogeneous[used])
    return basis


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), the area-weighted mean of the faces around a vertex; zero where a vertex has none."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for column in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, column], face[:, axis], len(vertices)).astype(vertices.dtype)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
