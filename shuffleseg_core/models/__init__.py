"""Keras models by name. Importing this package needs Keras, and with it one of its backends."""

from __future__ import annotations

import inspect

from ..errors import UserError
from .heads import HEADS
from .mobilenet_v2 import mobilenet_v2_segmentation
from .shufflenet_v2 import shufflenet_v2_segmentation

#: Architecture name → function that builds it. Every function takes `num_classes`,
#: `input_size` ((width, height) or None) and `upsample`, beside options of its own.
ARCHITECTURES = {
    "shufflenet_v2": shufflenet_v2_segmentation,
    "mobilenet_v2": mobilenet_v2_segmentation,
}

__all__ = ["ARCHITECTURES", "HEADS", "build_model"]


def build_model(architecture: str, num_classes: int, **options):
    """Build a network by name.

    Args:
        architecture: a key of `ARCHITECTURES`.
        num_classes: depth of the logits.
        **options: keyword arguments of the architecture's function.

    Returns:
        A `keras.Model` from images [B, H, W, 3] (values 0–255) to logits.

    Raises:
        UserError: the name or an option is not known, or a value is out of range.
    """
    if architecture not in ARCHITECTURES:
        raise UserError(
            f"architecture {architecture!r} is not known; choose from {', '.join(ARCHITECTURES)}"
        )
    function = ARCHITECTURES[architecture]
    known = inspect.signature(function).parameters
    for name in options:
        if name not in known:
            raise UserError(
                f"{architecture} has no option {name!r}; it has {', '.join(sorted(known))}"
            )
    try:
        return function(num_classes, **options)
    except (TypeError, ValueError) as error:
        raise UserError(f"{architecture}: {error}") from error
