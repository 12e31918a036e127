import numpy as np
import pytest

from partreid.tools import body_parts, litert
from partreid.tools.body_parts import CLASSES, INPUTS, JOINTS
from partreid.tools.evidence import GRID, Evidence
from tools.made_up import said

RNG = np.random.default_rng(0)


def test_inputs_have_their_shapes_and_every_channel_its_place():
    one = said()
    made = dict(zip(INPUTS, body_parts.inputs(one), strict=True))
    assert {name: (1, *values.shape) for name, values in made.items()} == INPUTS
    assert {values.dtype for values in made.values()} == {np.dtype(np.float32)}
    fine = made["fine"][30, 20]
    image = one.image[60:62, 40:42] / 255
    everything = one.image / 255
    normal = (image - everything.mean()) / (everything.std() + body_parts.CONTRAST)
    np.testing.assert_allclose(fine[body_parts.IMAGE], normal.transpose(2, 0, 1).ravel(), rtol=1e-4, atol=1e-6)
    joints = np.concatenate([one.own[30, 20], one.joints[30, 20], one.discs[30, 20]])
    np.testing.assert_allclose(fine[body_parts.SAID], 4 * joints, rtol=1e-6)
    np.testing.assert_allclose(fine[body_parts.PERSON], 2 * one.person[60:62, 40:42].ravel() - 1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fine[body_parts.FEATURES], one.features[0][30, 20] / 2, rtol=1e-6)


def test_a_darker_or_flatter_image_is_the_same_to_the_network():
    one = said()
    bright = np.tile(np.arange(100, 228, dtype=np.uint8)[:, None, None], (1, 64, 3))
    flat = Evidence(bright, one.joints, one.own, one.discs, one.person, one.features)
    dark = Evidence(bright - 100, one.joints, one.own, one.discs, one.person, one.features)
    np.testing.assert_allclose(body_parts.inputs(flat)[0], body_parts.inputs(dark)[0], atol=1e-5)


def test_quarters_are_put_back_where_they_were():
    maps = RNG.random((128, 64, 7))
    cut = body_parts.quarters(maps)
    assert cut.shape == (64, 32, 28)
    np.testing.assert_array_equal(cut[3, 5], maps[6:8, 10:12].transpose(2, 0, 1).ravel())
    np.testing.assert_array_equal(body_parts.fine(cut), maps)


def test_softmax_is_that_of_the_definition():
    logits = np.array([[0.0, 1.0, 2.0], [1000.0, 999.0, 0.0]])
    np.testing.assert_allclose(body_parts.softmax(logits), [[0.0900, 0.2447, 0.6652], [0.7311, 0.2689, 0]], atol=1e-4)


def test_the_graph_s_steps_have_what_they_need_and_its_shapes_fit():
    steps, kernels = body_parts.graph()
    known = {*INPUTS, *body_parts.sizes()}
    for step in steps:
        for name in step.inputs:
            assert name in known or name.rpartition("/")[0] in kernels, (step.name, name)
        known.add(step.name)
    constants = {
        f"{name}/kernel": RNG.normal(0, 0.1, (k.size, k.size, k.inputs, k.outputs)).astype(np.float32)
        for name, k in kernels.items()
    }
    constants |= {f"{name}/bias": np.zeros(k.outputs, np.float32) for name, k in kernels.items()}
    network = litert.Network(litert.write(steps, {**constants, **body_parts.sizes()}, INPUTS, ["out"]))
    (out,) = network.run(*(RNG.random(shape, np.float32) for shape in INPUTS.values()))
    assert out.shape == (1, *GRID, 4 * CLASSES + JOINTS + 1)
    assert np.isfinite(out).all()


def test_the_weights_that_come_with_partreid_are_the_network_s_and_say_probabilities():
    found = body_parts.run(said())
    assert found.classes.shape == (128, 64, CLASSES)
    np.testing.assert_allclose(found.classes.sum(-1), 1, rtol=1e-5)
    assert found.seen.shape == (*GRID, JOINTS)
    assert 0 <= found.seen.min() <= found.seen.max() <= 1
    assert body_parts.WEIGHTS.stat().st_size < 4e6


@pytest.mark.network
def test_a_rendered_person_is_seen_where_it_stands():
    import cv2

    from partreid.storage import published_weights
    from partreid.tools import evidence, movenet

    image = np.full((256, 128, 3), 120, np.uint8)
    cv2.ellipse(image, (64, 40), (14, 18), 0, 0, 360, (200, 160, 140), -1)
    cv2.rectangle(image, (44, 60), (84, 140), (180, 30, 30), -1)
    cv2.rectangle(image, (46, 140), (62, 236), (30, 30, 120), -1)
    cv2.rectangle(image, (66, 140), (82, 236), (30, 30, 120), -1)
    networks = evidence.Networks(*movenet.files(), published_weights.path("blazepose_full"))
    classes = body_parts.run(evidence.gather(image, networks)).classes.argmax(-1)
    assert classes[50, 32] == 2  # torso
    assert classes[20, 32] == 1  # head
    assert not classes[:, :10].any()
