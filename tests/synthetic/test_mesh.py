"""Solids are closed, joins keep what they join."""

import numpy as np

from partreid.synthetic import mesh


def _edges(faces: np.ndarray) -> dict[tuple[int, int], int]:
    counted: dict[tuple[int, int], int] = {}
    for face in faces.tolist():
        for i in range(3):
            a, b = sorted((face[i], face[(i + 1) % 3]))
            counted[a, b] = counted.get((a, b), 0) + 1
    return counted


def test_closed_solids_have_every_edge_twice() -> None:
    tube = mesh.tube(np.array([[0, 0, 0], [0, 0, 1], [0.5, 0, 2]]), 0.1, 0)
    assert set(_edges(tube.faces).values()) == {2}
    sheet = mesh.loft(np.random.default_rng(0).normal(size=(3, 5, 3)), 0, closed=False)
    assert 1 in _edges(sheet.faces).values()


def test_tube_keeps_its_radius() -> None:
    tube = mesh.tube(np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]), 0.25, 0, around=16)
    side = tube.points[: 3 * 16]
    np.testing.assert_allclose(np.hypot(side[:, 0], side[:, 1]), 0.25, atol=1e-6)


def test_box_has_its_size_and_place() -> None:
    b = mesh.box((1, 2, 3), 4, (10, 0, 0), part=2, bone=7)
    np.testing.assert_allclose(b.points.min(0), [9.5, -1, -1.5])
    np.testing.assert_allclose(b.points.max(0), [10.5, 1, 1.5])
    assert set(b.material) == {4}
    assert set(b.part) == {2}
    assert set(b.bones.ravel()) == {7}


def test_join_shifts_faces_and_compact_keeps_geometry() -> None:
    a, b = mesh.box((1, 1, 1), 0), mesh.ellipsoid((5, 0, 0), (1, 1, 1), 1)
    both = mesh.join([a, b])
    np.testing.assert_array_equal(both.points[both.faces[len(a.faces) :]], b.points[b.faces])
    few = mesh.mesh(both.points, both.faces[len(a.faces) :], both.material[len(a.faces) :])
    small = mesh.compact(few)
    assert len(small.points) == len(b.points)
    np.testing.assert_array_equal(small.points[small.faces], b.points[b.faces])


def test_move_turns_counter_clockwise_seen_from_above() -> None:
    m = mesh.mesh(np.array([[1.0, 0, 0], [0, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    np.testing.assert_allclose(mesh.move(m, (0, 0, 5), 90).points[0], [0, 1, 5], atol=1e-6)


def test_quad_is_cut_into_cells_with_metres_as_uv() -> None:
    q = mesh.quad((0, 0, 0), (6, 0, 0), (0, 2, 0), 0, cell=2.0)
    assert len(q.faces) == 2 * 3 * 1
    np.testing.assert_allclose(q.uv, q.points[:, :2], atol=1e-6)
