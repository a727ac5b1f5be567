"""The convolution blocks that the architectures share."""

from __future__ import annotations

from dataclasses import dataclass

from .engine import keras, layers


def check_shares(**shares: float) -> None:
    """Raises ValueError where an option, by its name, is not a share in [0, 1)."""
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{name} {share} is not in [0, 1)")


@dataclass(frozen=True)
class ConvNormAct:
    """Convolution without bias → batch norm → activation, 'same' padding throughout.

    Layers are named `<name>`, `<name>_norm` and `<name>_activation`; importers of foreign
    checkpoints rely on these names.

    An `activation` is a name that Keras knows, "prelu" (a slope for each channel) or None.

    Attributes:
        momentum, epsilon: of the batch norms.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3

    def __post_init__(self):
        if not 0 <= self.momentum < 1:
            raise ValueError(f"a batch norm's momentum of {self.momentum} is not in [0, 1)")

    def conv(self, x, width, kernel_size, name, stride=1, rate=1, activation="relu"):
        """Ordinary convolution: [B, H, W, C] → [B, ceil(H/stride), ceil(W/stride), width]."""
        x = layers.Conv2D(
            width,
            kernel_size,
            strides=stride,
            dilation_rate=rate,
            padding="same",
            use_bias=False,
            name=name,
        )(x)
        return self.norm(x, name, activation)

    def pointwise(self, x, width, name, activation="relu"):
        """1×1 convolution: [B, H, W, C] → [B, H, W, width]."""
        return self.conv(x, width, 1, name, activation=activation)

    def depthwise(self, x, name, stride=1, rate=1, activation="relu", kernel_size=3):
        """Depthwise convolution; rate is an int or (rows, columns). Keeps the channels."""
        x = layers.DepthwiseConv2D(
            kernel_size,
            strides=stride,
            dilation_rate=rate,
            padding="same",
            use_bias=False,
            name=name,
        )(x)
        return self.norm(x, name, activation)

    def norm(self, x, name, activation=None):
        """Batch norm and activation alone, named as those of the convolution `name`."""
        x = layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, name=f"{name}_norm"
        )(x)
        if activation == "prelu":
            x = layers.PReLU(shared_axes=(1, 2), name=f"{name}_activation")(x)
        elif activation is not None:
            x = layers.Activation(activation, name=f"{name}_activation")(x)
        return x


@keras.saving.register_keras_serializable("shuffleseg")
class ChannelShuffle(layers.Layer):
    """Interleave the channels of `groups` equal groups.

    [B, H, W, C] → [B, H, W, C]: channel g·C/groups + i moves to i·groups + g.
    """

    def __init__(self, groups: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, inputs):
        _, height, width, _ = keras.ops.shape(inputs)
        channels = inputs.shape[-1]
        x = keras.ops.reshape(inputs, (-1, height, width, self.groups, channels // self.groups))
        x = keras.ops.transpose(x, (0, 1, 2, 4, 3))
        return keras.ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


@keras.saving.register_keras_serializable("shuffleseg")
class ResizeLike(layers.Layer):
    """Bilinear resize of the first input to the height and width of the second.

    ([B, h, w, C], [B, H, W, any]) → [B, H, W, C].

    Args:
        align_corners: put the corner samples of both grids upon each other, as the official
            implementation does (crops of 16k + 1 pixels then align exactly). Otherwise
            pixel areas align (half-pixel centres), as OpenCV and PyTorch do.
    """

    def __init__(self, align_corners: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def call(self, inputs):
        x, reference = inputs
        _, height, width, _ = keras.ops.shape(reference)
        if isinstance(height, int) and tuple(x.shape[1:3]) == (height, width):
            return x
        if not self.align_corners:
            return keras.ops.image.resize(x, (height, width), interpolation="bilinear")
        # No Keras backend offers align_corners. Bilinear resize is separable and linear:
        # one small matrix a direction, the same on every backend.
        rows = _align_corners_matrix(height, keras.ops.shape(x)[1], x.dtype)
        columns = _align_corners_matrix(width, keras.ops.shape(x)[2], x.dtype)
        x = keras.ops.einsum("Hh,bhwc->bHwc", rows, x)
        return keras.ops.einsum("Ww,bHwc->bHWc", columns, x)

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])

    def get_config(self):
        return {**super().get_config(), "align_corners": self.align_corners}


@keras.saving.register_keras_serializable("shuffleseg")
class CropLike(layers.Layer):
    """The middle of the first input, of the height and width of the second.

    ([B, h, w, C], [B, H, W, any]) → [B, H, W, C], H <= h and W <= w. Where the number of rows or
    columns to take away is odd, the odd one is the last.
    """

    def call(self, inputs):
        x, reference = inputs
        height, width = keras.ops.shape(reference)[1:3]
        rows, columns = keras.ops.shape(x)[1:3]
        sizes = (rows, columns, height, width)
        if all(isinstance(size, int) for size in sizes) and (rows, columns) == (height, width):
            return x  # no copy of the logits in an exported graph
        top, left = (rows - height) // 2, (columns - width) // 2
        return x[:, top : top + height, left : left + width]

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])


def _align_corners_matrix(size, source_size, dtype):
    """[size, source_size] weights: row i holds a hat around i·(source-1)/(size-1)."""
    step = keras.ops.cast(source_size - 1, dtype) / keras.ops.cast(
        keras.ops.maximum(size - 1, 1), dtype
    )
    position = keras.ops.cast(keras.ops.arange(size), dtype) * step
    source = keras.ops.cast(keras.ops.arange(source_size), dtype)
    return keras.ops.relu(1 - keras.ops.abs(position[:, None] - source[None, :]))
