"""What a camera and the weather do to a picture, one function for each effect.

Every function takes uint8 [H, W, 3] RGB of any size and returns a new image of the same shape and
type, or the image itself where the strength says "no change". Pixels keep their places, so labels
stay true. Strengths are plain numbers: training draws them at random, evaluation fixes them.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_MID_GREY = 127.5
_VALUES = np.arange(256)


def channel_gains(image: np.ndarray, red: float, green: float, blue: float) -> np.ndarray:
    """White balance: factors of the three colours; red above 1 and blue below is warmer light."""
    return _map_values(image, _VALUES[:, None] * (red, green, blue))


def exposure(image: np.ndarray, gamma: float, gain: float = 1.0) -> np.ndarray:
    """255 · gain · (value / 255)^gamma: gamma above 1 and gain below 1 are darker."""
    return _map_values(image, 255 * gain * (_VALUES / 255) ** gamma)


def linear(image: np.ndarray, factor: float, shift: float = 0.0) -> np.ndarray:
    """factor · value + shift, the shift in grey levels."""
    return _map_values(image, factor * _VALUES + shift)


def contrast(image: np.ndarray, factor: float, shift: float = 0.0) -> np.ndarray:
    """`linear` around mid-grey, 127.5, which only `shift` moves."""
    return linear(image, factor, _MID_GREY * (1 - factor) + shift)


def saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Distance of each colour from its own grey (BT.601) times a factor; 0 leaves grey."""
    colours = factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1))
    return cv2.transform(image, colours)


def fog(
    image: np.ndarray, density: float, light: float = 230.0, relative: np.ndarray | None = None
) -> np.ndarray:
    """A veil of light between the scene and the camera.

    Args:
        image: uint8 [H, W, 3], RGB.
        density: share, 0 to 1, that the veil has of each pixel.
        light: the veil's grey level.
        relative: float [h, w] of any smaller size, 0 to 1: density at these places, spread over
            the image, as a share of `density`; the same everywhere where None.
    """
    if relative is None:
        return linear(image, 1 - density, density * light)
    veil = cv2.resize(
        np.float32(density * relative), image.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )
    seen, added = (cv2.merge([_to_bytes(part)] * 3) for part in (255 * (1 - veil), light * veil))
    return cv2.add(cv2.multiply(image, seen, scale=1 / 255), added)


def gaussian_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """A sensor's noise of standard deviation `sigma` grey levels, in each colour by itself."""
    # Looked up among 65,536 quantiles, which takes a quarter of the time of drawing normals.
    levels = np.rint(sigma * _normal_quantiles()).astype(np.int16)
    noise = levels.take(rng.integers(0, 1 << 16, image.shape, np.uint16))
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def motion_blur(image: np.ndarray, length: float, angle: float = 0.0) -> np.ndarray:
    """Mean along a line, as of a camera that moves while the shutter is open.

    Args:
        image: uint8 [H, W, 3], RGB.
        length: of the line in pixels; 1 changes nothing.
        angle: of the line in degrees, 0 along the rows, 90 along the columns.
    """
    if length <= 1:
        return image
    return _filter(image, _line(length, angle))


def defocus_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of standard deviation `sigma` pixels; 0 changes nothing."""
    if sigma <= 0:
        return image
    return cv2.GaussianBlur(image, (0, 0), sigma)


def disc_blur(image: np.ndarray, radius: float) -> np.ndarray:
    """Mean over a disc, the image of a point out of focus; `radius` in pixels, 0 changes nothing.

    Its standard deviation in each direction is half of the radius.
    """
    if radius <= 0:
        return image
    return _filter(image, _disc(radius))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file of that quality, 1 to 100."""
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, int(quality))
    )
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def resample(
    image: np.ndarray, factor: float, down: int = cv2.INTER_AREA, up: int = cv2.INTER_LINEAR
) -> np.ndarray:
    """Made smaller by `factor` and enlarged again, by OpenCV's interpolations `down` and `up`."""
    height, width = image.shape[:2]
    small = max(round(width / factor), 1), max(round(height / factor), 1)
    if small == (width, height):
        return image
    return cv2.resize(
        cv2.resize(image, small, interpolation=down), (width, height), interpolation=up
    )


def _map_values(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each value looked up in float [256] or, by colour, [256, 3]."""
    return cv2.LUT(image, _to_bytes(values).reshape(1, 256, -1))


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _filter(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def _line(length: float, angle: float) -> np.ndarray:
    """float32 kernel: points of equal weight, at most a pixel apart, each shared by 4 pixels."""
    ends = (length - 1) / 2
    along = np.linspace(-ends, ends, int(np.ceil(length)))
    # Rounded, since the cosine of 90° is not quite 0.
    x, y = (np.round(along * f(np.deg2rad(angle)), 6) for f in (np.cos, np.sin))
    half_width, half_height = (int(np.ceil(np.abs(offsets).max())) for offsets in (x, y))
    columns, rows = np.arange(-half_width, half_width + 1), np.arange(-half_height, half_height + 1)
    near_x = np.maximum(1 - np.abs(columns[:, None] - x), 0)
    near_y = np.maximum(1 - np.abs(rows[:, None] - y), 0)
    return np.float32(near_y @ near_x.T / len(along))


def _disc(radius: float) -> np.ndarray:
    """float32 kernel, with a soft edge a pixel wide."""
    half = int(np.ceil(radius))
    offsets = np.arange(-half, half + 1)
    inside = np.clip(radius + 0.5 - np.hypot(offsets[:, None], offsets), 0, 1)
    return np.float32(inside / inside.sum())


@lru_cache(maxsize=1)
def _normal_quantiles() -> np.ndarray:
    """float32 [65536]: what as many normal numbers are, in order, at an even spacing."""
    upper = [NormalDist().inv_cdf(0.5 + (rank + 0.5) / (1 << 16)) for rank in range(1 << 15)]
    return np.float32([-value for value in reversed(upper)] + upper)
