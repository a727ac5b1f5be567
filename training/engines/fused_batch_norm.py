"""Training-mode batch norm and ReLU as one operation of TensorFlow on CPUs.

Keras makes some ten operations of a batch norm, each of which reads and writes whole tensors: with
their gradients a third of a training step on a CPU. The C in `training/native` does the same in two
passes forward and two back.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from shuffleseg_core.compiled import function, load_library

_LIBRARY = load_library(Path(__file__).parent.with_name("native"))
_POINTER, _SIZE, _FLOAT, _FLAG = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float, ctypes.c_int32
_FORWARD = function(
    "batch_norm_forward",
    *(_POINTER, _SIZE, _SIZE, _POINTER, _POINTER, _FLOAT, _FLAG, _POINTER, _POINTER, _POINTER),
    library=_LIBRARY,
)
_BACKWARD = function(
    "batch_norm_backward",
    *(_POINTER, _POINTER, _SIZE, _SIZE, *[_POINTER] * 4, _FLOAT, _FLAG, *[_POINTER] * 3),
    library=_LIBRARY,
)
#: Whether the library was compiled.
IS_BUILT = _FORWARD is not None and _BACKWARD is not None
_ALIGNMENT = 64  # bytes; TensorFlow takes an array as it is where its memory begins so


def with_fused_batch_norms(model: keras.Model) -> keras.Model:
    """The same network, whose training-mode batch norms are fused with the ReLUs behind them.

    Args:
        model: built; its variables and all other layers are shared, and it stays as it is.

    Returns:
        A model to call; `model` itself where there is nothing to fuse or no compiled library.
        Batch norms that are frozen, synchronized or compute in 16 bits stay Keras's.
    """
    if not IS_BUILT:
        return model
    norms = [layer for layer in model.layers if _can_be_fused(layer)]
    rectifiers = {id(norm): _rectifier(norm) for norm in norms}
    fused = {id(norm): FusedBatchNorm(norm, rectifiers[id(norm)] is not None) for norm in norms}
    for rectifier in rectifiers.values():
        if rectifier is not None:
            fused[id(rectifier)] = keras.layers.Identity(name=rectifier.name)
    if not fused:
        return model
    # Of the graph alone: a compiled model would be cloned with its optimizer.
    graph = keras.Model(model.input, model.output, name=model.name)
    return keras.models.clone_model(graph, clone_function=lambda layer: fused.get(id(layer), layer))


def _can_be_fused(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and layer.trainable
        and layer.scale
        and layer.center
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
        and layer.compute_dtype == layer.variable_dtype == "float32"
    )


def _rectifier(norm: keras.layers.Layer) -> keras.layers.Layer | None:
    """The ReLU that alone takes what the batch norm puts out."""
    nodes = norm._outbound_nodes
    if len(nodes) != 1:
        return None
    layer = nodes[0].operation
    is_relu = (
        isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu
    )
    return layer if is_relu else None


class FusedBatchNorm(keras.layers.Layer):
    """A batch norm, and a ReLU where `rectify`, with the variables of Keras's layer `norm`."""

    def __init__(self, norm: keras.layers.BatchNormalization, rectify: bool):
        super().__init__(name=norm.name)
        self._norm = norm
        self._operation = _fused_operation(norm.epsilon, rectify)
        self._rectify = rectify

    def call(self, inputs, training=None, mask=None):
        norm = self._norm
        if not training:
            outputs = norm(inputs, training=False)
            return tf.nn.relu(outputs) if self._rectify else outputs
        outputs, mean, variance = self._operation(inputs, norm.gamma.value, norm.beta.value)
        for average, value in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            average.assign(average * norm.momentum + value * (1.0 - norm.momentum))
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape


def _fused_operation(epsilon: float, rectify: bool):
    """(x, gamma, beta) → (output, mean, variance), with gradients of the first alone."""

    def forward(x, gamma, beta):
        out, mean, variance = _empty(x.shape), np.empty_like(gamma), np.empty_like(gamma)
        _call(
            _FORWARD, x.ctypes.data, x.size // len(gamma), len(gamma), gamma.ctypes.data,
            beta.ctypes.data, epsilon, rectify, out.ctypes.data, mean.ctypes.data,
            variance.ctypes.data,
        )  # fmt: skip
        return out, mean, variance

    def backward(slope, x, gamma, beta, mean, variance):
        x_slope, gamma_slope, beta_slope = (
            _empty(x.shape),
            np.empty_like(gamma),
            np.empty_like(beta),
        )
        _call(
            _BACKWARD, slope.ctypes.data, x.ctypes.data, x.size // len(gamma), len(gamma),
            gamma.ctypes.data, beta.ctypes.data, mean.ctypes.data, variance.ctypes.data, epsilon,
            rectify, x_slope.ctypes.data, gamma_slope.ctypes.data, beta_slope.ctypes.data,
        )  # fmt: skip
        return x_slope, gamma_slope, beta_slope

    @tf.custom_gradient
    def operation(x, gamma, beta):
        out, mean, variance = _numpy(forward, [x, gamma, beta], [x, gamma, gamma])

        def gradient(slope, *_):
            given = [slope, x, gamma, beta, mean, variance]
            return _numpy(backward, given, [x, gamma, beta])

        return (out, mean, variance), gradient

    return operation


def _numpy(call, inputs, like):
    """A call on arrays as an operation whose outputs have the shapes of other tensors."""
    outputs = tf.numpy_function(call, inputs, [tf.float32] * len(like), stateful=False)
    return [tf.ensure_shape(out, x.shape) for out, x in zip(outputs, like)]


def _call(compiled, *arguments):
    if compiled(*arguments):
        raise MemoryError("no memory for a batch norm's sums")


def _empty(shape) -> np.ndarray:
    """float32, not filled, aligned for TensorFlow."""
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[start : start + size].reshape(shape)
