"""Other light, another camera: random changes of colour and sharpness."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_GREY_AXIS = np.full(3, 1 / np.sqrt(3))
_SIGMAS = (0.3, 1.5)  # of the blur, pixels


@dataclass(frozen=True)
class Photometric:
    """Draws one change a view; 0 leaves a property as it is.

    Attributes:
        brightness: largest shift either way, as a share of the range of values.
        contrast: largest factor around mid-grey is 1 + contrast, the smallest its inverse.
        saturation: likewise, around each pixel's own grey.
        hue: largest turn of the colours around the grey axis, in degrees.
        blur_share: share of the views that are blurred, by a Gaussian of σ 0.3 to 1.5 pixels.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur_share: float = 0.0

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A changed copy of float32 [H, W, 3] RGB with values 0–255, or the image itself."""
        if self.brightness or self.contrast or self.saturation or self.hue:
            # All four are one affine map of the three colours, so one pass over the pixels.
            image = cv2.transform(image, self._draw_matrix(rng))
            np.clip(image, 0, 255, out=image)
        if self.blur_share and rng.random() < self.blur_share:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*_SIGMAS))
        return image

    def _draw_matrix(self, rng: np.random.Generator) -> np.ndarray:
        """float64 [3, 4]: colour map and offset."""
        shift = 255 * self.brightness * rng.uniform(-1, 1)
        contrast = (1 + self.contrast) ** rng.uniform(-1, 1)
        saturation = (1 + self.saturation) ** rng.uniform(-1, 1)
        angle = np.deg2rad(self.hue * rng.uniform(-1, 1))
        grey = np.tile(_LUMA, (3, 1))
        colours = contrast * _rotation(angle) @ (saturation * np.eye(3) + (1 - saturation) * grey)
        offset = np.full((3, 1), 127.5 * (1 - contrast) + shift)
        return np.hstack([colours, offset])


def _rotation(angle: float) -> np.ndarray:
    """Rodrigues' rotation around the grey axis."""
    x, y, z = _GREY_AXIS
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
