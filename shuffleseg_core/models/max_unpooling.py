"""Max unpooling, which undoes a 2×2 max pooling as far as it can be undone.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (arXiv:1311.2901), section
2.1: each value goes back to where its window's maximum was, zeros elsewhere.
"""

from __future__ import annotations

from .engine import keras, layers


@keras.saving.register_keras_serializable("shuffleseg")
class MaxUnpooling2D(layers.Layer):
    """Place values where the maxima of 2×2 windows were.

    (values [B, ceil(H/2), ceil(W/2), C], source [B, H, W, C], maxima [B, ceil(H/2), ceil(W/2), C])
    → [B, H, W, C], where `maxima` is what `MaxPooling2D(2, padding="same")` makes of `source`. Of
    equal maxima the first of the window takes the value, in the order rows, then columns. Gradients
    go to the values alone.

    Frameworks hand on indices instead and scatter by them, for which TFLite has no builtin
    operator. What is here it has for floats and for int8; XNNPACK runs all but `equal` and `where`.
    """

    def call(self, inputs):
        values, source, maxima = inputs
        _, height, width, depth = keras.ops.shape(source)
        _, rows, columns, _ = keras.ops.shape(values)
        source = _even(_even(source, height, 1), width, 2)
        # Pairs of rows are an axis of their own here, pairs of columns one half of the last each:
        # slices and concatenations then take whole runs of memory, without strides.
        source = keras.ops.reshape(source, (-1, 2, columns, 2 * depth))
        maxima = keras.ops.reshape(maxima, (-1, 1, columns, depth))
        rest = keras.ops.reshape(values, (-1, 1, columns, depth))
        placed = []
        for row, column in ((0, 0), (0, 1), (1, 0)):
            candidate = source[:, row : row + 1, :, column * depth : (column + 1) * depth]
            here = keras.ops.equal(candidate, maxima)
            placed.append(keras.ops.where(here, rest, 0.0))
            # What has found its place is 0 from here on: the first takes it.
            rest = keras.ops.where(here, 0.0, rest)
        x = keras.ops.concatenate(
            [
                keras.ops.concatenate(placed[:2], axis=3),
                keras.ops.concatenate([placed[2], rest], axis=3),
            ],
            axis=1,
        )
        x = keras.ops.reshape(x, (-1, 2 * rows, 2 * columns, depth))
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[1])


def _even(x, size, axis):
    """Repeat the last row or column where their number is odd.

    What is repeated is never a window's first maximum, while zeros could be.
    """
    if isinstance(size, int) and size % 2 == 0:
        return x
    last = x[:, size - size % 2 :] if axis == 1 else x[:, :, size - size % 2 :]
    return keras.ops.concatenate([x, last], axis=axis)
