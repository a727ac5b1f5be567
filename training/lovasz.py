"""Lovász-Softmax: a loss that follows the IoU itself."""

from __future__ import annotations

from keras import ops

from .cross_entropy import PixelLoss, weighted_mean


class LovaszSoftmax(PixelLoss):
    """Lovász-Softmax (Berman et al., arXiv:1705.08790, section 3.2).

    The mean over the classes present in the batch of a convex surrogate of 1 − IoU, over the
    batch's pixels together (not image by image): at probabilities 0 and 1 it is 1 − IoU. These are
    the authors' defaults. `class_weights` weight the classes in the mean.

    From random weights it trains poorly alone; start from a network that cross-entropy trained,
    or see `CrossEntropyLovasz`. It sorts all pixels once a class: quick on a GPU, but seconds an
    image of 769×769 and 19 classes on a CPU core.

    Under tf.distribute the IoU is of each replica's own pixels.

    Args:
        num_classes, ignore_id, class_weights: see `PixelLoss`.
    """

    def value(self, target, weights, logits):
        counted = ops.reshape(weights, (1, -1)) > 0
        classes = ops.arange(self.num_classes, dtype="int32")
        mine = counted & (ops.reshape(target, (1, -1)) == ops.expand_dims(classes, -1))
        probabilities = ops.softmax(ops.reshape(logits, (-1, self.num_classes)), axis=-1)
        # [C, N]: sums along the last axis are the precise ones.
        errors = ops.abs(ops.cast(mine, "float32") - ops.transpose(probabilities))
        keys = ops.stop_gradient(ops.where(counted, errors, -1.0))  # the uncounted come last
        # Class by class: one sort's worth of memory at a time.
        slopes = ops.stack([_slopes(keys[c], mine[c]) for c in range(self.num_classes)])
        class_losses = ops.sum(ops.where(counted, errors, 0.0) * slopes, axis=-1)
        class_weights = ops.convert_to_tensor(self.pixel_weights[: self.num_classes])
        present = ops.where(ops.any(mine, axis=-1), class_weights, 0.0)
        return ops.sum(class_losses * present) / ops.maximum(ops.sum(present), 1e-6)


def _slopes(errors, mine):
    """By how much 1 − IoU of a class grows with each pixel, errors taken from the largest down.

    With G pixels of the class, and f of these and b others among the pixels up to this one, the
    authors' 1 − IoU is 1 − (G − f) / (G + b). Its growth is written out here, since differences
    of nearly equal float32 numbers would be noise for a batch of millions of pixels.

    Args:
        errors: float32 [N], without a gradient.
        mine: bool [N], whether the pixel is of the class.

    Returns:
        float32 [N].
    """
    order = ops.argsort(-errors)
    mine = ops.take(mine, order)
    others = ops.cumsum(1 - ops.cast(mine, "int32"))
    found = ops.cumsum(ops.cast(mine, "int32"))
    union = ops.cast(found[-1] + others, "float32")
    left = ops.cast(found[-1] - found, "float32")
    slopes = ops.where(
        mine, 1.0 / ops.maximum(union, 1.0), left / ops.maximum(union * (union - 1.0), 1.0)
    )
    return ops.scatter(ops.expand_dims(order, -1), slopes, ops.shape(errors))


class CrossEntropyLovasz(LovaszSoftmax):
    """The sum of cross-entropy and Lovász-Softmax, which trains from random weights too.

    Arguments as for `PixelLoss`.
    """

    def value(self, target, weights, logits):
        entropy = weighted_mean(self.entropies(target, logits), weights)
        return entropy + super().value(target, weights, logits)
