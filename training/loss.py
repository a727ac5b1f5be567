"""The losses that a recipe can name."""

from __future__ import annotations

from .cross_entropy import PixelCrossEntropy
from .lovasz import CrossEntropyLovasz, LovaszSoftmax
from .ohem import OhemCrossEntropy

#: A recipe's `optimization.loss` → class, made with the arguments of `PixelLoss`.
LOSSES = {
    "cross_entropy": PixelCrossEntropy,
    "ohem": OhemCrossEntropy,
    "lovasz": LovaszSoftmax,
    "cross_entropy_lovasz": CrossEntropyLovasz,
}
