"""Cross-entropy over labelled pixels."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from .replicas import replica_mean


class PixelLoss(keras.losses.Loss):
    """A loss over the pixels that carry a class, computed in float32 whatever the logits are.

    Args:
        num_classes: ids from here on are "unlabelled" and do not count, `ignore_id` neither.
        ignore_id: may also be an id below `num_classes`, or None.
        class_weights: float [num_classes], or None for equal weights. Losses do not depend on
            the weights' scale.
        label_smoothing: share of a pixel's truth that is spread evenly over all classes, where a
            cross-entropy is part of the loss (Szegedy et al., arXiv:1512.00567, section 7).

    Call with integer [B, H, W] truth, ids 0 to 255, and float [B, H, W, C] logits; gives a
    scalar. JAX gives that of the whole batch. Under tf.distribute each replica gets a value of
    its own, whose mean over the replicas is the whole batch's (but see `OhemCrossEntropy` and
    `LovaszSoftmax`). Keras's own `fit` does not take that mean, since it divides only losses
    that it averages itself; whoever sums the replicas' gradients divides.
    """

    def __init__(self, num_classes, ignore_id=None, class_weights=None, label_smoothing=0.0):
        super().__init__(reduction=None, dtype="float32")
        weights = np.ones(num_classes) if class_weights is None else np.asarray(class_weights)
        table = np.zeros(256, np.float32)
        table[:num_classes] = weights
        if ignore_id is not None:
            table[ignore_id] = 0
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing
        self.pixel_weights = table

    def call(self, y_true, y_pred):
        y_true = ops.cast(y_true, "int32")
        weights = ops.take(ops.convert_to_tensor(self.pixel_weights, self.dtype), y_true)
        # Any class does for pixels of no class: their weight is 0.
        return self.value(ops.minimum(y_true, self.num_classes - 1), weights, y_pred)

    def entropies(self, target, logits):
        """float32 [B, H, W]: each pixel's cross-entropy with its smoothed truth."""
        entropies = cross_entropy(target, logits)
        if not self.label_smoothing:
            return entropies
        uniform = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        return (1 - self.label_smoothing) * entropies + self.label_smoothing * uniform

    def value(self, target, weights, logits):
        """The scalar.

        Args:
            target: int32 [B, H, W], each a class.
            weights: float32 [B, H, W], the weight of each pixel's class; 0 does not count.
            logits: float32 [B, H, W, C].
        """
        raise NotImplementedError


class PixelCrossEntropy(PixelLoss):
    """Softmax cross-entropy, averaged over the pixels that carry a class.

    The average is weighted by the weights of the pixels' classes. Arguments as for `PixelLoss`.
    """

    def value(self, target, weights, logits):
        return weighted_mean(self.entropies(target, logits), weights)


def cross_entropy(target, logits):
    """float32 [B, H, W]: each pixel's cross-entropy."""
    return keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)


def weighted_mean(values, weights):
    """Σ weights · values / Σ weights over all replicas (see `PixelLoss`); 0 where all weigh 0."""
    total = replica_mean(ops.sum(weights))
    return ops.sum(values * weights) / ops.maximum(total, 1e-6)
