"""From images to logits by any of the architectures."""

from __future__ import annotations

from ..errors import UserError
from .architectures import ARCHITECTURES
from .blocks import ResizeLike
from .engine import keras, layers


def build_model(
    architecture: str,
    num_classes: int,
    input_size: tuple[int, int] | None = None,
    upsample: bool = True,
    **options,
):
    """Build a network by name.

    Args:
        architecture: a key of `ARCHITECTURES`.
        num_classes: depth of the logits.
        input_size: (width, height) in pixels, or None for any size.
        upsample: end with logits at the image's size; False ends where the network classifies.
        **options: keyword arguments of the architecture's function, as output_stride where it has
            one. `align_corners`, the convention of the bilinear resizes, all take; see
            `ResizeLike`.

    Returns:
        A `keras.Model` from images [B, H, W, 3], values 0–255, to float logits
        [B, H, W, num_classes], or [B, h, w, num_classes] without `upsample`. Equation 1
        (x · 2/255 − 1) is its first layer; the logits before the last resize are the output of
        the layer named "logits".

    Raises:
        UserError: the name or an option is not known, or a value is out of range.
    """
    if architecture not in ARCHITECTURES:
        raise UserError(
            f"architecture {architecture!r} is not known; choose from {', '.join(ARCHITECTURES)}"
        )
    chosen = ARCHITECTURES[architecture]
    known = sorted({*chosen.defaults, "align_corners"})
    for name in options:
        if name not in known:
            raise UserError(f"{architecture} has no option {name!r}; it has {', '.join(known)}")
    given = {name: value for name, value in options.items() if name in chosen.defaults}
    width, height = input_size or (None, None)
    image = keras.Input((height, width, 3), name="image")
    x = layers.Rescaling(2.0 / 255.0, offset=-1.0, name="preprocessing")(image)
    try:
        x = chosen.network(x, num_classes, **given)
    except (TypeError, ValueError) as error:
        raise UserError(f"{architecture}: {error}") from error
    if upsample:
        align_corners = options.get("align_corners", False)
        x = ResizeLike(align_corners, name="upsample", dtype="float32")([x, image])
    return keras.Model(image, x, name=architecture)
