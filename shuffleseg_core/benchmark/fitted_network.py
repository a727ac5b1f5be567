"""Networks that give street-like labels without a training, for measuring speed.

How long labels take depends on where classes meet in them, and random weights give noise. Random
mixtures of blurred colours are enough for masks of a street's coarseness once the classifier is
fitted to them, which is one system of linear equations.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError
from ..models.engine import keras

_SCALE = 10.0  # of the logits: any will do
_BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16
_MOST_SAMPLES = 6000  # of an image: 19 classes' coefficients need no more


def fit(
    model, images: np.ndarray, truths: np.ndarray, ridge: float = 1e-3, batch: int | None = None
) -> bool:
    """Blur in depthwise convolutions, take batch norms' statistics from images and fit the layer
    `logits`.

    A transposed convolution becomes bilinear enlarging of what is fitted as a 1×1 convolution
    would be. Any other classifier than these stays as it is.

    Args:
        model: built without `upsample`.
        images: uint8 [N, H, W, 3].
        truths: uint8 [N, H, W] class ids; others than the classes' are left out.
        ridge: share of the features' mean square added on the diagonal.
        batch: images to take statistics from at once (then their mean); None takes all, which
            a large network has no memory for.

    Returns:
        Whether the classifier could be fitted.

    Raises:
        UserError: no truth is of a class.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D) and layer.kernel.shape[:2] == (3, 3):
            layer.kernel.assign(np.broadcast_to(_BLUR[:, :, None, None], layer.kernel.shape))
    _take_statistics(model, images, batch or len(images))
    classifier = model.get_layer("logits")
    if not is_fitted(model):
        return False
    transposed = isinstance(classifier, keras.layers.Conv2DTranspose)
    window = (1, 1) if transposed else classifier.kernel.shape[:2]
    classes = classifier.filters
    before = keras.Model(model.input, classifier.input)
    samples, ids = [], []
    for image, truth in zip(images, truths):
        features = np.asarray(before(image[None].astype(np.float32), training=False))[0]
        found, at = _windows(features, window)
        height, width = features.shape[:2]
        rows = (at // width * truth.shape[0] + truth.shape[0] // 2) // height
        columns = (at % width * truth.shape[1] + truth.shape[1] // 2) // width
        samples.append(found)
        ids.append(truth[rows, columns])
    truth = np.concatenate(ids)
    known = truth < classes
    if not known.any():
        raise UserError(f"the labels beside the frames have no id below {classes}")
    x = np.concatenate(samples)[known]
    if classifier.use_bias:
        x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    y = np.eye(classes)[truth[known]]
    square = x.T @ x
    square += ridge * np.trace(square) / len(square) * np.eye(len(square))
    solution = _SCALE * np.linalg.solve(square, x.T @ y)
    if classifier.use_bias:
        classifier.bias.assign(solution[-1])
        solution = solution[:-1]
    if transposed:
        rows, columns = (
            _hat(size, stride)
            for size, stride in zip(classifier.kernel.shape[:2], classifier.strides)
        )
        kernel = np.outer(rows, columns)[:, :, None, None] * solution.T
    else:
        kernel = solution.reshape(classifier.kernel.shape)
    classifier.kernel.assign(kernel)
    return True


def is_fitted(model) -> bool:
    """Whether `fit` knows what to do with the model's classifier."""
    classifier = model.get_layer("logits")
    if isinstance(classifier, keras.layers.Conv2DTranspose):
        return True
    if not isinstance(classifier, keras.layers.Conv2D):
        return False
    if (classifier.strides, classifier.dilation_rate, classifier.groups) != ((1, 1), (1, 1), 1):
        return False
    return classifier.padding == "same" or classifier.kernel_size == (1, 1)


def _windows(features: np.ndarray, window: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """[n, rows · columns · depth] of what a convolution sees at n positions, evenly spread, and
    their numbers, counted row by row."""
    height, width, depth = features.shape
    at = np.arange(0, height * width, -(-height * width // _MOST_SAMPLES))
    before = [(size - 1) // 2 for size in window]
    padded = np.pad(features, [*((b, size - 1 - b) for b, size in zip(before, window)), (0, 0)])
    seen = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(0, 1))
    seen = seen[at // width, at % width]  # [n, depth, rows, columns]
    return np.moveaxis(seen, 1, -1).reshape(len(at), -1), at


def _hat(size: int, stride: int) -> np.ndarray:
    """Weights of a linear interpolation by a transposed convolution."""
    return np.clip(1 - np.abs(np.arange(size) - (size - 1) / 2) / stride, 0, None)


def _take_statistics(model, images: np.ndarray, batch: int) -> None:
    norms = [layer for layer in model.layers if hasattr(layer, "moving_variance")]
    momenta = [layer.momentum for layer in norms]
    for number, first in enumerate(range(0, len(images), batch)):
        for layer in norms:
            layer.momentum = number / (number + 1)  # of all so far the mean
        model(images[first : first + batch].astype(np.float32), training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
