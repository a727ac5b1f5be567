"""Pooling to a number of bins, whatever the size."""

from __future__ import annotations

from .engine import keras, layers


@keras.saving.register_keras_serializable("shuffleseg")
class AdaptiveAveragePooling(layers.Layer):
    """Means over bins × bins regions that together cover the image: [B, H, W, C] → [B, b, b, C].

    Region i of n pixels goes from floor(i · n / bins) to ceil((i + 1) · n / bins), as PyTorch has
    it: neighbours overlap by a pixel where the size is no multiple of bins, and with fewer pixels
    than bins pixels repeat.

    Args:
        bins: regions along each axis, at least 1.
    """

    def __init__(self, bins: int, **kwargs):
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, x):
        if self.bins == 1:
            return keras.ops.mean(x, axis=(1, 2), keepdims=True)
        # Means are linear: one small matrix a direction, which needs neither a pooling operator
        # of uneven windows nor one slice for each bin. The shapes need no transposition.
        _, height, width, channels = keras.ops.shape(x)
        rows = _region_means(self.bins, height, x.dtype)
        columns = _region_means(self.bins, width, x.dtype)
        x = keras.ops.matmul(rows, keras.ops.reshape(x, (-1, height, width * channels)))
        return keras.ops.matmul(columns, keras.ops.reshape(x, (-1, self.bins, width, channels)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.bins, self.bins, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "bins": self.bins}


def _region_means(bins, size, dtype):
    """[bins, size] weights: row i has 1 / length over region i."""
    index = keras.ops.arange(bins, dtype="int32")
    start = index * size // bins
    end = ((index + 1) * size + bins - 1) // bins
    position = keras.ops.arange(size, dtype="int32")
    inside = (position >= start[:, None]) & (position < end[:, None])
    return keras.ops.cast(inside, dtype) / keras.ops.cast(end - start, dtype)[:, None]
