"""Tileable textures of noise."""

import cv2
import numpy as np


def smooth_noise(rng, height, width, sigma):
    """Tileable float32 noise [height, width], mean 0, deviation 1, blurred by sigma px."""
    noise = rng.standard_normal((height, width), dtype=np.float32)
    if sigma > 0:
        pad = min(int(3 * sigma) + 1, height, width)
        noise = np.pad(noise, pad, mode="wrap")
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)[pad:-pad, pad:-pad]
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)


def cloud_noise(rng, height, width, sigmas=(1.0, 4.0, 16.0)):
    """A sum of smooth noises of several sizes, the larger the stronger; deviation 1."""
    total = sum((i + 1) * smooth_noise(rng, height, width, s) for i, s in enumerate(sigmas))
    return total / total.std()


def tint(base, noise, contrast):
    """A uint8 RGB picture [H, W, 3]: a base colour whose brightness follows a noise."""
    gain = 1.0 + contrast * noise[..., None]
    base = np.asarray(base, np.float32)
    base = 0.55 * base + 0.45 * base.mean()  # what a camera records is paler than paint
    return np.clip(base * gain, 0, 255).astype(np.uint8)
