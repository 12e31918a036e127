"""A method as one ONNX graph: pixels in, part vectors and their visibility out.

Inputs, N being any number of photos:
    images         float32 (N, 3, H, W)  RGB, 0..255, resized to H x W; the normalisation is in the graph
    <kind>         of methods with labels in a test, as partreid.inputs.kinds has it; heads float32 (N, 3, H, W), cut
                   out and resized, RGB, 0..255
    <kind>_known   bool (N,)  False where the label says nothing
Outputs: features float32 (N, P, D), visibility float32 (N, P).
The file's metadata names the parts, the distance, what was chosen to be embedded, the weights' SHA-256 and header, and
says what the input is.
"""

import contextlib
import copy
import io
import json
import keyword
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from partreid.errors import UserError
from partreid.inputs.batch import Inputs
from partreid.inputs.images import MEAN, STD
from partreid.inputs.kinds import HEADS
from partreid.methods.base import Method, Trained
from partreid.storage.files import whole, writable

OPSET = 20
INPUT = (
    "float32 RGB in 0..255, channels first, resized to the size below, by OpenCV's INTER_AREA where both shrink, "
    "else by INTER_LINEAR; normalised inside"
)


class Network(nn.Module):
    """A method whose input is pixels. Its arguments: see `names`."""

    mean: Tensor
    std: Tensor

    def __init__(self, method: Method):
        super().__init__()
        self.method = method
        self.kinds = method.labels_at_test
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def names(self) -> list[str]:
        """Of the inputs, in order."""
        return ["images", *(name for kind in self.kinds for name in (kind, f"{kind}_known"))]

    def forward(self, images: Tensor, labels: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        """labels: each kind and whether it is known, in turn."""
        given = dict(zip(self.kinds, labels[::2], strict=True))
        if HEADS in given:
            given[HEADS] = self.normalised(given[HEADS])
        known = dict(zip(self.kinds, labels[1::2], strict=True))
        return self.method.embed(Inputs(self.normalised(images), given, known))

    def normalised(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) in 0..255 -> ImageNet's mean and deviation."""
        return (pixels / 255 - self.mean) / self.std


class Speakable(dict[str, nn.Module]):
    """Sub-modules under names that Python's grammar takes, found by their own names too.

    torch's exporter writes the names down as a program, in which `global` or `head GAP` would be a syntax error.
    """

    def __init__(self, modules: Mapping[str, nn.Module]):
        super().__init__({self.said(name): module for name, module in modules.items()})

    def __missing__(self, name: str) -> nn.Module:
        if self.said(name) == name:
            raise KeyError(name)
        return self[self.said(name)]

    @staticmethod
    def said(name: str) -> str:
        """The name itself where it can be written, or is a number."""
        fine = name.isdecimal() or (name.isidentifier() and not keyword.iskeyword(name))
        return name if fine else f"{re.sub(r'[^0-9A-Za-z_]', '_', name)}_"


def speakable(method: Method) -> Method:
    """A copy of a method whose dictionaries of modules are Speakable."""
    copied = copy.deepcopy(method)
    for module in copied.modules():
        if isinstance(module, nn.ModuleDict):
            module._modules = Speakable(module._modules)
    return copied


def pixels_of(inputs: Inputs) -> list[Tensor]:
    """What a method is given in a test, on the CPU, as the graph takes it, one tensor for each input."""
    scale, mean = (torch.tensor(values)[:, None, None] for values in (STD, MEAN))

    def pixels(images: Tensor) -> Tensor:
        return (255 * (images * scale + mean)).contiguous()

    found = [pixels(inputs.images)]
    for kind, label in inputs.labels.items():
        found += [pixels(label) if kind == HEADS else label, inputs.labelled[kind]]
    return found


def write(
    path: Path, trained: Trained, example: Sequence[Tensor], digest: str, at_test: Mapping[str, Any] | None = None
) -> None:
    """Write the graph, whole or not at all. example: two or more photos as `pixels_of` gives them.

    digest: SHA-256 of the weights. at_test: what was chosen to be embedded, for the metadata. UserError when torch
    cannot export the method, or the extra is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise UserError(f"exporting needs {error.name}: pip install 'partreid[export]'") from error
    writable(path)
    network = Network(speakable(trained.method.eval())).eval()
    batch = torch.export.Dim("batch")
    # as products of matrices: onnxruntime's own Einsum divides by the number of photos, and none end the process
    einsum = torch.ops.aten.einsum.default
    plainer = {einsum: torch.export.default_decompositions()[einsum]}
    images, *labels = example
    with torch.no_grad():
        network(images, labels)  # tables that are made once are made of real numbers, not of the exporter's
        try:
            with quiet():
                traced = torch.export.export(
                    network, (images, labels), dynamic_shapes=({0: batch}, [{0: batch} for _ in labels]), strict=False
                ).run_decompositions(plainer)
                program = torch.onnx.export(
                    traced,
                    dynamo=True,
                    opset_version=OPSET,
                    input_names=network.names(),
                    output_names=["features", "visibility"],
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # the exporter raises whatever the operator at hand leads it to
            raise UserError(f"torch cannot export {trained.header['model']}: {first(error)}") from error
    assert program is not None  # of the exporter by dynamo
    model = plain(program.model_proto)
    onnx.helper.set_model_props(model, metadata(trained, digest, at_test or {}))
    with whole(path) as temporary:
        onnx.save(model, str(temporary))


def plain(model: Any) -> Any:
    """An ONNX model without the exporter's notes, which name files of this machine; the number of photos is `batch`."""
    inside = model.graph
    values = (*inside.input, *inside.output, *inside.value_info)
    for each in (inside, *inside.node, *inside.initializer, *values):
        del each.metadata_props[:]
    counts = {value.type.tensor_type.shape.dim[0].dim_param for value in inside.input}
    for value in values:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in counts:
                size.dim_param = "batch"
    del model.metadata_props[:]
    return model


def metadata(trained: Trained, digest: str, at_test: Mapping[str, Any]) -> dict[str, str]:
    """What the file says of itself, text by name."""
    return {
        "partreid.model": trained.header["model"],
        "partreid.input": INPUT,
        "partreid.size": f"{trained.height}x{trained.width}",
        "partreid.parts": json.dumps(trained.method.part_names()),
        "partreid.distance": trained.method.distance,
        "partreid.labels": json.dumps(trained.method.labels_at_test),
        "partreid.at_test": json.dumps(at_test, sort_keys=True),
        "partreid.weights": digest,
        "partreid.header": json.dumps(trained.header, sort_keys=True),
    }


def first(error: BaseException) -> str:
    """What an error came from in the end, in one line; the exporter's own words are on how to debug it."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return " ".join(str(error).partition("\n\n")[0].split())[:500]


NOISY = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes")  # loggers


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks on what it skips, and its listings of what it cannot do."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def embed(session: Any, example: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Features and visibility by an onnxruntime session of such a graph."""
    names = [each.name for each in session.get_inputs()]
    feed: Mapping[str, Any] = {name: given.numpy() for name, given in zip(names, example, strict=True)}
    features, visibility = session.run(None, feed)
    return torch.from_numpy(features), torch.from_numpy(visibility)
