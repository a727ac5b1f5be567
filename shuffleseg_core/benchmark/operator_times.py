"""What each operator of a model costs: every one runs as a model of its own.

LiteRT's Python package has no profiler. Alone and again and again on the same values, an operator
has its data in the cache more often than within the model, and the call from Python is in its time:
the sum is not the network's, but shows where that goes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import flatbuffers
import numpy as np

from ..errors import UserError, first_line
from ..interpreter import open_interpreter


@dataclass(frozen=True)
class OperatorTime:
    """One operator of a model.

    Attributes:
        name: as in LiteRT's schema, like CONV_2D.
        output: shape of its result.
        macs: multiply-accumulates of a convolution; 0 of anything else.
        seconds: the median.
        delegated: whether XNNPACK runs it; else LiteRT's own kernel does.
    """

    name: str
    output: tuple[int, ...]
    macs: int
    seconds: float
    delegated: bool


def operator_times(
    model: str | os.PathLike, num_threads: int, repetitions: int = 30
) -> list[OperatorTime]:
    """Time the operators of a .tflite one by one, in the graph's order.

    Raises:
        UserError: LiteRT, whose schema this needs, is not installed, or an operator does not run
            alone on arbitrary values.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise UserError(f"times by operator need ai-edge-litert ({error})") from error
    with open(model, "rb") as file:
        whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read(), 0))
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    graph = whole.subgraphs[0]
    times = []
    for operator in graph.operators:
        alone = _alone(schema, whole, operator)
        code = whole.operatorCodes[operator.opcodeIndex]
        code = max(code.builtinCode, code.deprecatedBuiltinCode)
        output = tuple(int(n) for n in graph.tensors[operator.outputs[0]].shape)
        is_convolution = names[code] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        kernel = graph.tensors[operator.inputs[1]].shape if is_convolution else [0]
        try:
            interpreter = open_interpreter(alone, num_threads)
            for detail in interpreter.get_input_details():
                values = np.random.default_rng(0).random(detail["shape"]) * 100
                interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
            seconds = _median_seconds(interpreter.invoke, repetitions)
        except (UserError, ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise UserError(f"model {model}: {names[code]} does not run alone: {reason}") from error
        macs = int(np.prod(output[:-1]) * np.prod(kernel))
        delegated = any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
        times.append(OperatorTime(names[code], output, macs, seconds, delegated))
    return times


def _alone(schema, whole, operator) -> bytes:
    """A model of one operator; what it reads of others' results becomes its input."""
    tensors = whole.subgraphs[0].tensors
    used = [int(i) for i in (*operator.inputs, *operator.outputs) if i >= 0]
    used = list(dict.fromkeys(used))
    graph = schema.SubGraphT()
    buffers = [schema.BufferT()]
    graph.tensors = []
    for index in used:
        old = tensors[index]
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = old.shape, old.type, old.name
        tensor.quantization = old.quantization
        tensor.buffer = 0
        data = whole.buffers[old.buffer].data
        if data is not None and len(data):
            tensor.buffer = len(buffers)
            buffers.append(whole.buffers[old.buffer])
        graph.tensors.append(tensor)
    place = {old: new for new, old in enumerate(used)}
    single = schema.OperatorT()
    single.opcodeIndex = 0
    single.inputs = [place.get(int(i), -1) for i in operator.inputs]
    single.outputs = [place[int(i)] for i in operator.outputs]
    single.builtinOptions = operator.builtinOptions
    single.builtinOptionsType = operator.builtinOptionsType
    graph.operators = [single]
    graph.outputs = single.outputs
    graph.inputs = [i for i in dict.fromkeys(single.inputs) if i >= 0]
    graph.inputs = [i for i in graph.inputs if graph.tensors[i].buffer == 0]
    model = schema.ModelT()
    model.version = whole.version
    model.operatorCodes = [whole.operatorCodes[operator.opcodeIndex]]
    model.subgraphs = [graph]
    model.buffers = buffers
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _median_seconds(call, repetitions: int) -> float:
    for _ in range(3):
        call()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
