"""The compiled loops against slow obvious ones."""

import numpy as np

from partreid.synthetic import raster


def _slow_raster(screen: np.ndarray, faces: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    depth, face = np.zeros((height, width)), np.full((height, width), -1)
    for f, corners in enumerate(faces):
        a, b, c = screen[corners].astype(np.float64)
        if min(a[2], b[2], c[2]) <= 0:
            continue
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        for y in range(height):
            for x in range(width):
                weights = np.linalg.solve(matrix, [x + 0.5, y + 0.5, 1])
                z = weights @ [a[2], b[2], c[2]]
                if weights.min() >= 0 and z > depth[y, x]:
                    depth[y, x], face[y, x] = z, f
    return depth, face


def test_raster_equals_a_loop_over_all_pixels() -> None:
    rng = np.random.default_rng(1)
    screen = np.concatenate([rng.uniform(-4, 20, (30, 2)), rng.uniform(0.1, 1, (30, 1))], 1).astype(np.float32)
    screen[3, 2] = 0.0  # a corner behind the camera drops its triangles
    faces = rng.permutation(30).reshape(10, 3).astype(np.int32)
    buffer = raster.Buffer(16, 12)
    buffer.draw(screen, faces)
    depth, face = _slow_raster(screen, faces, 16, 12)
    np.testing.assert_array_equal(buffer.face, face)
    np.testing.assert_allclose(buffer.depth, depth, atol=1e-5)


def test_where_on_the_face_is_perspective_correct() -> None:
    corners = np.array([[-1.0, -1, 2], [3, -1, 6], [-1, 3, 4]])  # camera frame
    screen = np.stack(
        [corners[:, 0] / corners[:, 2] * 20 + 15, corners[:, 1] / corners[:, 2] * 20 + 15, 1 / corners[:, 2]], 1
    )
    buffer = raster.Buffer(30, 30)
    buffer.draw(screen.astype(np.float32), np.array([[0, 1, 2]], np.int32), first=7)
    rows, columns = np.nonzero(buffer.face == 7)
    assert len(rows) > 50
    b, c = buffer.bary[rows, columns].T.astype(float)
    point = (1 - b - c)[:, None] * corners[0] + b[:, None] * corners[1] + c[:, None] * corners[2]
    np.testing.assert_allclose(point[:, 0] / point[:, 2] * 20 + 15, columns + 0.5, atol=1e-3)
    np.testing.assert_allclose(point[:, 1] / point[:, 2] * 20 + 15, rows + 0.5, atol=1e-3)


def test_skin_equals_a_loop_over_vertices() -> None:
    rng = np.random.default_rng(2)
    points = rng.normal(size=(20, 3)).astype(np.float32)
    bones = rng.integers(0, 5, (20, 4)).astype(np.int32)
    weights = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    transforms = rng.normal(size=(5, 3, 4)).astype(np.float32)
    expected = [
        sum(w * (transforms[b, :, :3] @ p + transforms[b, :, 3]) for b, w in zip(bone, weight, strict=True))
        for p, bone, weight in zip(points, bones, weights, strict=True)
    ]
    np.testing.assert_allclose(raster.skin(points, bones, weights, transforms), expected, atol=1e-5)


def test_normals_point_outward_on_a_sphere() -> None:
    from partreid.synthetic.mesh import ellipsoid

    ball = ellipsoid((0, 0, 0), (1, 1, 1), 0, rings=20, around=24)
    normals = raster.normals(ball.points, ball.faces)
    middle = np.abs(ball.points[:, 2]) < 0.9
    agreement = np.abs((normals * ball.points).sum(1))[middle]
    assert agreement.min() > 0.99
