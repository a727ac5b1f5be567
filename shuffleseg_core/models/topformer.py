"""TopFormer-Tiny: convolutions' features of all strides, told by a transformer what is where.

Zhang et al., "TopFormer: Token Pyramid Transformer for Mobile Semantic Segmentation"
(arXiv:2204.05525). Widths and what the paper leaves open are as in the authors' code
(hustvl/TopFormer, local_configs/topformer/topformer_tiny_1024x512_80k_2x8_city.py; their
configuration for ADE20K differs in one layer, a head whose 1×1 convolution is depthwise).

Deviations:
- The token pyramid is pooled in windows of 64 image pixels with 'same' padding; the authors' code
  fits the windows to the image. For sides divisible by 64 that is the same.
- 'same' padding is TensorFlow's: where a stride meets an even size, zeros pad the far side alone.
- Dropout before the classifier takes single values (theirs whole channels), the batch norms behind
  the attention start with a scale of 1 (theirs with 0), and the image is in [-1, 1] instead of
  normalized by ImageNet's statistics.
"""

from __future__ import annotations

from .attention import Attention, ChannelSlice
from .blocks import ConvNormAct, ResizeLike, check_shares
from .engine import layers
from .inverted_residual import inverted_residual
from .transformer_parts import convolutional_mlp, drop_path

STEM_WIDTH = 16
#: Units of (kernel, expansion, channels, stride) of each stage: strides 2, 4, 8, 16 and 32.
STAGES = (
    ((3, 1, 16, 1),),
    ((3, 4, 16, 2), (3, 3, 16, 1)),
    ((5, 3, 32, 2), (5, 3, 32, 1)),
    ((3, 3, 64, 2), (3, 3, 64, 1)),
    ((5, 6, 96, 2), (5, 6, 96, 1)),
)
TOKEN_STRIDE = 64
BLOCKS = 4
HEADS = 4
KEY_DEPTH = 16
VALUE_DEPTH = 32
MLP_RATIO = 2
HEAD_WIDTH = 128


def topformer_tiny(
    inputs,
    num_classes: int,
    dropout: float = 0.1,
    drop_path: float = 0.1,
    align_corners: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """TopFormer-T, up to the logits.

    Layers of use to an auxiliary head (the paper has none): `stage4_unit2_add` (stride 16),
    `injection8` (stride 8, with semantics).

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        dropout: share of the features before the classifier dropped while training.
        drop_path: share of images for which the last transformer block's two branches are left
            out while training; fewer in the blocks before, none in the first.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        batch_norm_momentum: of every batch norm (the authors' is 0.9).

    Returns:
        Float logits [B, ceil(H / 8), ceil(W / 8), num_classes].

    Raises:
        ValueError: an argument is out of its range.
    """
    check_shares(dropout=dropout, drop_path=drop_path)
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    pyramid = _token_pyramid(inputs, conv)
    tokens = layers.Concatenate(name="tokens")(
        [
            layers.AveragePooling2D(
                TOKEN_STRIDE // stride, padding="same", name=f"tokens_pool{stride}"
            )(features)
            for stride, features in pyramid.items()
        ]
    )
    for block in range(BLOCKS):
        tokens = _transformer_block(
            tokens, conv, drop_path * block / (BLOCKS - 1), f"block{block + 1}"
        )
    start = 0
    injected = []
    for stride, features in pyramid.items():
        stop = start + features.shape[-1]
        if stride > 4:
            semantics = ChannelSlice(start, stop, name=f"semantics{stride}")(tokens)
            injected.append(_inject(features, semantics, conv, align_corners, f"injection{stride}"))
        start = stop
    x = injected[0]
    for stride, features in zip((16, 32), injected[1:]):
        features = ResizeLike(align_corners, name=f"head_upsample{stride}")([features, x])
        x = layers.Add(name=f"head_add{stride}")([x, features])
    x = conv.pointwise(x, HEAD_WIDTH, name="head_conv1x1")
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def _token_pyramid(inputs, conv) -> dict:
    """Stride → features of it, from 4 on."""
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem")
    pyramid = {}
    for stage, units in enumerate(STAGES, start=1):
        for unit, (kernel_size, expansion, width, stride) in enumerate(units, start=1):
            x = inverted_residual(
                x,
                expansion * x.shape[-1],
                width,
                conv,
                f"stage{stage}_unit{unit}",
                kernel_size=kernel_size,
                stride=stride,
            ).output
        if stage > 1:
            pyramid[2**stage] = x
    return pyramid


def _transformer_block(x, conv, drop_rate: float, name: str):
    """Attention, then two 1×1 with a depthwise 3×3 between them, both with shortcuts.

    Without positions, as the depthwise convolution tells them, and with batch norm for layer norm.
    The products of queries and keys are not scaled: that, too, is left to the batch norms.
    """
    depth = x.shape[-1]
    branch = Attention(HEADS, name=f"{name}_attention")(
        [
            conv.pointwise(x, HEADS * KEY_DEPTH, name=f"{name}_queries", activation=None),
            conv.pointwise(x, HEADS * KEY_DEPTH, name=f"{name}_keys", activation=None),
            conv.pointwise(x, HEADS * VALUE_DEPTH, name=f"{name}_values", activation=None),
        ]
    )
    branch = layers.Activation("relu6", name=f"{name}_attention_activation")(branch)
    branch = conv.pointwise(branch, depth, name=f"{name}_attention_project", activation=None)
    branch = drop_path(branch, drop_rate, f"{name}_attention_drop_path")
    x = layers.Add(name=f"{name}_attention_add")([x, branch])
    branch = convolutional_mlp(x, MLP_RATIO, conv, f"{name}_mlp")
    branch = drop_path(branch, drop_rate, f"{name}_mlp_drop_path")
    return layers.Add(name=f"{name}_mlp_add")([x, branch])


def _inject(features, semantics, conv, align_corners: bool, name: str):
    """Semantics injection: scale the features by what is there, and add it."""
    x = conv.pointwise(features, HEAD_WIDTH, name=f"{name}_local", activation=None)
    gate = conv.pointwise(semantics, HEAD_WIDTH, name=f"{name}_gate", activation=None)
    gate = layers.Activation("hard_sigmoid", name=f"{name}_gate_activation")(gate)
    gate = ResizeLike(align_corners, name=f"{name}_gate_upsample")([gate, x])
    semantics = conv.pointwise(semantics, HEAD_WIDTH, name=f"{name}_global", activation=None)
    semantics = ResizeLike(align_corners, name=f"{name}_global_upsample")([semantics, x])
    x = layers.Multiply(name=f"{name}_scaled")([x, gate])
    return layers.Add(name=name)([x, semantics])
