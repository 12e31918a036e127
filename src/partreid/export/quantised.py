"""An exported graph in 8-bit whole numbers: a quarter of the size, faster where the processor has such instructions.

Weights and activations are quantised (onnxruntime's static quantisation, quantise-dequantise nodes, weights by
channel); the activations' ranges come from photos that are not tested on. What it costs in accuracy has to be measured:
stages/export.py does.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from partreid.errors import UserError, reason
from partreid.export import graph
from partreid.storage.files import whole

AT_ONCE = 16  # photos in a batch while the ranges are looked for
# Clip and Relu, so that they become part of the range of what comes before them: left out they are computed in float32
# between two roundings
QUANTISED = ["Conv", "MatMul", "Gemm", "Add", "Clip", "Relu"]


def quantise(source: Path, out: Path, example: Sequence[Tensor]) -> None:
    """Write the graph of `source` in 8 bits to `out`, whole or not at all.

    example: photos as graph.pixels_of gives them, 100 or more for good ranges. UserError when it cannot be done.
    """
    try:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise UserError(f"quantising needs {error.name}: pip install 'partreid[export]'") from error
    try:
        model = onnx.load(source)
    except Exception as error:  # of protobuf, of no common class
        raise UserError(f"onnxruntime cannot quantise {source}, which is no graph: {reason(error)[:500]}") from error
    names = [each.name for each in model.graph.input]

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.batches = zip(*(each.split(AT_ONCE) for each in example), strict=True)

        def get_next(self) -> dict[str, object] | None:
            batch = next(self.batches, None)
            return None if batch is None else {name: of.numpy() for name, of in zip(names, batch, strict=True)}

    with tempfile.TemporaryDirectory(prefix="partreid-") as folder, whole(out) as temporary:
        prepared = Path(folder) / "prepared.onnx"
        try:
            with graph.quiet(), _calm():
                quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
                quantization.quantize_static(
                    str(prepared),
                    str(temporary),
                    Reader(),
                    quant_format=quantization.QuantFormat.QDQ,
                    per_channel=True,
                    op_types_to_quantize=QUANTISED,
                )
        except Exception as error:  # onnxruntime's own, of no common class
            raise UserError(f"onnxruntime cannot quantise {source}: {reason(error)[:500]}") from error
        small = onnx.load(temporary)
        said = {each.key: each.value for each in model.metadata_props}
        onnx.helper.set_model_props(small, {**said, "partreid.quantised": "int8, onnxruntime, static, by channel"})
        onnx.save(small, str(temporary))


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """Without the quantiser's advice, which goes to the root logger."""
    import logging

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)
