"""ENet: a network of bottlenecks with a large encoder and a small decoder.

Paszke, Chaurasia, Kim & Culurciello, "ENet: A Deep Neural Network Architecture for Real-Time
Semantic Segmentation" (arXiv:1606.02147), table 1 and figure 2.

What the paper leaves open is as in the authors' implementation (github.com/e-lab/ENet-training):
asymmetric convolutions have nothing between them, a bottleneck that changes the width has a
quarter of the new one inside, upsampling is by 3×3, the last full convolution is 2×2. Where their
implementation and the paper differ, it is theirs: the decoder has ReLU (the paper speaks of its
PReLUs) and no dropout.

Deviations: convolutions before a batch norm have no bias (theirs have where they are no
projection; batch norm takes it out again); of an asymmetric pair the column comes first (theirs:
the row); PReLU starts from a slope of 0 (theirs from 0.25); 'same' padding is TensorFlow's; an
odd size is rounded up by each stride, and cropped on the way back. Encoder and decoder are
trained together, not one after the other; an auxiliary classifier on "bottleneck3_8_output" is
what they train the encoder by.

Costs: the paper's 0.37 M parameters count the moving statistics of batch norm (ours for 19 classes:
371,970, of which 363,618 are trained). Its 3.83 GFLOPs at 640×360 take a multiply-add as two. Ours
are 1.72 GMAC, 3.45 GFLOPs in convolutions, and 3.51 (20 classes) by the rules by which the paper's
286.03 for SegNet comes out, see `segnet`. What the rest is they do not say: the network in their
profiler (github.com/e-lab/Torch7-profiling, models/ENet.lua) is the one here.
"""

from __future__ import annotations

from .blocks import ConvNormAct, CropLike, check_shares
from .engine import keras, layers
from .max_unpooling import MaxUnpooling2D

#: The convolution inside each bottleneck of stages 2 and 3, behind the one that downsamples.
CONTEXT_UNITS = (
    {},
    {"rate": 2},
    {"asymmetric": 5},
    {"rate": 4},
    {},
    {"rate": 8},
    {"asymmetric": 5},
    {"rate": 16},
)


def enet(inputs, num_classes: int, dropout: float = 0.1, batch_norm_momentum: float = 0.99):
    """ENet up to the logits.

    Args:
        inputs: [B, H, W, 3] image in [-1, 1].
        num_classes: depth of the logits.
        dropout: share of the channels dropped in training by each bottleneck of stages 2 and 3;
            a tenth of it in stage 1 (the paper's 0.1 and 0.01).
        batch_norm_momentum: of all batch norms.

    Returns:
        Float logits [B, H, W, num_classes].

    Raises:
        ValueError: dropout is not in [0, 1).
    """
    check_shares(dropout=dropout)
    conv = ConvNormAct(batch_norm_momentum, 1e-3)
    initial = _initial_block(inputs, conv)
    x, pooled_1 = _downsample(initial, 64, conv, dropout / 10, "bottleneck1_0")
    for unit in range(1, 5):
        x = _bottleneck(x, conv, f"bottleneck1_{unit}", dropout=dropout / 10)
    stage_1 = x
    x, pooled_2 = _downsample(x, 128, conv, dropout, "bottleneck2_0")
    for stage in (2, 3):
        for unit, options in enumerate(CONTEXT_UNITS, start=1):
            x = _bottleneck(x, conv, f"bottleneck{stage}_{unit}", dropout=dropout, **options)
    x = _upsample(x, 64, stage_1, pooled_2, conv, "bottleneck4_0")
    for unit in (1, 2):
        x = _bottleneck(x, conv, f"bottleneck4_{unit}", activation="relu")
    x = _upsample(x, 16, initial, pooled_1, conv, "bottleneck5_0")
    x = _bottleneck(x, conv, "bottleneck5_1", activation="relu")
    x = layers.Conv2DTranspose(
        num_classes, 2, strides=2, padding="same", name="logits", dtype="float32"
    )(x)
    return CropLike(name="logits_crop", dtype="float32")([x, inputs])


def _initial_block(x, conv):
    """Figure 2(a): [B, H, W, 3] → [B, ceil(H/2), ceil(W/2), 16]."""
    convolved = layers.Conv2D(
        13, 3, strides=2, padding="same", use_bias=False, name="initial_conv"
    )(x)
    pooled = layers.MaxPooling2D(2, padding="same", name="initial_pool")(x)
    x = layers.Concatenate(name="initial")([convolved, pooled])
    return conv.norm(x, "initial", "prelu")


def _bottleneck(
    x, conv, name, rate: int = 1, asymmetric: int = 0, activation: str = "prelu", dropout: float = 0
):
    """Figure 2(b): keeps the shape; `asymmetric` n has n×1 and 1×n in the 3×3's place."""
    width = x.shape[-1]
    branch = conv.pointwise(x, width // 4, f"{name}_reduce", activation)
    if asymmetric:
        branch = layers.Conv2D(
            width // 4, (asymmetric, 1), padding="same", use_bias=False, name=f"{name}_conv_rows"
        )(branch)
        kernel_size = (1, asymmetric)
    else:
        kernel_size = 3
    branch = conv.conv(
        branch, width // 4, kernel_size, f"{name}_conv", rate=rate, activation=activation
    )
    return _expand_and_add(x, branch, width, conv, activation, dropout, name)


def _downsample(x, width: int, conv, dropout: float, name: str):
    """Bottleneck at half the size: [B, h, w, C] → ([B, ceil(h/2), ceil(w/2), width], maxima)."""
    branch = conv.conv(x, width // 4, 2, f"{name}_reduce", stride=2, activation="prelu")
    branch = conv.conv(branch, width // 4, 3, f"{name}_conv", activation="prelu")
    pooled = layers.MaxPooling2D(2, padding="same", name=f"{name}_pool")(x)
    shortcut = PadChannels(width, name=f"{name}_pad")(pooled)
    return _expand_and_add(shortcut, branch, width, conv, "prelu", dropout, name), pooled


def _upsample(x, width: int, source, pooled, conv, name: str):
    """Bottleneck at the size of `source`, whose maxima are `pooled`, and with their positions."""
    branch = conv.pointwise(x, width // 4, f"{name}_reduce")
    branch = layers.Conv2DTranspose(
        width // 4, 3, strides=2, padding="same", use_bias=False, name=f"{name}_conv"
    )(branch)
    branch = CropLike(name=f"{name}_crop")([branch, source])
    branch = conv.norm(branch, f"{name}_conv", "relu")
    shortcut = conv.pointwise(x, width, f"{name}_shortcut", activation=None)
    shortcut = MaxUnpooling2D(name=f"{name}_unpool")([shortcut, source, pooled])
    return _expand_and_add(shortcut, branch, width, conv, "relu", 0, name)


def _expand_and_add(shortcut, branch, width: int, conv, activation: str, dropout: float, name: str):
    branch = conv.pointwise(branch, width, f"{name}_expand", activation=None)
    if dropout:
        branch = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(branch)
    x = layers.Add(name=f"{name}_add")([shortcut, branch])
    if activation == "prelu":
        return layers.PReLU(shared_axes=(1, 2), name=f"{name}_output")(x)
    return layers.Activation(activation, name=f"{name}_output")(x)


@keras.saving.register_keras_serializable("shuffleseg")
class PadChannels(layers.Layer):
    """Zeros behind the last channel: [B, H, W, C ≤ width] → [B, H, W, width]."""

    def __init__(self, width: int, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def call(self, x):
        return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, self.width - x.shape[-1])))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)

    def get_config(self):
        return {**super().get_config(), "width": self.width}
