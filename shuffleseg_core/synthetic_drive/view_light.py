"""Lights and skies beyond the drives': sun from anywhere, overcast, dusk, haze."""

from functools import lru_cache

import cv2
import numpy as np

from .classes import BUILDING, SKY, TREE
from .light import Light

#: mood: (probability, gamma, sun on walls, shade on walls, saturation of the sky's colour)
_MOODS = {
    "white": (0.42, 1.0, 1.1, 0.7, 0.1),
    "sunny": (0.26, 1.0, 1.35, 0.5, 1.0),
    "overcast": (0.16, 1.1, 0.9, 0.8, 0.15),
    "dusk": (0.16, 1.5, 0.85, 0.7, 0.3),
}


@lru_cache(maxsize=4)
def _squared_radius(width, height):
    """float32 [height, width], 1 in the corners."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    return np.float32((x * x + (y * y)[:, None]) / 2)


class ViewLight(Light):
    """The light of one view. Beyond Light: .reach, metres of road that lie in shadow; .haze."""

    def __init__(self, rng, stock, number, width, height):
        names = list(_MOODS)
        self.mood = str(rng.choice(names, p=[_MOODS[name][0] for name in names]))
        _, gamma, lit, dim, self.blue = _MOODS[self.mood]
        self.sunny = self.mood == "sunny" or (self.mood == "white" and rng.random() < 0.5)
        self.sun_side = int(rng.choice([-1, 1]))
        self.reach = rng.uniform(0, 2.4)  # lanes
        self.side_gain = {
            self.sun_side: dim * rng.uniform(0.6, 1.15),
            -self.sun_side: lit * rng.uniform(0.75, 1.2),
        }
        if rng.random() < 0.2:  # the sun ahead: both sides are in shade
            self.side_gain = dict.fromkeys((-1, 1), dim * rng.uniform(0.5, 1.1))
        self._gain = rng.uniform(0.85, 1.25)
        self._gamma = gamma * rng.uniform(0.75, 1.4)
        warm = rng.normal(0, 0.05)
        self._tint = np.array([1 + warm, 1.0, 1 - warm]) + rng.normal(0, 0.015, 3)
        self._drift, self._phase = 0.0, np.zeros(4)
        self._blur = max(rng.uniform(0.2, 0.85) * height / 360, 0.2)
        self._size = (width, height)
        self._vignette = self._make_vignette(rng.uniform(0.0, 0.25))
        self._noise = self._cut_noise(rng, stock.pick("noise", number, rng)[0])
        self.haze = max(rng.normal(0.12, 0.15), 0.0)  # share of it a hundred metres away
        self._make_sky(rng, stock, number)

    def _cut_noise(self, rng, noise):
        width, height = self._size
        noise = np.tile(noise, (-(-height // 512), -(-width // 768), 1))[:height, :width]
        share = rng.uniform(0.1, 0.7) ** 1.5
        return cv2.addWeighted(noise, share, noise, 0, 128 * (1 - share))

    def grade(self, rgb, time, index):
        level = np.linspace(0, 1, 256)[:, None]
        curve = self._gain * level**self._gamma * self._tint
        table = np.clip(np.rint(255 * curve + 3), 0, 255).astype(np.uint8)[None]
        rgb = cv2.LUT(cv2.GaussianBlur(rgb, (3, 3), self._blur), table)
        rgb = cv2.multiply(rgb, self._vignette, scale=1 / 255.0)
        return cv2.addWeighted(rgb, 1.0, self._noise, 1.0, -128.0)

    def _make_vignette(self, depth):
        gain = np.uint8(255 * (1 - depth * _squared_radius(*self._size)))
        return cv2.merge([gain, gain, gain])

    # The sky, made for one view.

    def _make_sky(self, rng, stock, number):
        white = np.float32((252, 253, 254))
        blue = np.float32((70, 120, 190)) + np.float32(rng.normal(0, 15, 3))
        grey = np.float32((150, 155, 162)) * rng.uniform(0.75, 1.3)
        if self.mood == "dusk":
            self.zenith = np.float32((96, 108, 120)) * rng.uniform(0.9, 1.9)
            self.horizon = np.float32((232, 224, 205)) * rng.uniform(0.8, 1.08)
        else:
            share = self.blue * rng.uniform(0.3, 1.0)
            base = grey if self.mood == "overcast" else white
            self.zenith = base * (1 - share) + blue * share
            self.horizon = 0.6 * white + 0.4 * self.zenith
        self._clouds = stock.pick("clouds", number, rng)[0]
        self._cloud = {
            "white": rng.uniform(0, 12),
            "sunny": rng.uniform(0, 50),
            "overcast": rng.uniform(4, 20),
            "dusk": rng.uniform(5, 24),
        }[self.mood]
        self._rng = rng

    def paint(self, canvas, view):
        """Paint the sky down to the horizon, and the far skyline on it."""
        rng, width = self._rng, view.width
        last = min(max(int(view.horizon) + 2, 1), view.height)
        up = np.clip((view.horizon - np.arange(last, dtype=np.float32)) / (0.6 * view.focal), 0, 1)
        up = up[:, None, None] ** 0.7
        row = self.horizon * (1 - up) + self.zenith * up
        tall, wide = int(rng.integers(30, 200)), int(rng.integers(120, 500))
        y, x = rng.integers(256 - tall), rng.integers(512 - wide)
        clouds = cv2.resize(self._clouds[y : y + tall, x : x + wide], (width, last))[..., None]
        if self.mood == "sunny":
            clouds = np.clip(clouds, 0, 2)
        sky = row + self._cloud * clouds * (0.4 + 0.6 * up)
        if rng.random() < 0.3:  # the sun behind thin cloud
            centre = rng.uniform(0, width), rng.uniform(-0.3, 0.8) * last
            far = (np.arange(width) - centre[0]) ** 2 + (np.arange(last)[:, None] - centre[1]) ** 2
            sky += (rng.uniform(40, 160) * np.exp(-far / (0.12 * width**2)))[..., None]
        canvas.pixels[:last, :, :3] = np.clip(sky, 0, 255)
        canvas.pixels[:last, :, 3] = SKY
        self._skyline(canvas, view, rng, last)

    def _skyline(self, canvas, view, rng, last):
        width = view.width
        degree = view.focal * np.pi / 180
        pale = rng.uniform(0.15, 0.6)  # the air before it

        def raise_line(heights, colour, class_id):
            colour = np.float32(colour) * (1 - pale) + self.horizon * pale
            top = int(max(heights.max() * degree, 0)) + 1
            first = max(last - top, 0)
            covered = np.arange(last, first, -1)[:, None] <= heights[None] * degree
            canvas.pixels[first:last][covered] = (*np.clip(colour, 0, 255).astype(int), class_id)

        def hills(low, high, ragged):
            ends = np.interp(
                np.arange(width), np.linspace(0, width, 14), rng.uniform(low, high, 14)
            )
            return ends + ragged * np.repeat(rng.random(width // 2 + 1), 2)[:width]

        raise_line(hills(0.3, rng.uniform(1, 4), 0.6), (104, 106, 98), TREE)
        for _ in range(int(rng.integers(0, 9))):
            x, wide = rng.integers(width), rng.uniform(0.5, 5) * degree
            roofs = np.zeros(width)
            roofs[x : x + int(wide)] = rng.uniform(0.8, 4.5)
            raise_line(roofs, rng.uniform(60, 200) * (1 + rng.normal(0, 0.06, 3)), BUILDING)
        raise_line(hills(0.1, rng.uniform(0.5, 2.5), 0.6), (84, 86, 74), TREE)
