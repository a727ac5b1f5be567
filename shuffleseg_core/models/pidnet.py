"""PIDNet-S.

Xu, Xiong, Bhattacharyya, "PIDNet: A Real-time Semantic Segmentation Network Inspired by PID
Controllers" (arXiv:2206.02066), section 3, as the authors' code (XuJiacong/PIDNet) has it:
proportional (details), integral (context) and derivative (boundaries) branches. Without the heads
of the P and D branches, which exist in training only.

Deviations: the first two convolutions have no bias before their batch norm (64 parameters fewer
than the authors' 7 625 715); average pooling leaves out the padding; convolutions pad as
TensorFlow's 'same'. As in their code, no ReLU stands between the two bottlenecks of the I branch's
stage 5.
"""

from __future__ import annotations

from .blocks import ConvNormAct, ResizeLike
from .engine import keras, layers

#: Channels of the first stage; the others have multiples of it.
WIDTH = 32
#: Residual units of the stages: up to stride 8 and of the P branch; of strides 16 and 32.
SHALLOW_UNITS = 2
DEEP_UNITS = 3
#: Channels of a branch of the pyramid pooling, and of the head.
POOLING_WIDTH = 96
HEAD_WIDTH = 128
#: (pool size, stride) of the pyramid pooling's branches; one more takes the whole image's mean.
POOLING_WINDOWS = ((5, 2), (9, 4), (17, 8))


def pidnet_s(
    inputs,
    num_classes: int,
    align_corners: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """Three branches from stride 8 on; classifies there.

    The authors' auxiliary heads are on the P branch, layer `p_stage3_guide` (segmentation, weight
    0.4), and on the D branch, layer `d_stage4_add_context` (boundaries, weight 20).

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        batch_norm_momentum: of every batch norm here.

    Returns:
        float32 logits [B, ceil(H / 8), ceil(W / 8), num_classes].
    """
    conv = ConvNormAct(batch_norm_momentum, 1e-5)

    x = conv.conv(inputs, WIDTH, 3, name="stem1", stride=2)
    x = conv.conv(x, WIDTH, 3, name="stem2", stride=2)
    x = _relu(_stage(x, WIDTH, SHALLOW_UNITS, conv, "stage1"), "stage1")
    x = _relu(_stage(x, 2 * WIDTH, SHALLOW_UNITS, conv, "stage2", stride=2), "stage2")

    # A branch is always handed on before its ReLU: that is what the others guide and add to.
    p = _stage(x, 2 * WIDTH, SHALLOW_UNITS, conv, "p_stage3")
    d = _basic_unit(x, WIDTH, conv, "d_stage3_unit1")
    i = _relu(_stage(x, 4 * WIDTH, DEEP_UNITS, conv, "i_stage3", stride=2), "i_stage3")
    p = _guided(p, i, conv, align_corners, "p_stage3")
    d = _with_context(d, i, conv, align_corners, "d_stage3")

    p = _stage(_relu(p, "p_stage3"), 2 * WIDTH, SHALLOW_UNITS, conv, "p_stage4")
    d = _bottleneck_unit(_relu(d, "d_stage3"), WIDTH, conv, "d_stage4_unit1")
    i = _relu(_stage(i, 8 * WIDTH, DEEP_UNITS, conv, "i_stage4", stride=2), "i_stage4")
    p = _guided(p, i, conv, align_corners, "p_stage4")
    d = _with_context(d, i, conv, align_corners, "d_stage4")

    p = _bottleneck_unit(_relu(p, "p_stage4"), 2 * WIDTH, conv, "p_stage5_unit1")
    d = _bottleneck_unit(_relu(d, "d_stage4"), 2 * WIDTH, conv, "d_stage5_unit1")
    i = _bottleneck_unit(i, 8 * WIDTH, conv, "i_stage5_unit1", stride=2)
    i = _bottleneck_unit(i, 8 * WIDTH, conv, "i_stage5_unit2")
    i = _pyramid_pooling(i, 4 * WIDTH, conv, align_corners)
    i = ResizeLike(align_corners, name="pyramid_resize")([i, p])

    x = _boundary_fusion(p, i, d, conv)
    x = _pre_activated(x, HEAD_WIDTH, 3, conv, name="head_conv")
    x = conv.norm(x, "head", "relu")
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def _relu(x, name: str):
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _stage(x, width: int, units: int, conv, name: str, stride: int = 1):
    """Basic units; the last one without its ReLU."""
    for unit in range(1, units + 1):
        x = _basic_unit(x, width, conv, f"{name}_unit{unit}", stride if unit == 1 else 1)
        if unit < units:
            x = _relu(x, f"{name}_unit{unit}")
    return x


def _basic_unit(x, width: int, conv, name: str, stride: int = 1):
    """ResNet's two 3×3, before the ReLU behind them."""
    shortcut = _shortcut(x, width, conv, stride, name)
    x = conv.conv(x, width, 3, name=f"{name}_conv1", stride=stride)
    x = conv.conv(x, width, 3, name=f"{name}_conv2", activation=None)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _bottleneck_unit(x, width: int, conv, name: str, stride: int = 1):
    """ResNet's 1×1, 3×3, 1×1 to twice `width`, before the ReLU behind them."""
    shortcut = _shortcut(x, 2 * width, conv, stride, name)
    x = conv.pointwise(x, width, name=f"{name}_conv1")
    x = conv.conv(x, width, 3, name=f"{name}_conv2", stride=stride)
    x = conv.pointwise(x, 2 * width, name=f"{name}_conv3", activation=None)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _shortcut(x, width: int, conv, stride: int, name: str):
    if stride == 1 and x.shape[-1] == width:
        return x
    return conv.conv(x, width, 1, name=f"{name}_shortcut", stride=stride, activation=None)


def _guided(p, i, conv, align_corners: bool, name: str):
    """Pag: where both branches agree, the detail takes the context's features."""
    context = conv.pointwise(i, p.shape[-1], name=f"{name}_context", activation=None)
    query = conv.pointwise(context, p.shape[-1] // 2, name=f"{name}_query", activation=None)
    query = ResizeLike(align_corners, name=f"{name}_query_resize")([query, p])
    key = conv.pointwise(p, p.shape[-1] // 2, name=f"{name}_key", activation=None)
    share = PixelSimilarity(name=f"{name}_similarity")([key, query])
    context = ResizeLike(align_corners, name=f"{name}_context_resize")([context, p])
    # (1 - share) · p + share · context, by one product.
    difference = layers.Subtract(name=f"{name}_difference")([context, p])
    difference = layers.Multiply(name=f"{name}_share")([difference, share])
    return layers.Add(name=f"{name}_guide")([p, difference])


def _with_context(d, i, conv, align_corners: bool, name: str):
    context = conv.conv(i, d.shape[-1], 3, name=f"{name}_context", activation=None)
    context = ResizeLike(align_corners, name=f"{name}_context_resize")([context, d])
    return layers.Add(name=f"{name}_add_context")([d, context])


def _pre_activated(x, width: int, kernel_size: int, conv, name: str):
    """Batch norm, ReLU, convolution."""
    x = conv.norm(x, name, "relu")
    return layers.Conv2D(width, kernel_size, padding="same", use_bias=False, name=name)(x)


def _pyramid_pooling(x, width: int, conv, align_corners: bool):
    """PAPPM: means of four window sizes, each beside the features at their own size."""
    own = _pre_activated(x, POOLING_WIDTH, 1, conv, name="pyramid0_conv1x1")
    branches = [own]
    for branch, window in enumerate((*POOLING_WINDOWS, None), start=1):
        name = f"pyramid{branch}"
        if window is None:
            pooled = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
        else:
            size, stride = window
            pooled = layers.AveragePooling2D(
                size, strides=stride, padding="same", name=f"{name}_pool"
            )(x)
        pooled = _pre_activated(pooled, POOLING_WIDTH, 1, conv, name=f"{name}_conv1x1")
        pooled = ResizeLike(align_corners, name=f"{name}_resize")([pooled, own])
        pooled = layers.Add(name=f"{name}_add")([pooled, own])
        # The authors' one convolution of four groups, with one batch norm for all, taken apart.
        branches.append(_pre_activated(pooled, POOLING_WIDTH, 3, conv, name=f"{name}_conv3x3"))
    pyramid = layers.Concatenate(name="pyramid_concat")(branches)
    pyramid = _pre_activated(pyramid, width, 1, conv, name="pyramid_project")
    shortcut = _pre_activated(x, width, 1, conv, name="pyramid_shortcut")
    return layers.Add(name="pyramid_add")([pyramid, shortcut])


def _boundary_fusion(p, i, d, conv):
    """Light-Bag: details where a boundary is, context elsewhere."""
    boundary = layers.Activation("sigmoid", name="fusion_boundary")(d)
    # (1 - boundary) · i + p
    inside = layers.Multiply(name="fusion_i_boundary")([boundary, i])
    details = layers.Add(name="fusion_p_add")([p, i])
    details = layers.Subtract(name="fusion_p_subtract")([details, inside])
    edges = layers.Multiply(name="fusion_p_boundary")([boundary, p])
    context = layers.Add(name="fusion_i_add")([i, edges])
    width = i.shape[-1]
    details = conv.pointwise(details, width, name="fusion_p_conv1x1", activation=None)
    context = conv.pointwise(context, width, name="fusion_i_conv1x1", activation=None)
    return layers.Add(name="fusion_add")([details, context])


@keras.saving.register_keras_serializable("shuffleseg")
class PixelSimilarity(layers.Layer):
    """Sigmoid of the inner product of two features at each position.

    ([B, H, W, C], [B, H, W, C]) → [B, H, W, 1] in (0, 1).
    """

    def call(self, inputs):
        first, second = inputs
        return keras.ops.sigmoid(keras.ops.sum(first * second, axis=-1, keepdims=True))

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], 1)

    def macs(self) -> int:
        _, rows, columns, channels = self.input[0].shape
        return rows * columns * channels
