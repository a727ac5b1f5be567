"""Products of feature maps with each other, without weights of their own."""

from __future__ import annotations

from math import prod

from .engine import keras, layers


@keras.saving.register_keras_serializable("shuffleseg")
class Attention(layers.Layer):
    """Softmax attention of every position to every position, head by head.

    (queries [B, H, W, heads · d], keys [B, h, w, heads · d], values [B, h, w, heads · e]) →
    [B, H, W, heads · e]. A head's channels lie side by side.

    Args:
        heads: number of heads.
        scale: of the products of queries and keys before the softmax.
    """

    def __init__(self, heads: int, scale: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.scale = scale

    def call(self, inputs):
        queries, keys, values = inputs
        attention = keras.ops.matmul(
            self._by_head(queries, (0, 2, 1, 3)), self._by_head(keys, (0, 2, 3, 1))
        )
        if self.scale != 1.0:
            attention = attention * self.scale
        x = keras.ops.matmul(keras.ops.softmax(attention), self._by_head(values, (0, 2, 1, 3)))
        x = keras.ops.transpose(x, (0, 2, 1, 3))
        batch, height, width, _ = keras.ops.shape(queries)
        return keras.ops.reshape(x, (batch, height, width, values.shape[-1]))

    def _by_head(self, x, order):
        """[B, h, w, heads · d] → [B, positions, heads, d], then axes in that order."""
        batch, height, width, channels = keras.ops.shape(x)
        x = keras.ops.reshape(x, (batch, height * width, self.heads, channels // self.heads))
        return keras.ops.transpose(x, order)

    def macs(self) -> int:
        """Multiply-accumulates of both products for one image."""
        queries, keys, values = (tensor.shape for tensor in self.input)
        return prod(queries[1:3]) * prod(keys[1:3]) * (queries[3] + values[3])

    def compute_output_shape(self, input_shape):
        queries, _, values = input_shape
        return (*queries[:3], values[3])

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "scale": self.scale}


@keras.saving.register_keras_serializable("shuffleseg")
class ChannelSlice(layers.Layer):
    """Some channels: [B, H, W, C] → [B, H, W, stop - start].

    Args:
        start, stop: the first channel and the one behind the last.
    """

    def __init__(self, start: int, stop: int, **kwargs):
        super().__init__(**kwargs)
        self.start = start
        self.stop = stop

    def call(self, x):
        return x[..., self.start : self.stop]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], self.stop - self.start)

    def get_config(self):
        return {**super().get_config(), "start": self.start, "stop": self.stop}
