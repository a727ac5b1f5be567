"""Cross-entropy over the hard pixels: online hard example mining (OHEM)."""

from __future__ import annotations

from keras import ops

from .cross_entropy import PixelLoss, cross_entropy, weighted_mean


class OhemCrossEntropy(PixelLoss):
    """Cross-entropy of the pixels whose true class gets too low a probability.

    A pixel is hard where that probability is below `threshold`, or among the lowest
    `keep_share` of the batch's labelled pixels; the others do not count. The rule is Shrivastava
    et al.'s idea (arXiv:1604.03540) in the form that HRNet's and MMSegmentation's code share
    (`OhemCrossEntropy`, `OHEMPixelSampler`: 0.7 and at least 100,000 pixels an image, which is
    17 % of a 769×769 crop; HRNet's Cityscapes settings 0.9 and 131,072, which is 25 % of its
    crop). A share, since that means the same at any crop. As in HRNet the average is over the
    hard pixels (weighted by their classes), not over all.

    Under tf.distribute each replica looks for the lowest share among its own pixels.

    Args:
        num_classes, ignore_id, class_weights, label_smoothing: see `PixelLoss`; which pixels are
            hard does not depend on the smoothing.
        threshold: probability, 0 to 1.
        keep_share: 0 to 1.
    """

    def __init__(
        self,
        num_classes,
        ignore_id=None,
        class_weights=None,
        label_smoothing=0.0,
        threshold=0.7,
        keep_share=0.25,
    ):
        super().__init__(num_classes, ignore_id, class_weights, label_smoothing)
        self.threshold = threshold
        self.keep_share = keep_share

    def value(self, target, weights, logits):
        losses = self.entropies(target, logits)
        counted = weights > 0
        probability = ops.exp(-cross_entropy(target, logits))
        probability = ops.where(counted, probability, 2.0)  # 2: sorts behind the counted
        # Sorting all keeps shapes static, as XLA needs.
        ascending = ops.sort(ops.reshape(ops.stop_gradient(probability), (-1,)))
        num_counted = ops.sum(ops.cast(counted, "int32"))
        num_kept = ops.cast(ops.ceil(self.keep_share * ops.cast(num_counted, "float32")), "int32")
        highest_kept = ops.take(ascending, ops.maximum(num_kept - 1, 0))
        hard = (probability < self.threshold) | (probability <= highest_kept)
        return weighted_mean(losses, ops.where(hard, weights, 0.0))
