"""SkipNet on ShuffleNet, which is ShuffleSeg, and on MobileNet.

Siam et al., "RTSeg: Real-time Semantic Segmentation Comparative Study" (arXiv:1803.02758; as "A
Comparative Study of Real-time Semantic Segmentation for Autonomous Driving" at CVPRW 2018), and
Gamal et al., "ShuffleSeg: Real-time Semantic Segmentation Network" (arXiv:1803.03816), whose
network is the same: the authors have one model for both (MSiam/TFSegmentation,
models/fcn8s_shufflenet.py; issue 51 there says so). What the papers leave open is as in that
repository: batch norm within the decoder, the features that feed it, ReLU6 in MobileNet, and the
narrower bottleneck of ShuffleNet's down-sampling units.

Deviations from it: 'same' padding everywhere (theirs has none around ShuffleNet's first
convolution and pads evenly in its units), no biases before batch norms, one epsilon (1e-3) for all
of these, and the image in [-1, 1] as RGB instead of BGR less the data set's mean.

Counts: the published 2.0 and 6.2 GFLOPs at 640×360 are TensorFlow's profiler's, with a multiply-add
as two, biases as one, and 20 classes (the ignored one too): 2.02 and 6.17 here.
"""

from __future__ import annotations

from .mobilenet_v1 import mobilenet_v1_backbone
from .shufflenet_v1 import shufflenet_v1_backbone
from .skip_decoder import skip_decoder


def skipnet_shufflenet(
    inputs,
    num_classes: int,
    groups: int = 3,
    branch_bottleneck: bool = True,
    batch_norm_momentum: float = 0.99,
):
    """SkipNet-ShuffleNet, alias ShuffleSeg.

    `stage3_unit8_output` (stride 16) suits an auxiliary head.

    Args:
        inputs: [B, H, W, 3] tensor, values in [-1, 1].
        num_classes: depth of the logits.
        groups, branch_bottleneck: see `shufflenet_v1_backbone`. With the branch's bottleneck the
            network costs what was published; without it the backbone is that of ShuffleNet's
            authors.
        batch_norm_momentum: of every batch norm.

    Returns:
        Float32 logits [B, H, W, num_classes].

    Raises:
        ValueError: an argument is out of its range.
    """
    features = shufflenet_v1_backbone(inputs, groups, branch_bottleneck, batch_norm_momentum)
    return skip_decoder(
        features[32], features[16], features[8], inputs, num_classes, batch_norm_momentum
    )


def skipnet_mobilenet(inputs, num_classes: int, batch_norm_momentum: float = 0.99):
    """SkipNet-MobileNet.

    The decoder takes the first features at strides 8 and 16, not the deepest there are.
    `unit11_pointwise_activation` (stride 16) suits an auxiliary head.

    Args and result: as of `skipnet_shufflenet`.
    """
    units = mobilenet_v1_backbone(inputs, batch_norm_momentum)
    return skip_decoder(units[13], units[6], units[4], inputs, num_classes, batch_norm_momentum)
