"""SkipNet's decoder: FCN-8s in the space of the classes.

Siam et al., "RTSeg: Real-time Semantic Segmentation Comparative Study" (arXiv:1803.02758), section
2.1; Long et al., "Fully Convolutional Networks for Semantic Segmentation" (arXiv:1411.4038).
"""

from __future__ import annotations

import numpy as np

from ..blocks import ConvNormAct, CropLike
from ..engine import keras, layers


@keras.saving.register_keras_serializable("shuffleseg")
def bilinear_kernel(shape, dtype=None):
    """Weights with which a transposed convolution of stride size/2 is a bilinear upsampling.

    Args:
        shape: [size, size, outputs, inputs]; channel i of the input becomes that of the output.
    """
    rows, columns, outputs, inputs = shape
    hats = [1 - np.abs((np.arange(size) - (size - 1) / 2) / (size / 2)) for size in (rows, columns)]
    kernel = np.outer(*hats)[:, :, None, None] * np.eye(outputs, inputs)
    return keras.ops.convert_to_tensor(kernel, dtype)


def skip_decoder(deep, middle, fine, image, num_classes: int, batch_norm_momentum: float = 0.99):
    """Scores at three strides, the coarser ones enlarged by learned transposed convolutions.

    These start as bilinear upsampling. Where one of them makes more rows or columns than there
    are in what it is added to, it is cropped in the middle; this aligns as TensorFlow's transposed
    convolution to a given size does.

    Args:
        deep: [B, ceil(H / 32), ceil(W / 32), any], likewise `middle` at 16 and `fine` at 8.
        image: [B, H, W, any].
        num_classes: depth of the scores.
        batch_norm_momentum: of the batch norms that all but the first score layer and the last
            upsampling have (no activation follows).

    Returns:
        Float32 logits [B, H, W, num_classes]; those of the layer "logits" itself are up to 7 rows
        and columns larger.
    """
    conv = ConvNormAct(batch_norm_momentum)
    x = layers.Conv2D(num_classes, 1, name="score32")(deep)
    for stride, features in ((16, middle), (8, fine)):
        score = conv.pointwise(features, num_classes, f"score{stride}", activation=None)
        x = layers.Conv2DTranspose(
            num_classes,
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=bilinear_kernel,
            name=f"upscore{stride}",
        )(x)
        x = conv.norm(x, f"upscore{stride}")
        x = CropLike(name=f"upscore{stride}_crop")([x, score])
        x = layers.Add(name=f"fuse{stride}")([score, x])
    x = layers.Conv2DTranspose(
        num_classes,
        16,
        strides=8,
        padding="same",
        kernel_initializer=bilinear_kernel,
        name="logits",
        dtype="float32",
    )(x)
    return CropLike(name="logits_crop", dtype="float32")([x, image])
