"""Noise of few photons, of broken pixels, and in proportion to the light."""

from __future__ import annotations

import numpy as np

from .values import to_bytes


def shot_noise(image: np.ndarray, photons: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson noise of a white pixel's mean number of photons, in each channel."""
    counts = rng.poisson(image * np.float32(photons / 255))
    return to_bytes(counts * np.float32(255 / photons))


def impulse_noise(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Salt and pepper: half of the share of all values becomes 0, the other half 255."""
    chance = rng.random(image.shape, np.float32)
    changed = np.where(chance < share / 2, np.uint8(0), image)
    changed[chance > 1 - share / 2] = 255
    return changed


def speckle_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Each value times 1 + a normal number of this deviation."""
    factors = rng.standard_normal(image.shape, np.float32)
    factors *= np.float32(sigma)
    factors += 1
    return to_bytes(image * factors)
