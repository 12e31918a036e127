"""A network in the form that LiteRT runs, which is the fastest of what was measured on CPUs of any kind.

`write` makes a TFLite flatbuffer, in memory, of the steps of partreid.tools.tfjs; `Network` runs one on one thread.
LiteRT is loaded by what uses it: the processes of other tools should not load it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from partreid.chatter import without
from partreid.errors import UserError
from partreid.tools.tfjs import Step

NOISE = "^INFO: "  # how the runtime was built, once a process
CONVOLUTIONS = ("_FusedConv2D", "FusedDepthwiseConv2dNative", "DepthwiseConv2dNative")


class Network:
    """A TFLite flatbuffer at work. `run` takes float32 arrays and gives the results, both in the order of `write`."""

    def __init__(self, flatbuffer: bytes):
        self._interpreter = interpreter(model_content=flatbuffer)
        self._inputs = [given["index"] for given in self._interpreter.get_input_details()]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, *values: np.ndarray) -> list[np.ndarray]:
        """values: float32, of the shapes given to `write`."""
        for index, given in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(index, given)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def interpreter(**model: Any) -> Any:
    """LiteRT's interpreter of `model_content`, bytes, or `model_path`, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    cv2.setNumThreads(1)  # one thread per process: the processes already take all cores
    with without(NOISE):
        made = Interpreter(**model, num_threads=1)
        made.allocate_tensors()
    return made


def write(
    steps: Sequence[Step],
    constants: Mapping[str, np.ndarray],
    inputs: Mapping[str, tuple[int, int, int, int]],
    outputs: Sequence[str],
) -> bytes:
    """The flatbuffer of `steps`, each after what it needs, from inputs (name -> shape) to `outputs`.

    UserError for a step of an unknown kind.
    """
    return _Writer(constants, inputs).made(steps, outputs)


class _Writer:
    def __init__(self, constants: Mapping[str, np.ndarray], inputs: Mapping[str, tuple[int, int, int, int]]):
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.constants = constants
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []  # buffer 0 is the empty one
        self.graph.tensors, self.graph.operators = [], []
        self.codes: dict[int, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = dict(inputs)
        self.places = {name: self._tensor(shape) for name, shape in inputs.items()}
        self.graph.inputs = list(self.places.values())

    def made(self, steps: Sequence[Step], outputs: Sequence[str]) -> bytes:
        import flatbuffers

        for step in steps:
            if step.kind in CONVOLUTIONS:
                self._convolution(step)
            elif step.kind == "AddV2":
                self._step(step, "ADD", [self.places[name] for name in step.inputs], self.shapes[step.inputs[0]])
            elif step.kind == "ResizeBilinear":
                self._resize(step)
            elif step.kind == "Sigmoid":
                self._step(step, "LOGISTIC", [self.places[step.inputs[0]]], self.shapes[step.inputs[0]])
            else:
                raise UserError(f"the network has a step {step.kind} ({step.name}), which partreid cannot translate")
        self.graph.outputs = [self.places[name] for name in outputs]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _convolution(self, step: Step) -> None:
        # TensorFlow: rows, columns, inputs, outputs (depthwise: rows, columns, channels, 1);
        # TFLite: outputs, rows, columns, inputs (depthwise: 1, rows, columns, channels)
        image, *parts = step.inputs
        kernel = self.constants[parts[0]].transpose(3, 0, 1, 2)
        depthwise = step.kind != "_FusedConv2D"
        channels = kernel.shape[3] if depthwise else kernel.shape[0]
        bias = self.constants[parts[1]] if len(parts) > 1 else np.zeros(channels, np.float32)
        name = "DepthwiseConv2D" if depthwise else "Conv2D"
        options = getattr(self.schema, f"{name}OptionsT")()
        options.strideH = options.strideW = step.stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.padding = getattr(self.schema.Padding, step.padding)
        options.fusedActivationFunction = self._activation(step)
        if depthwise:
            options.depthMultiplier = 1
        batch, rows, columns, _ = self.shapes[image]
        lost = (0, 0) if step.padding == "SAME" else (kernel.shape[1] - 1, kernel.shape[2] - 1)
        shape = (batch, -(-(rows - lost[0]) // step.stride), -(-(columns - lost[1]) // step.stride), channels)
        code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self._step(step, code, [self.places[image], self._constant(kernel), self._constant(bias)], shape, name, options)

    def _activation(self, step: Step) -> int:
        known = {(): "NONE", ("BiasAdd",): "NONE", ("BiasAdd", "Relu"): "RELU", ("BiasAdd", "Relu6"): "RELU6"}
        if step.fused not in known:
            raise UserError(f"the network's {step.name} is followed by {step.fused}, which partreid cannot translate")
        return getattr(self.schema.ActivationFunctionType, known[step.fused])

    def _resize(self, step: Step) -> None:
        image, name = step.inputs
        batch, high, wide, channels = self.shapes[image]
        size = np.array([high, wide], np.int32) * self.constants[name] if step.times else self.constants[name]
        rows, columns = size.tolist()
        options = self.schema.ResizeBilinearOptionsT()
        options.halfPixelCenters = step.half_pixel
        inputs = [self.places[image], self._constant(size)]
        self._step(step, "RESIZE_BILINEAR", inputs, (batch, rows, columns, channels), "ResizeBilinear", options)

    def _step(
        self, step: Step, code: str, inputs: list[int], shape: tuple[int, ...], name: str = "", options: Any = None
    ) -> None:
        number = getattr(self.schema.BuiltinOperator, code)
        if number not in self.codes:
            entry = self.schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = number
            entry.version = 3 if code == "RESIZE_BILINEAR" else 1  # the version that knows half pixels
            self.codes[number] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(entry)
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs = self.codes[number], inputs
        if options is not None:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, f"{name}Options")
            operator.builtinOptions = options
        self.shapes[step.name], self.places[step.name] = shape, self._tensor(shape)
        operator.outputs = [self.places[step.name]]
        self.graph.operators.append(operator)

    def _constant(self, values: np.ndarray) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self._tensor(values.shape, values.dtype, len(self.model.buffers) - 1)

    def _tensor(self, shape: tuple[int, ...], kind: Any = np.float32, buffer: int = 0) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = str(len(self.graph.tensors)), list(shape), buffer
        tensor.type = {
            np.dtype("float32"): self.schema.TensorType.FLOAT32,
            np.dtype("int32"): self.schema.TensorType.INT32,
        }[np.dtype(kind)]
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1
