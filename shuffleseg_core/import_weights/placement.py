"""Putting a file's weights into a model, with an account of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..models.shufflenet_v2 import unit_variant_of
from .layer_weights import BACKBONE, CLASSIFIER, LayerWeights, network_options


@dataclass(frozen=True)
class PlacementReport:
    """Where a file's weights went.

    Attributes:
        source: the file and what it is.
        placed: layers of the model that now have the file's weights.
        dropped: layers of the file that were left out on purpose, each with the reason.
        fresh: layers of the model that keep their initial weights.
        unused: parts of the file that our networks have no place for.
        origin, folded_norms: see `LayerWeights`.
    """

    source: str
    placed: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    origin: str | None = None
    folded_norms: bool = False

    @property
    def backbone_alone(self) -> bool:
        """Whether the head kept its initial weights."""
        return any(layer != CLASSIFIER for layer in self.fresh)

    def __str__(self) -> str:
        """One line for the user."""
        parts = [f"{self.source}: {len(self.placed)} layers placed"]
        fresh = ["head"] if self.backbone_alone else []
        if CLASSIFIER in self.fresh:
            reason = self.dropped.get(CLASSIFIER)
            fresh.append(f"classifier ({reason})" if reason else "classifier")
        if fresh:
            parts.append(f"fresh: {', '.join(fresh)}")
        if self.unused:
            parts.append(f"in the file but not used: {', '.join(self.unused)}")
        return "; ".join(parts)


def place(model, weights: LayerWeights, path, classes: Sequence[str] | None) -> PlacementReport:
    """Fill a model; it stays as it was where this raises.

    Every layer of the backbone gets weights, every layer of the file is placed. A head is filled
    whole, or stays fresh where the file has none. The classifier is dropped where its classes are
    not the wanted ones.

    Args:
        model: a built Keras model of this package.
        weights: what the file holds.
        path: the file, for messages.
        classes: names of the model's classes, in order; None keeps a classifier of the same size.

    Raises:
        UserError: the file's network is another one.
    """
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    shapes, theirs = _shapes(model), weights.shapes
    _compare_options(
        {**network_options(shapes), "unit_variant": unit_variant_of(model)},
        {**network_options(theirs), "unit_variant": weights.unit_variant},
        path,
    )
    dropped = _dropped_classifier(shapes, theirs, weights.classes, classes)
    has_head = any(not name.startswith(BACKBONE) for name in theirs)
    wanted = [name for name in ours if has_head or name.startswith(BACKBONE)]
    for name in wanted:
        if name not in theirs:
            raise UserError(f"{path}: layer {name} is missing; give weights of the whole network")
    for name in theirs:
        if name not in ours:
            raise UserError(
                f"{path}: layer {name} is not one of {model.name}; give weights of that network"
            )
        if name not in dropped and shapes[name] != theirs[name]:
            raise UserError(
                f"{path}: layer {name} has weights {_words(theirs[name])}, the model needs "
                f"{_words(shapes[name])}; give weights of the model's own architecture"
            )
    placed = tuple(name for name in wanted if name not in dropped)
    for name in placed:
        if not all(np.isfinite(array).all() for array in weights.layers[name]):
            raise UserError(f"{path}: layer {name} has weights that are not finite numbers")
    for name in placed:
        ours[name].set_weights(weights.layers[name])
    return PlacementReport(
        f"{weights.description} of {path.name}",
        placed,
        dropped,
        tuple(name for name in ours if name not in placed),
        weights.unused,
        weights.origin,
        weights.folded_norms,
    )


def head_fits(model, weights: LayerWeights) -> bool:
    """Whether the file's head is the model's, by names and shapes of the layers before logits."""
    ours, theirs = (
        {
            name: of
            for name, of in shapes.items()
            if name != CLASSIFIER and not name.startswith(BACKBONE)
        }
        for shapes in (_shapes(model), weights.shapes)
    )
    return ours == theirs


def _shapes(model) -> dict[str, list[tuple[int, ...]]]:
    return {
        layer.name: [tuple(weight.shape) for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }


def _compare_options(ours: dict, theirs: dict, path) -> None:
    """Name the option that makes the model the file's network."""
    for name, value in ours.items():
        other = theirs.get(name)
        if None not in (value, other) and other != value:
            raise UserError(
                f"{path}: weights of {name} {other}, but the model has {name} {value}; "
                f"set model.{name} to {other}, or give other weights"
                + (", or take the backbone alone by --backbone-only" if name == "head" else "")
            )


def _dropped_classifier(shapes, theirs, their_classes, classes) -> dict[str, str]:
    if CLASSIFIER not in theirs:
        return {}
    (ours,), count = shapes[CLASSIFIER][1], theirs[CLASSIFIER][1]
    if len(count) == 1 and count[0] != ours:
        return {CLASSIFIER: f"{count[0]} classes in the file, {ours} in the model"}
    if classes is not None and their_classes is None:
        return {CLASSIFIER: "the file does not name its classes"}
    if classes is not None and tuple(classes) != tuple(their_classes):
        return {CLASSIFIER: "the file has other classes"}
    return {}


def _words(shapes) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in shapes)
