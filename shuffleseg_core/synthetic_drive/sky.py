"""The sky, and the far skyline that closes the street."""

import cv2
import numpy as np

from .classes import BUILDING, SKY, TREE
from .noise import cloud_noise

_PIXELS = 8  # sky pixels a degree
_DEGREES = 180  # seen around the heading 0; repeats beyond


class Sky:
    """Sky and skyline of one drive, as a panorama that turns with the camera."""

    def __init__(self, rng, light):
        wide, tall = _PIXELS * _DEGREES, _PIXELS * 40
        up = np.linspace(1, 0, tall, dtype=np.float32)[:, None, None]
        blue, cloud = {
            "bright": ((240, 247, 254), 0.02),
            "sunny": ((196, 224, 246), 0.03),
            "shade": ((236, 240, 243), 0.04),
            "dusk": ((214, 222, 228), 0.11),
        }[light.mood]
        haze = np.float32((254, 254, 252) if light.mood != "dusk" else (244, 240, 226))
        clouds = cloud_noise(rng, tall, wide, (8.0, 20.0, 50.0))[..., None]
        up = np.clip(up * rng.uniform(0.8, 1.5), 0, 1)
        picture = haze * (1 - up) + np.float32(blue) * up
        picture = picture + (cloud * 90) * np.maximum(clouds, -1.5)
        if light.mood == "sunny":
            picture = picture + (255 - picture) * np.clip(0.5 * clouds - 0.3, 0, 0.8)
        glow = np.linspace(-np.pi, np.pi, wide, dtype=np.float32)[None, :, None]
        glow = np.exp(-(((glow - rng.uniform(-1, 1)) / 0.5) ** 2)) * rng.uniform(0, 40)
        self._sky = np.clip(picture + glow * (1 - 0.5 * up), 0, 255).astype(np.uint8)
        self._skyline(rng, wide)

    def _skyline(self, rng, wide):
        """Paint far hills, roofs and trees into the foot of the panorama."""
        self._tall = int(5 * _PIXELS)
        self._ids = np.full((self._tall, wide), SKY, np.uint8)
        foot = self._sky[-self._tall :]
        row = np.arange(self._tall, 0, -1)[:, None]

        def raise_line(heights, colour, class_id):
            covered = row <= heights[None] * _PIXELS
            foot[covered] = colour
            self._ids[covered] = class_id

        def hills(low, high, ragged):
            ends = rng.uniform(low, high, 25)
            ends[-1] = ends[0]  # the panorama repeats
            line = np.interp(np.arange(wide), np.linspace(0, wide, 25), ends)
            return line + ragged * rng.random(wide)

        raise_line(hills(0.8, 3.2, 0.5), (120, 118, 112), TREE)
        roofs = np.zeros(wide)
        for x in np.sort(rng.integers(0, wide - 30, 70)):
            roofs[:] = 0
            roofs[x : x + int(rng.uniform(1.0, 3.2) * _PIXELS)] = rng.uniform(1.2, 3.6)
            grey = rng.uniform(105, 165)
            raise_line(roofs, (grey, grey - 4, grey - 8), BUILDING)
        raise_line(hills(0.3, 1.6, 0.5), (96, 94, 84), TREE)

    def paint(self, canvas, view):
        """Paint sky down to the horizon, with the skyline; below it, pale haze."""
        width, height = view.width, view.height
        last = min(max(int(view.horizon) + 2, 1), height)
        degrees = np.degrees(np.arctan((np.arange(width) - view.middle) / view.focal) + view.yaw)
        columns = np.float32((degrees * _PIXELS) % (self._sky.shape[1] - 1))
        up = np.degrees(np.arctan((view.horizon - np.arange(last)) / view.focal))
        bottom = self._sky.shape[0] - 1
        rows = np.float32(np.clip(bottom - up * _PIXELS, 0, bottom))
        map_x, map_y = np.tile(columns, (last, 1)), np.repeat(rows[:, None], width, axis=1)
        sky = cv2.remap(self._sky, map_x, map_y, cv2.INTER_LINEAR)
        cv2.cvtColor(sky, cv2.COLOR_RGB2RGBA, dst=canvas.pixels[:last])
        start = max(int(np.searchsorted(rows, bottom + 1 - self._tall)), 0)
        cv2.insertChannel(np.zeros((last, width), np.uint8) + SKY, canvas.pixels[:last], 3)
        canvas.pixels[start:last, :, 3] = cv2.remap(
            self._ids,
            map_x[start:],
            map_y[start:] - (bottom + 1 - self._tall),
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        )
