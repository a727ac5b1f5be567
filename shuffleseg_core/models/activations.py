"""Activations in the form that TFLite's converter knows as one operator of its own."""

from __future__ import annotations

from .engine import keras, layers


@keras.saving.register_keras_serializable("shuffleseg")
class HardSwish(layers.Layer):
    """x · relu6(x + 3) / 6, element by element.

    Keras's own `hard_silu` clips x / 6 + 1/2 instead, which exports as four operators; this
    becomes HARD_SWISH.
    """

    def call(self, x):
        return x * keras.ops.relu6(x + 3.0) * (1.0 / 6.0)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("shuffleseg")
class HardSigmoid(layers.Layer):
    """relu6(x + 3) / 6, element by element: from 0 to 1."""

    def call(self, x):
        return keras.ops.relu6(x + 3.0) * (1.0 / 6.0)

    def compute_output_shape(self, input_shape):
        return input_shape
