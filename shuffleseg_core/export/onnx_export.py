"""Keras model → ONNX, layer by layer, for comparing runtimes. Needs the package `onnx`."""

from __future__ import annotations

import os

import numpy as np

from ..atomic_file import atomic_path
from ..errors import UserError, needs_extra

OPSET = 17


def export_onnx(
    model, path: str | os.PathLike, labels: bool = True, align_corners: bool = False
) -> None:
    """Write a network as it was trained, in ONNX's own layout (channels first).

    Args:
        model: a functional Keras model of this package, built for one input size and without
            `upsample`.
        path: .onnx file to write.
        labels: end with a bilinear resize to the input's size and argmax: int64 [1, H, W]; else
            with logits [1, C, h, w].
        align_corners: convention of that resize.

    Raises:
        UserError: `onnx` is not installed, or a layer is not known.
    """
    try:
        import onnx
    except ImportError as error:
        raise needs_extra("writing ONNX needs onnx", error, "benchmark") from error
    writer = _Writer(onnx, model)
    with atomic_path(path) as temporary:
        onnx.save(writer.finish(labels, align_corners), temporary)


class _Writer:
    def __init__(self, onnx, model):
        self._onnx = onnx
        self._nodes, self._constants = [], []
        self._names: dict[str, str] = {}  # Keras tensor → ONNX value
        self._shapes: dict[str, tuple] = {}  # ONNX value → (C, H, W)
        _, height, width, _ = model.input.shape
        self._size = (height, width)
        for operation in model.operations:
            node = operation._inbound_nodes[0]
            inputs = [self._names[t.name] for t in node.input_tensors]
            handler = getattr(self, f"_{type(operation).__name__.lower()}", None)
            if handler is None:
                raise UserError(f"layer {operation.name}: no ONNX for a {type(operation).__name__}")
            outputs = handler(operation, *inputs)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            for tensor, name in zip(node.output_tensors, outputs):
                self._names[tensor.name] = name
                self._shapes[name] = (tensor.shape[3], *tensor.shape[1:3])
        self._output = self._names[model.output.name]

    def finish(self, labels: bool, align_corners: bool):
        helper, types = self._onnx.helper, self._onnx.TensorProto
        output, kind, shape = self._output, types.FLOAT, [1, *self._shapes[self._output]]
        if labels:
            output = self._enlarged(output, self._size, align_corners)
            output = self._node("ArgMax", [output], axis=1, keepdims=0)
            kind, shape = types.INT64, [1, *self._size]
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("image", types.UINT8, [1, *self._size, 3])],
            [helper.make_tensor_value_info(output, kind, shape)],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        self._onnx.checker.check_model(model)
        return model

    def _node(self, kind: str, inputs, outputs: int = 1, **attributes):
        names = [f"{kind.lower()}_{len(self._nodes)}_{i}" for i in range(outputs)]
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def _constant(self, values, dtype=np.float32) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.asarray(values, dtype=dtype, order="C")
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _inputlayer(self, layer):
        image = self._node("Cast", ["image"], to=self._onnx.TensorProto.FLOAT)
        return self._node("Transpose", [image], perm=[0, 3, 1, 2])

    def _rescaling(self, layer, x):
        x = self._node("Mul", [x, self._constant(layer.scale)])
        return self._node("Add", [x, self._constant(layer.offset)])

    def _conv2d(self, layer, x):
        return self._convolution(layer, x, np.transpose(layer.kernel.numpy(), (3, 2, 0, 1)), 1)

    def _depthwiseconv2d(self, layer, x):
        kernel = np.transpose(layer.kernel.numpy(), (2, 3, 0, 1))
        return self._convolution(layer, x, kernel, len(kernel))

    def _convolution(self, layer, x, kernel, group: int):
        inputs = [x, self._constant(kernel)]
        if layer.use_bias:
            inputs.append(self._constant(layer.bias.numpy()))
        return self._node(
            "Conv",
            inputs,
            kernel_shape=kernel.shape[2:],
            strides=layer.strides,
            dilations=layer.dilation_rate,
            group=group,
            pads=self._same(layer, x, kernel.shape[2:], layer.strides, layer.dilation_rate),
        )

    def _same(self, layer, x, window, strides, rates) -> list[int]:
        """'Same' padding as TensorFlow has it: what does not divide evenly goes behind."""
        before, behind = [], []
        for size, kernel, stride, rate in zip(self._shapes[x][1:], window, strides, rates):
            total = max((-(-size // stride) - 1) * stride + (kernel - 1) * rate + 1 - size, 0)
            total = 0 if layer.padding == "valid" else total
            before.append(total // 2)
            behind.append(total - total // 2)
        return before + behind

    def _batchnormalization(self, layer, x):
        values = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        inputs = [x, *(self._constant(value.numpy()) for value in values)]
        return self._node("BatchNormalization", inputs, epsilon=layer.epsilon)

    def _activation(self, layer, x):
        name = layer.activation.__name__
        if name == "relu6":
            return self._node("Clip", [x, self._constant(0), self._constant(6)])
        if name != "relu":
            raise UserError(f"layer {layer.name}: no ONNX for {name}")
        return self._node("Relu", [x])

    def _maxpooling2d(self, layer, x):
        return self._node(
            "MaxPool",
            [x],
            kernel_shape=layer.pool_size,
            strides=layer.strides,
            pads=self._same(layer, x, layer.pool_size, layer.strides, (1, 1)),
        )

    def _globalaveragepooling2d(self, layer, x):
        return self._node("GlobalAveragePool", [x])

    def _concatenate(self, layer, *inputs):
        return self._node("Concat", list(inputs), axis=1)

    def _add(self, layer, *inputs):
        return self._node("Add", list(inputs))

    def _dropout(self, layer, x):
        return x

    def _channelshuffle(self, layer, x):
        channels, height, width = self._shapes[x]
        groups = layer.groups
        split = self._constant([1, groups, channels // groups, height, width], np.int64)
        x = self._node("Reshape", [x, split])
        x = self._node("Transpose", [x], perm=[0, 2, 1, 3, 4])
        return self._node("Reshape", [x, self._constant([1, channels, height, width], np.int64)])

    def _split(self, operation, x):
        parts = operation.indices_or_sections
        sizes = self._constant([self._shapes[x][0] // parts] * parts, np.int64)
        return self._node("Split", [x, sizes], outputs=parts, axis=1)

    def _resizelike(self, layer, x, reference):
        return self._enlarged(x, self._shapes[reference][1:], layer.align_corners)

    def _enlarged(self, x, size, align_corners: bool):
        sizes = self._constant([1, self._shapes[x][0], *size], np.int64)
        mode = "align_corners" if align_corners else "half_pixel"
        return self._node(
            "Resize", [x, "", "", sizes], mode="linear", coordinate_transformation_mode=mode
        )
