"""Daylight and the camera's picture: grading that drifts over time, noise and blur."""

import cv2
import numpy as np

MOODS = ("bright", "sunny", "shade", "dusk")


class Light:
    """The light of one drive. .sunny: shadows fall; .sun_side: the side they fall from."""

    def __init__(self, rng, width, height):
        self.mood = str(rng.choice(MOODS, p=(0.36, 0.30, 0.20, 0.14)))
        self.sunny = self.mood in ("bright", "sunny")
        self.sun_side = int(rng.choice([-1, 1]))
        base = {
            "bright": (1.0, 1.02),
            "sunny": (1.0, 1.0),
            "shade": (0.95, 1.15),
            "dusk": (0.97, 1.9),
        }[self.mood]
        self._gain = base[0] * rng.uniform(0.95, 1.04)
        self._gamma = base[1] * rng.uniform(0.94, 1.08)
        self._tint = np.array([1, 1, 1]) + rng.normal(0, 0.012, 3)
        if self.mood == "dusk":
            self._tint *= (0.95, 1.0, 1.03)
        self._phase = rng.uniform(0, 2 * np.pi, 4)
        self._drift = rng.uniform(0.03, 0.10)
        # Walls away from the sun are dim, walls in the sun are bright.
        lit, dim = {
            "bright": (1.25, 0.62),
            "sunny": (1.35, 0.58),
            "shade": (0.9, 0.85),
            "dusk": (0.8, 0.8),
        }[self.mood]
        self.side_gain = {self.sun_side: dim, -self.sun_side: lit}
        sigma = rng.uniform(1.5, 3.2) * (1.5 if self.mood == "dusk" else 1.0)
        self._blur = rng.uniform(0.38, 0.62) * max(height / 360, 0.5)
        self._size = (width, height)
        noise = rng.normal(0, sigma, (height + 64, width + 64)).astype(np.float32)
        colour = rng.normal(0, sigma * 0.4, (height + 64, width + 64, 3)).astype(np.float32)
        colour = cv2.GaussianBlur(colour, (0, 0), 0.8) * 1.6
        self._noise = np.clip(noise[..., None] + colour + 128, 0, 255).astype(np.uint8)
        self._vignette = self._make_vignette(rng.uniform(0.04, 0.16))

    def _make_vignette(self, depth):
        width, height = self._size
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        gain = 255 * (1 - depth * (x * x + y * y) / 2)
        return np.repeat(gain.astype(np.uint8)[..., None], 3, axis=2)

    def grade(self, rgb, time, index):
        """The picture that the camera would record: uint8 [H, W, 3]."""
        width, height = self._size
        p = self._phase
        slow = np.sin(0.21 * time + p[0]) + 0.5 * np.sin(0.53 * time + p[1])
        gamma = self._gamma * (1 + self._drift * slow)
        gain = self._gain * (1 + 0.3 * self._drift * np.sin(0.13 * time + p[2]))
        level = np.linspace(0, 1, 256)[:, None]
        curve = gain * level**gamma * self._tint
        lut = np.clip(np.rint(255 * curve + 3), 0, 255).astype(np.uint8)[None]
        rgb = cv2.GaussianBlur(rgb, (3, 3), self._blur)
        rgb = cv2.LUT(rgb, lut)
        rgb = cv2.multiply(rgb, self._vignette, scale=1 / 255.0)
        # Another cut of the same noise every frame.
        mixed = (index * 2654435761 + 40503) & 0xFFFFFFFF
        dx, dy = (mixed >> 8) & 63, (mixed >> 16) & 63
        return cv2.addWeighted(
            rgb, 1.0, self._noise[dy : dy + height, dx : dx + width], 1.0, -128.0
        )
