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


def fit(model, images: np.ndarray, truths: np.ndarray, ridge: float = 1e-3) -> None:
    """Blur in depthwise convolutions, take batch norms' statistics from images and fit the layer
    `logits`.

    Args:
        model: built without `upsample`.
        images: uint8 [N, H, W, 3].
        truths: uint8 [N, H, W] class ids; others than the classes' are left out.
        ridge: share of the features' mean square added on the diagonal.

    Raises:
        UserError: no truth is of a class.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D) and layer.kernel.shape[:2] == (3, 3):
            layer.kernel.assign(np.broadcast_to(_BLUR[:, :, None, None], layer.kernel.shape))
    _take_statistics(model, images)
    classifier = model.get_layer("logits")
    before = keras.Model(model.input, classifier.input)
    features = np.concatenate(
        [np.asarray(before(image[None].astype(np.float32), training=False)) for image in images]
    )
    height, width, depth = features.shape[1:]
    rows = (np.arange(height) * truths.shape[1] + truths.shape[1] // 2) // height
    columns = (np.arange(width) * truths.shape[2] + truths.shape[2] // 2) // width
    truth = truths[:, rows][:, :, columns].reshape(-1)
    classes = classifier.kernel.shape[-1]
    known = truth < classes
    if not known.any():
        raise UserError(f"the labels beside the frames have no id below {classes}")
    x = np.concatenate([features.reshape(-1, depth), np.ones((truth.size, 1))], axis=1)[known]
    y = np.eye(classes)[truth[known]]
    square = x.T @ x
    square += ridge * np.trace(square) / len(square) * np.eye(len(square))
    solution = _SCALE * np.linalg.solve(square, x.T @ y)
    classifier.kernel.assign(solution[:-1].reshape(classifier.kernel.shape))
    classifier.bias.assign(solution[-1])


def _take_statistics(model, images: np.ndarray) -> None:
    norms = [layer for layer in model.layers if hasattr(layer, "moving_variance")]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(images.astype(np.float32), training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
