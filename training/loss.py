"""Cross-entropy over labelled pixels."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


class PixelCrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy, averaged over the pixels that carry a class.

    Args:
        num_classes: ids from here on are "unlabelled" and do not count, `ignore_id` neither.
        ignore_id: may also be an id below `num_classes`, or None.
        class_weights: float [num_classes], or None for equal weights. The average is weighted,
            so that the loss does not depend on the weights' scale.

    Call with integer [B, H, W] truth and float [B, H, W, C] logits.
    """

    def __init__(self, num_classes, ignore_id=None, class_weights=None):
        super().__init__(name="cross_entropy", reduction=None)
        weights = np.ones(num_classes) if class_weights is None else np.asarray(class_weights)
        table = np.zeros(256, np.float32)
        table[:num_classes] = weights
        if ignore_id is not None:
            table[ignore_id] = 0
        self.num_classes = num_classes
        self.pixel_weights = table

    def call(self, y_true, y_pred):
        y_true = ops.cast(y_true, "int32")
        weights = ops.take(ops.convert_to_tensor(self.pixel_weights), y_true)
        target = ops.minimum(y_true, self.num_classes - 1)
        loss = keras.losses.sparse_categorical_crossentropy(target, y_pred, from_logits=True)
        return ops.sum(loss * weights) / ops.maximum(ops.sum(weights), 1e-6)


def enet_class_weights(pixel_counts: np.ndarray) -> np.ndarray:
    """1 / ln(1.02 + share of the class), ENet's balance of rare and common classes.

    Paszke et al., arXiv:1606.02147, section 5.2.

    Args:
        pixel_counts: [C] pixels of each class in the training set.

    Returns:
        float64 [C].
    """
    return 1.0 / np.log(1.02 + pixel_counts / max(pixel_counts.sum(), 1))
