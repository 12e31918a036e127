"""Poses: where limbs point, and the bone transforms that make them point there.

A pose is built from directions in the body's frame (x left, y back, z up; the person faces -y), so it fits every
body shape: each limb is turned by the smallest rotation from its rest direction to the wanted one.
"""

from collections.abc import Mapping

import numpy as np

from partreid.synthetic.body import Body


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """(3, 3) right-handed rotation about a unit axis (Rodrigues' formula)."""
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) smallest rotation that turns direction a into direction b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine, cosine = float(np.linalg.norm(axis)), float(a @ b)
    if sine < 1e-9:
        return np.eye(3)
    x, y, z = axis / sine
    return rotation((x, y, z), float(np.degrees(np.arctan2(sine, cosine))))


def _direction(forward: float, aside: float, side: int) -> np.ndarray:
    """Unit vector of a hanging limb swung `forward` degrees to the front and `aside` degrees away from the body."""
    f, s = np.radians(forward), np.radians(aside)
    return np.array([side * np.sin(s), -np.sin(f) * np.cos(s), -np.cos(f) * np.cos(s)])


def walking(rng: np.random.Generator) -> dict[str, float]:
    """Random joint angles in degrees: mostly a phase of a walk, or standing; arms swing, hold or rest in pockets."""
    standing = rng.random() < 0.22
    phase = rng.uniform(0, 2 * np.pi)
    stride = rng.uniform(2, 6) if standing else rng.uniform(17, 29)
    pose = {
        "lean": rng.uniform(-1, 5),
        "bend": rng.uniform(-2, 6),
        "twist": rng.uniform(-8, 8) + (0 if standing else -6 * np.sin(phase)),
        "head_turn": rng.normal(0, 18),
        "head_nod": rng.normal(4, 8),
    }
    action = rng.choice(["swing", "phone", "pocket", "strap"], p=[0.7, 0.12, 0.1, 0.08])
    busy = "left" if rng.random() < 0.5 else "right"
    for side, offset in (("left", 0.0), ("right", np.pi)):
        s = np.sin(phase + offset)
        thigh = stride * s + 3
        knee = 4 + stride * 1.7 * max(0.0, np.cos(phase + offset + 0.35)) ** 2
        pose[f"{side}_thigh"] = thigh
        pose[f"{side}_knee"] = knee
        pose[f"{side}_foot"] = min(0.0, 0.8 * (thigh - knee) + 8)  # the heel lifts behind
        pose[f"{side}_apart"] = rng.uniform(0, 4) + (4 if standing else 0)
        pose[f"{side}_arm"] = -0.9 * stride * s + rng.uniform(-4, 6)
        pose[f"{side}_elbow"] = rng.uniform(8, 25) + max(0.0, -0.5 * stride * s)
        pose[f"{side}_aside"] = rng.uniform(6, 13)
        pose[f"{side}_inward"] = rng.uniform(-4, 10)
    if action == "phone":
        pose.update({f"{busy}_arm": 25, f"{busy}_elbow": 95 + rng.uniform(0, 25), f"{busy}_inward": 30})
    elif action == "pocket":
        for side in ("left", "right"):
            pose.update({f"{side}_arm": -14, f"{side}_elbow": 42, f"{side}_aside": 16, f"{side}_inward": 22})
    elif action == "strap":
        pose.update({f"{busy}_arm": 8, f"{busy}_elbow": 128, f"{busy}_inward": 12})
    return {name: float(value) for name, value in pose.items()}


def transforms(body: Body, heads: np.ndarray, pose: Mapping[str, float]) -> np.ndarray:
    """(B, 3, 4) float32 transforms that carry rest points (metres) of each bone to the posed body."""
    n = body.names
    pelvis = rotation((0, 0, 1), -0.4 * pose["twist"])
    chest = rotation((1, 0, 0), pose["lean"] + pose["bend"]) @ rotation((0, 0, 1), pose["twist"])
    waist = rotation((1, 0, 0), pose["lean"]) @ rotation((0, 0, 1), 0.4 * pose["twist"])
    head = rotation((0, 0, 1), pose["head_turn"]) @ rotation((1, 0, 0), pose["head_nod"])
    neck = rotation((0, 0, 1), 0.5 * pose["head_turn"]) @ rotation((1, 0, 0), 0.5 * pose["head_nod"])
    turned = {n["root"]: pelvis, n["spine04"]: waist, n["spine02"]: chest, n["neck01"]: neck, n["head"]: head}
    for side, letter, sign in (("left", "L", 1), ("right", "R", -1)):
        hip, knee, ankle, toe = (
            heads[n[f"{bone}.{letter}"]] for bone in ("upperleg01", "lowerleg01", "foot", "toe3-1")
        )
        thigh_angle = pose[f"{side}_thigh"]
        shank_angle = thigh_angle - pose[f"{side}_knee"]
        aside = pose[f"{side}_apart"]
        thigh = between(knee - hip, pelvis @ _direction(thigh_angle, aside, sign))
        shank = between(thigh @ (ankle - knee), pelvis @ _direction(shank_angle, 0.4 * aside, sign)) @ thigh
        sole = toe - ankle
        flat = (
            pelvis @ rotation((1, 0, 0), -pose[f"{side}_foot"]) @ rotation((0, 0, 1), sign * 8.0) @ np.array([0, -1, 0])
        )
        heading = np.array([flat[0], flat[1], flat[2] + sole[2] / max(float(np.hypot(sole[0], sole[1])), 1e-6)])
        turned[n[f"upperleg01.{letter}"]] = thigh
        turned[n[f"lowerleg01.{letter}"]] = shank
        turned[n[f"foot.{letter}"]] = between(shank @ sole, heading) @ shank
        shoulder, elbow, wrist = (heads[n[f"{bone}.{letter}"]] for bone in ("upperarm01", "lowerarm01", "wrist"))
        up = between(elbow - shoulder, chest @ _direction(pose[f"{side}_arm"], pose[f"{side}_aside"], sign))
        fore = _direction(pose[f"{side}_arm"] + pose[f"{side}_elbow"], -pose[f"{side}_inward"], sign)
        turned[n[f"upperarm01.{letter}"]] = up
        turned[n[f"lowerarm01.{letter}"]] = between(up @ (wrist - elbow), chest @ fore) @ up
    result = np.zeros((len(heads), 3, 4), np.float64)
    for bone, parent in enumerate(body.parents):
        if bone not in turned and parent >= 0:
            result[bone] = result[parent]  # moves rigidly with its parent
            continue
        turn = turned[bone]
        place = heads[bone] if parent < 0 else result[parent, :, :3] @ heads[bone] + result[parent, :, 3]
        result[bone, :, :3] = turn
        result[bone, :, 3] = place - turn @ heads[bone]
    return result.astype(np.float32)
