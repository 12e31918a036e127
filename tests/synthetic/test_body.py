"""The body, its poses and its clothes, on one person of anny."""

from functools import lru_cache

import numpy as np
import pytest

from partreid.synthetic import body as bodies
from partreid.synthetic import dress, people, plan, pose
from partreid.synthetic.figure import Figure, smooth
from partreid.synthetic.garments import shell, skirt
from partreid.synthetic.raster import skin


@lru_cache(maxsize=1)
def _figure() -> Figure:
    body = bodies.load()
    return dress.shape(body, people.person(plan.random(1, "person", 1)))


def test_rotation_between_directions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(2, 3))
        turn = pose.between(a, b)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(turn @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-9)


def test_limbs_point_where_the_pose_says() -> None:
    figure = _figure()
    angles = dict.fromkeys(pose.walking(np.random.default_rng(0)), 0.0)
    bones = pose.transforms(
        figure.body, figure.heads, {**angles, "left_thigh": 30.0, "left_knee": 50.0, "right_arm": 90.0}
    )

    def place(name: str) -> np.ndarray:
        number = figure.body.names[name]
        return bones[number, :, :3] @ figure.heads[number] + bones[number, :, 3]

    thigh = place("lowerleg01.L") - place("upperleg01.L")
    assert np.degrees(np.arctan2(-thigh[1], -thigh[2])) == pytest.approx(30, abs=0.1)  # to the front
    shank = place("foot.L") - place("lowerleg01.L")
    assert np.degrees(np.arctan2(-shank[1], -shank[2])) == pytest.approx(-20, abs=0.1)  # the heel behind
    arm = place("lowerarm01.R") - place("upperarm01.R")
    np.testing.assert_allclose(arm / np.linalg.norm(arm), [0, -1, 0], atol=1e-5)
    for number, parent in enumerate(figure.body.parents):  # bones stay attached
        if parent >= 0:
            by_parent = bones[parent, :, :3] @ figure.heads[number] + bones[parent, :, 3]
            np.testing.assert_allclose(
                bones[number, :, :3] @ figure.heads[number] + bones[number, :, 3], by_parent, atol=1e-5
            )


def test_keypoint_basis_equals_the_mean_of_skinned_vertices() -> None:
    figure = _figure()
    body = figure.body
    bones = pose.transforms(body, figure.heads, pose.walking(np.random.default_rng(3)))
    posed = skin(figure.points, body.bones, body.weights, bones)
    basis = bodies.keypoint_basis(body, figure.points)
    np.testing.assert_allclose(np.einsum("bij,kbj->ki", bones, basis), body.keypoints @ posed, atol=1e-4)


def test_shapes_follow_the_phenotype() -> None:
    body = bodies.load()
    neutral = {"gender": 0.5, "age": 0.7, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5}
    small, tall = (np.ptp(bodies.rest(body, {**neutral, "height": h})[0][:, 2]) for h in (0.35, 0.65))
    thin, heavy = (
        np.ptp(bodies.rest(body, {**neutral, "weight": w})[0][body.part == bodies.TORSO, 1]) for w in (0.1, 0.9)
    )
    assert tall > small + 0.15
    assert heavy > thin + 0.01


def test_smoothing_flattens_the_inside_and_keeps_hems() -> None:
    n = 9
    y, x = np.mgrid[:n, :n]
    points = np.stack([x, y, np.random.default_rng(0).normal(0, 0.3, (n, n))], 2).reshape(-1, 3).astype(np.float32)
    border = ((x == 0) | (y == 0) | (x == n - 1) | (y == n - 1)).ravel()
    points[border, 2] = 0.0
    i = (y * n + x)[:-1, :-1].ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + n + 1], 1), np.stack([i, i + n + 1, i + n], 1)])
    result = smooth(points, faces, 10)
    assert np.abs(result[~border, 2]).mean() < 0.4 * np.abs(points[~border, 2]).mean()
    np.testing.assert_allclose(result[border, 2], 0.0, atol=1e-6)  # a straight hem stays straight
    middle = (x.ravel() == n // 2) & (y.ravel() == 0)
    np.testing.assert_allclose(result[middle], points[middle], atol=0.1)  # and does not creep inwards


def test_a_shell_lies_off_the_skin_and_wide_legs_are_wide() -> None:
    figure = _figure()
    leg = np.isin(figure.body.part, (bodies.UPPER_LEG, bodies.LOWER_LEG)) & (figure.limb < 1.9)
    tight = shell(figure, leg, 0, 0.01, rounds=1)
    wide = shell(figure, leg, 0, 0.01, rounds=1, widths={bodies.LOWER_LEG: (0.0, 0.11, 0.11)})

    def spread(m: object) -> float:
        low = m.points[(m.points[:, 2] < figure.bone("lowerleg01.L")[2] - 0.15) & (m.points[:, 0] > 0)]  # type: ignore[attr-defined]
        return float(np.ptp(low[:, 1]))

    assert spread(wide) > spread(tight) + 0.04
    skin_width = np.ptp(figure.points[leg, 0])
    assert np.ptp(tight.points[:, 0]) > skin_width


def test_a_skirt_widens_downwards_and_follows_both_legs() -> None:
    figure = _figure()
    m = skirt(figure, 0, figure.waist, figure.crotch - 0.4, 0.5)
    top, bottom = m.points[m.points[:, 2] > figure.waist - 0.01], m.points[m.points[:, 2] < figure.crotch - 0.38]
    assert np.ptp(bottom[:, 0]) > np.ptp(top[:, 0]) + 0.1
    np.testing.assert_allclose(m.weights.sum(1), 1.0, atol=1e-6)
    left = figure.body.names["upperleg02.L"]
    share = (m.weights * (m.bones == left)).sum(1)
    edge = m.points[:, 2] < figure.crotch - 0.38
    assert share[edge & (m.points[:, 0] > 0.15)].min() > share[edge & (m.points[:, 0] < -0.15)].max()


@pytest.mark.parametrize("number", range(3))
def test_everybody_can_be_dressed(number: int) -> None:
    body = bodies.load()
    person = people.person(plan.random(5, "person", number))
    figure = dress.shape(body, person)
    for outfit in person.outfits:
        dressed = dress.dress(figure, person, outfit)
        m = dressed.mesh
        assert np.isfinite(m.points).all()
        np.testing.assert_allclose(m.weights.sum(1), 1.0, atol=1e-5)
        assert m.material.max() < len(dressed.table)
        assert set(np.unique(m.part)) == {1, 2, 3, 4, 5, 6}  # nothing of a person is background
        height = np.ptp(m.points[:, 2])
        assert 1.3 < height < 2.2
