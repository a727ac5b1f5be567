"""MobileNet (v1) feature extractor.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"
(arXiv:1704.04861), table 1 up to the last separable convolution. Activations are ReLU6, as in
the authors' implementation and SkipNet's; the paper says ReLU.
"""

from __future__ import annotations

from ..blocks import ConvNormAct

STEM_WIDTH = 32
#: (channels, stride) of each depthwise separable convolution.
UNITS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    # The paper's table gives this one a stride, but the input size of one without.
    (1024, 1),
)


def mobilenet_v1_backbone(inputs, batch_norm_momentum: float = 0.99):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        batch_norm_momentum: of every batch norm here.

    Returns:
        The features behind the stem and each of `UNITS`, 14 in all: strides 2, 2, 4, 4, 8, 8,
        16 (6 times), 32, 32. Those of unit u are the output of `unit<u>_pointwise_activation`.
    """
    conv = ConvNormAct(batch_norm_momentum)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem", activation="relu6")
    features = [x]
    for unit, (width, stride) in enumerate(UNITS, start=1):
        x = conv.depthwise(x, f"unit{unit}_depthwise", stride=stride, activation="relu6")
        x = conv.pointwise(x, width, f"unit{unit}_pointwise", activation="relu6")
        features.append(x)
    return features
