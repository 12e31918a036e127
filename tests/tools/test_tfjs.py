import base64
import json

import numpy as np
import pytest

from partreid.errors import UserError
from partreid.tools import litert, tfjs

RNG = np.random.default_rng(0)


def code(word: str) -> str:
    return base64.b64encode(word.encode()).decode()


def node(name, op, inputs, **attributes):
    return {"name": name, "op": op, "input": inputs, "attr": attributes}


def convolution(name, inputs, op="_FusedConv2D", stride=1, padding="SAME", fused=("BiasAdd",)):
    return node(
        name,
        op,
        inputs,
        strides={"list": {"i": ["1", str(stride), str(stride), "1"]}},
        padding={"s": code(padding)},
        fused_ops={"list": {"s": [code(word) for word in fused]}},
    )


CONSTANTS = {
    "k0": RNG.normal(size=(3, 3, 3, 8)) / 3,
    "b0": RNG.normal(size=8),
    "k1": RNG.normal(size=(3, 3, 8, 1)) / 2,
    "b1": RNG.normal(size=8),
    "k2": RNG.normal(size=(3, 3, 8, 8)) / 6,
    "k3": RNG.normal(size=(1, 1, 8, 5)),
    "b3": RNG.normal(size=5),
    "size": np.array([12, 16]),
    "twice": np.array([2, 3]),
}
NODES = [
    node("image", "Placeholder", []),
    *({"name": name, "op": "Const"} for name in CONSTANTS),
    convolution("stem", ["image", "k0", "b0"], stride=2, fused=("BiasAdd", "Relu6")),
    convolution("deep", ["stem", "k1", "b1"], "FusedDepthwiseConv2dNative", fused=("BiasAdd", "Relu")),
    node("sum", "AddV2", ["stem", "deep"]),
    convolution("valid", ["sum", "k2", "b0"], padding="VALID"),
    convolution("bare", ["sum", "k1"], "DepthwiseConv2dNative", stride=2, fused=()),
    node("large", "ResizeBilinear", ["bare", "size"], half_pixel_centers={"b": True}),
    convolution("head", ["large", "k3", "b3"], padding="VALID"),
    node("out", "Sigmoid", ["head"]),
    node("shape", "Shape", ["bare"]),
    node("enlarged", "Mul", ["shape", "twice"]),
    node("larger", "ResizeBilinear", ["bare", "enlarged"], half_pixel_centers={"b": True}),
    node("unused", "NobodyKnows", ["out"]),
]


@pytest.fixture
def files(tmp_path):
    """A network in TensorFlow.js's form: half of its constants as float16."""
    manifest, data = [], b""
    for number, (name, values) in enumerate(CONSTANTS.items()):
        kind = "int32" if name in ("size", "twice") else "float32"
        entry = {"name": name, "shape": list(values.shape), "dtype": kind}
        if kind == "float32" and number % 2:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
            kind = "float16"
        manifest.append(entry)
        data += values.astype(kind).tobytes()
    model = {"modelTopology": {"node": NODES}, "weightsManifest": [{"weights": manifest, "paths": ["x.bin"]}]}
    (tmp_path / "model.json").write_text(json.dumps(model))
    (tmp_path / "model.bin").write_bytes(data)
    return tmp_path / "model.json", tmp_path / "model.bin"


def slow_convolution(image, kernel, bias, stride, padding, depthwise):
    """image (h, w, c), as TensorFlow defines it: SAME pads less before than behind."""
    size = kernel.shape[0]
    rows, columns = image.shape[:2]
    if padding == "SAME":
        out = -(-rows // stride), -(-columns // stride)
        total = [max((o - 1) * stride + size - n, 0) for o, n in zip(out, (rows, columns), strict=True)]
        image = np.pad(image, [*((t // 2, t - t // 2) for t in total), (0, 0)])
    else:
        out = (rows - size) // stride + 1, (columns - size) // stride + 1
    channels = kernel.shape[2] if depthwise else kernel.shape[3]
    result = np.zeros((*out, channels))
    for i in range(out[0]):
        for j in range(out[1]):
            window = image[i * stride : i * stride + size, j * stride : j * stride + size]
            for c in range(channels):
                weights = kernel[:, :, c, 0] if depthwise else kernel[:, :, :, c]
                result[i, j, c] = ((window[:, :, c] if depthwise else window) * weights).sum() + bias[c]
    return result


def slow_resize(image, rows, columns):
    """Half pixels: cell centres of both grids on the same extent."""
    result = np.zeros((rows, columns, image.shape[2]))
    for i in range(rows):
        for j in range(columns):
            y = np.clip((i + 0.5) * image.shape[0] / rows - 0.5, 0, image.shape[0] - 1)
            x = np.clip((j + 0.5) * image.shape[1] / columns - 0.5, 0, image.shape[1] - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, image.shape[0] - 1), min(x0 + 1, image.shape[1] - 1)
            top = image[y0, x0] * (1 - (x - x0)) + image[y0, x1] * (x - x0)
            bottom = image[y1, x0] * (1 - (x - x0)) + image[y1, x1] * (x - x0)
            result[i, j] = top * (1 - (y - y0)) + bottom * (y - y0)
    return result


def test_a_translated_network_computes_what_its_steps_say(files):
    steps, constants = tfjs.read(*files)
    order = tfjs.between(steps, constants, "image", ["out", "valid"])
    network = litert.Network(litert.write(order, constants, {"image": (1, 12, 16, 3)}, ["out", "valid"]))
    image = RNG.normal(size=(12, 16, 3)).astype(np.float32)
    out, valid = network.run(image[None])

    k = constants
    stem = slow_convolution(image, k["k0"], k["b0"], 2, "SAME", depthwise=False).clip(0, 6)
    both = stem + slow_convolution(stem, k["k1"], k["b1"], 1, "SAME", depthwise=True).clip(0)
    bare = slow_convolution(both, k["k1"], np.zeros(8), 2, "SAME", depthwise=True)
    head = slow_convolution(slow_resize(bare, 12, 16), k["k3"], k["b3"], 1, "VALID", depthwise=False)
    np.testing.assert_allclose(out[0], 1 / (1 + np.exp(-head)), atol=1e-5)
    wanted = slow_convolution(both, k["k2"], k["b0"], 1, "VALID", depthwise=False)
    np.testing.assert_allclose(valid[0], wanted, atol=1e-4)


def test_a_resize_by_a_factor_fits_every_size_of_photo(files):
    steps, constants = tfjs.read(*files)
    order = tfjs.between(steps, constants, "image", ["bare", "larger"])
    assert "enlarged" not in [step.name for step in order]
    for rows, columns in ((12, 16), (8, 20)):
        network = litert.Network(litert.write(order, constants, {"image": (1, rows, columns, 3)}, ["bare", "larger"]))
        bare, larger = network.run(RNG.normal(size=(1, rows, columns, 3)).astype(np.float32))
        np.testing.assert_allclose(larger[0], slow_resize(bare[0], 2 * bare.shape[1], 3 * bare.shape[2]), atol=1e-5)


def test_constants_have_their_place_and_the_precision_they_are_stored_with(files):
    _, constants = tfjs.read(*files)
    np.testing.assert_array_equal(constants["k0"], CONSTANTS["k0"].astype(np.float32))
    np.testing.assert_array_equal(constants["b0"], CONSTANTS["b0"].astype(np.float16).astype(np.float32))
    assert constants["size"].tolist() == [12, 16]
    assert constants["b0"].dtype == np.float32


def test_only_what_leads_to_the_outputs_is_taken_in_an_order_that_can_be_computed(files):
    steps, constants = tfjs.read(*files)
    order = [step.name for step in tfjs.between(steps, constants, "image", ["out"])]
    assert sorted(order) == sorted(["stem", "deep", "sum", "bare", "large", "head", "out"])
    for step in order:
        for needed in steps[step].inputs:
            assert needed in constants or needed == "image" or order.index(needed) < order.index(step)


@pytest.mark.parametrize(
    ("outputs", "said"), [(["unused"], "NobodyKnows"), (["odd"], "Elu")], ids=["unknown step", "unknown activation"]
)
def test_a_step_that_cannot_be_translated_is_named(files, outputs, said):
    steps, constants = tfjs.read(*files)
    steps["odd"] = tfjs.Step("odd", "_FusedConv2D", ("image", "k0", "b0"), fused=("BiasAdd", "Elu"))
    order = tfjs.between(steps, constants, "image", outputs)
    with pytest.raises(UserError, match=said):
        litert.write(order, constants, {"image": (1, 12, 16, 3)}, outputs)


def change(file, old: str, new: str):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("damage", ["cut", "longer", "no json", "other json", "dilated", "corners", "scaled"])
def test_other_files_are_one_clear_error(files, damage):
    graph, constants = files
    if damage == "cut":
        constants.write_bytes(constants.read_bytes()[:-3])
    elif damage == "longer":
        constants.write_bytes(constants.read_bytes() + b"more")
    elif damage == "no json":
        graph.write_text("hello")
    elif damage == "other json":
        graph.write_text("{}")
    elif damage == "dilated":
        change(graph, '"padding"', '"dilations": {"list": {"i": ["1", "2", "2", "1"]}}, "padding"')
    elif damage == "corners":
        change(graph, '"half_pixel_centers"', '"align_corners": {"b": true}, "half_pixel_centers"')
    else:
        change(graph, '"dtype": "float16"', '"dtype": "uint8", "scale": 0.1')
    with pytest.raises(UserError, match=r"no network of TensorFlow\.js"):
        tfjs.read(graph, constants)
