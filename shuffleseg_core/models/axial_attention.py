"""Squeeze-enhanced axial attention and the transformer block around it.

Wan et al., "SeaFormer: Squeeze-enhanced Axial Transformer for Mobile Semantic Segmentation"
(arXiv:2301.13156); with a stride, Tang et al., "PP-MobileSeg" (arXiv:2304.05152). Details are as in
the authors' code (fudan-zvg/SeaFormer, PaddlePaddle/PaddleSeg): 16 learned positions an axis,
interpolated to the axis's length, values twice as wide as keys, and relu6.

Deviations:
- Queries, keys and values come from one convolution, which is the same as three beside each other.
- The scales of the batch norms behind the attention begin at 1, in the authors' code at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from .attention import ChannelSlice
from .blocks import ConvNormAct, ResizeLike
from .engine import keras, layers
from .transformer_parts import convolutional_mlp, drop_path

#: Learned positions along an axis.
POSITIONS = 16


@keras.saving.register_keras_serializable("shuffleseg")
class SqueezeAxialAttention(layers.Layer):
    """Attention between the rows of an image, or between its columns, each one mean vector.

    [B, H, W, C] → [B, H, 1, C / 2] (`axis` 1, rows) or [B, 1, W, C / 2] (`axis` 2, columns). Of
    the C channels the first quarter is queries, the second keys, the others are values, each head
    by head. Learned positions are added to the means of queries and keys.

    Args:
        num_heads: heads, each of C / (4 · num_heads) keys.
        axis: 1 or 2, the one that remains.
    """

    def __init__(self, num_heads: int, axis: int, **kwargs):
        super().__init__(**kwargs)
        if axis not in (1, 2):
            raise ValueError(f"axis {axis} is not in [1, 2]")
        self.num_heads = num_heads
        self.axis = axis

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % (4 * self.num_heads):
            raise ValueError(f"{channels} channels do not split into {self.num_heads} heads")
        self.positions = self.add_weight(
            shape=(POSITIONS, channels // 2),
            # Of unit deviation, as the normed queries and keys.
            initializer=lambda shape, dtype=None: keras.random.normal(shape, dtype=dtype),
            name="positions",
        )

    def call(self, qkv):
        squeezed = keras.ops.mean(qkv, axis=3 - self.axis)  # [B, N, C]
        length = keras.ops.shape(squeezed)[1]
        qk, v = keras.ops.split(squeezed, 2, axis=-1)
        positions = keras.ops.cast(self.positions, qk.dtype)
        qk = qk + keras.ops.matmul(_linear_weights(length, POSITIONS, qk.dtype), positions)
        q, k = keras.ops.split(qk, 2, axis=-1)
        key_width = q.shape[-1] // self.num_heads
        q = self._by_head(q * key_width**-0.5, length, (0, 2, 1, 3))  # [B, heads, N, keys]
        k = self._by_head(k, length, (0, 2, 3, 1))  # [B, heads, keys, N]
        v = self._by_head(v, length, (0, 2, 1, 3))
        x = keras.ops.matmul(keras.ops.softmax(keras.ops.matmul(q, k)), v)
        x = keras.ops.transpose(x, (0, 2, 1, 3))  # [B, N, heads, values]
        shape = (length, 1) if self.axis == 1 else (1, length)
        return keras.ops.reshape(x, (-1, *shape, qkv.shape[-1] // 2))

    def _by_head(self, x, length, order):
        x = keras.ops.reshape(x, (-1, length, self.num_heads, x.shape[-1] // self.num_heads))
        return keras.ops.transpose(x, order)

    def macs(self) -> int:
        """Multiply-accumulates of queries · keys and of attention · values, for one image."""
        channels = self.input.shape[-1]
        return self.input.shape[self.axis] ** 2 * (channels // 4 + channels // 2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        size = (height, 1) if self.axis == 1 else (1, width)
        return (batch, *size, channels // 2)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "axis": self.axis}


def _linear_weights(size, source_size: int, dtype):
    """[size, source_size] weights of a linear resize with half-pixel centres."""
    index = keras.ops.cast(keras.ops.arange(size), dtype)
    step = keras.ops.cast(source_size, dtype) / keras.ops.cast(size, dtype)
    position = keras.ops.clip((index + 0.5) * step - 0.5, 0, source_size - 1)
    source = keras.ops.cast(keras.ops.arange(source_size), dtype)
    return keras.ops.relu(1 - keras.ops.abs(position[:, None] - source[None, :]))


@dataclass(frozen=True)
class AxialTransformer:
    """Blocks of squeeze-enhanced axial attention and a perceptron with a depthwise convolution.

    Attributes:
        conv: the convolutions, with their batch norms.
        num_heads: of the attention.
        stride: 2 halves the features that the attention sees (strided attention).
        align_corners: convention of the resize behind a strided attention, see `ResizeLike`.
    """

    conv: ConvNormAct
    num_heads: int
    stride: int = 1
    align_corners: bool = False

    def stage(self, x, depth, key_width, expansion, drop_path, name):
        """`depth` blocks, dropped for a share of the images that grows from 0 to drop_path."""
        for block in range(1, depth + 1):
            rate = drop_path * (block - 1) / (depth - 1) if depth > 1 else 0.0
            x = self.block(x, key_width, expansion, rate, f"{name}_block{block}")
        return x

    def block(self, x, key_width: int, expansion: int, drop_rate: float, name: str):
        """[B, H, W, C] → [B, H, W, C]; `<name>_output` is the last layer."""
        branch = self.attention(x, key_width, f"{name}_attention")
        branch = drop_path(branch, drop_rate, f"{name}_attention_drop_path")
        x = layers.Add(name=f"{name}_attention_add")([x, branch])
        branch = convolutional_mlp(x, expansion, self.conv, f"{name}_mlp")
        branch = drop_path(branch, drop_rate, f"{name}_mlp_drop_path")
        return layers.Add(name=f"{name}_output")([x, branch])

    def attention(self, x, key_width: int, name: str):
        """Axial attention gates what a convolution of queries, keys and values sees."""
        features, width = x, x.shape[-1]
        if self.stride > 1:
            # With a bias, which the norm makes useless, as in the authors' code.
            x = layers.DepthwiseConv2D(
                3, strides=self.stride, padding="same", name=f"{name}_stride"
            )(x)
            x = self.conv.norm(x, f"{name}_stride")
        qkv_width = 4 * key_width * self.num_heads
        qkv = self.conv.pointwise(x, qkv_width, name=f"{name}_qkv", activation=None)
        detail = self.conv.depthwise(qkv, name=f"{name}_detail_depthwise", activation="relu6")
        detail = self.conv.pointwise(detail, width, name=f"{name}_detail", activation=None)
        values = ChannelSlice(qkv_width // 2, qkv_width, name=f"{name}_values")(qkv)
        parts = [values]
        for axis, line in ((1, "row"), (2, "column")):
            part = SqueezeAxialAttention(self.num_heads, axis, name=f"{name}_{line}")(qkv)
            part = layers.Activation("relu6", name=f"{name}_{line}_activation")(part)
            parts.append(
                self.conv.pointwise(
                    part, part.shape[-1], name=f"{name}_{line}_project", activation=None
                )
            )
        gate = layers.Add(name=f"{name}_sum")(parts)
        gate = layers.Activation("relu6", name=f"{name}_sum_activation")(gate)
        gate = self.conv.pointwise(gate, width, name=f"{name}_project", activation="hard_sigmoid")
        x = layers.Multiply(name=f"{name}_gated")([gate, detail])
        if self.stride > 1:
            x = ResizeLike(self.align_corners, name=f"{name}_resize")([x, features])
        return x
