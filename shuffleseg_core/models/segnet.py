"""SegNet: VGG-16's convolutions, and their mirror image with max unpooling for max pooling.

Badrinarayanan, Kendall & Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture for
Image Segmentation" (arXiv:1511.00561), figure 2.

What the paper leaves open is as in the authors' implementation
(github.com/alexgkendall/SegNet-Tutorial, Models/segnet_train.prototxt): the last convolution of a
decoder stage has the width of the stage below, and the classifier is the 3×3 convolution in the
place of the mirrored first one.

Deviations: convolutions before a batch norm have no bias (theirs have; batch norm takes it out
again). The encoder starts from random weights, not from VGG-16's, and the image is scaled instead
of its local contrast being normalized.

Costs: 29.46 M parameters, and 286.03 GFLOPs at 640×360 (Paszke et al., arXiv:1606.02147): twice
the multiply-adds plus one for each bias and ReLU, of 20 classes, where pooling rounds 45 rows down
to 22. Here it rounds up to 23, as in the authors' Caffe: 143.3 GMAC for 19 classes.

The paper trains without auxiliary classifiers; "decoder4_unpool" or "decoder3_unpool" are
coarse features that one could take.
"""

from __future__ import annotations

from .blocks import ConvNormAct
from .engine import layers
from .max_unpooling import MaxUnpooling2D

#: (channels, convolutions) of the encoder's stages.
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def segnet(inputs, num_classes: int, batch_norm_momentum: float = 0.99):
    """SegNet up to the logits.

    Args:
        inputs: [B, H, W, 3] image in [-1, 1].
        num_classes: depth of the logits.
        batch_norm_momentum: of all batch norms.

    Returns:
        Float logits [B, H, W, num_classes].
    """
    conv = ConvNormAct(batch_norm_momentum, 1e-3)
    x = inputs
    pools = []
    for stage, (width, count) in enumerate(STAGES, start=1):
        for unit in range(1, count + 1):
            x = conv.conv(x, width, 3, f"encoder{stage}_conv{unit}")
        source = x
        x = layers.MaxPooling2D(2, padding="same", name=f"encoder{stage}_pool")(source)
        pools.append((source, x))
    for stage in range(len(STAGES), 0, -1):
        width, count = STAGES[stage - 1]
        source, pooled = pools[stage - 1]
        x = MaxUnpooling2D(name=f"decoder{stage}_unpool")([x, source, pooled])
        for unit in range(count, 1, -1):
            x = conv.conv(x, width, 3, f"decoder{stage}_conv{unit}")
        if stage > 1:
            x = conv.conv(x, STAGES[stage - 2][0], 3, f"decoder{stage}_conv1")
    return layers.Conv2D(num_classes, 3, padding="same", name="logits", dtype="float32")(x)
