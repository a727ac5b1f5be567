"""The sky, and the far skyline that closes the street."""
import cv2
import numpy as np

from .classes import BUILDING, SKY, TREE
from .noise import cloud_noise

_PIXELS = 6      # sky pixels a degree
_DEGREES = 180   # seen around the heading 0; repeats beyond


class Sky:
    """Sky and skyline of one drive, as a panorama that turns with the camera."""

    def __init__(self, rng, light):
        wide, tall = _PIXELS * _DEGREES, _PIXELS * 40
        up = np.linspace(1, 0, tall, dtype=np.float32)[:, None, None]
        blue, cloud = {'bright': ((232, 244, 253), 0.03), 'sunny': ((186, 216, 244), 0.06),
                       'shade': ((236, 240, 243), 0.04), 'dusk': ((186, 200, 212), 0.20)}[light.mood]
        haze = np.float32((254, 254, 252) if light.mood != 'dusk' else (244, 240, 226))
        clouds = cloud_noise(rng, tall, wide, (4.0, 10.0, 24.0))[..., None]
        up = np.clip(up * rng.uniform(0.8, 1.5), 0, 1)
        picture = haze * (1 - up) + np.float32(blue) * up
        picture = picture + (cloud * 90) * np.maximum(clouds, -1.5)
        if light.mood == 'sunny':
            picture = picture + (255 - picture) * np.clip(clouds - 0.4, 0, 1)
        glow = np.linspace(-np.pi, np.pi, wide, dtype=np.float32)[None, :, None]
        glow = np.exp(-((glow - rng.uniform(-1, 1)) / 0.5) ** 2) * rng.uniform(0, 40)
        self._sky = np.clip(picture + glow * (1 - 0.5 * up), 0, 255).astype(np.uint8)
        self._skyline(rng, wide)

    def _skyline(self, rng, wide):
        count = 240
        self._edges = np.linspace(0, _DEGREES, count, endpoint=False)
        hills = 1.0 + 0.7 * np.abs(np.interp(np.arange(count), np.arange(0, count + 12, 12),
                                             rng.standard_normal(count // 12 + 1)))
        self._low = hills
        self._blocks = [(float(a), float(rng.uniform(1.0, 3.2)), float(rng.uniform(1.2, 3.8)),
                         int(rng.uniform(112, 165)))
                        for a in np.sort(rng.uniform(0, _DEGREES, 60))]
        self._ragged = hills + 0.35 * rng.random(count)

    def paint(self, canvas, view):
        """Paint sky over the whole canvas, and the skyline at the horizon."""
        width, height = view.width, view.height
        degrees = np.degrees(np.arctan((np.arange(width) - view.middle) / view.focal) + view.yaw)
        map_x = np.float32((degrees * _PIXELS) % self._sky.shape[1])
        last = min(int(view.horizon) + 2, height)
        up = np.degrees(np.arctan((view.horizon - np.arange(last)) / view.focal))
        map_y = np.float32(np.clip(self._sky.shape[0] - 1 - up * _PIXELS, 0,
                                   self._sky.shape[0] - 1))
        rows = np.broadcast_to(map_y[:, None], (last, width))
        columns = np.broadcast_to(map_x[None], (last, width))
        sky = cv2.remap(self._sky, np.ascontiguousarray(columns), np.ascontiguousarray(rows),
                        cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        canvas.pixels[...] = (200, 200, 196, SKY)
        canvas.pixels[:last, :, :3] = sky
        self._paint_line(canvas, view, self._ragged, (108, 106, 98, TREE))
        for angle, wide, tall, grey in self._blocks:
            self._paint_block(canvas, view, angle, wide, tall, (grey, grey - 4, grey - 8, BUILDING))
        self._paint_line(canvas, view, self._ragged[::-1] * 0.55, (88, 88, 76, TREE))

    def _column(self, view, degrees):
        """Pixel column of an angle around the heading 0, nearest turn; tangent kept finite."""
        away = (degrees - np.degrees(view.yaw) + _DEGREES / 2) % _DEGREES - _DEGREES / 2
        return away, view.middle + view.focal * np.tan(np.radians(np.clip(away, -75, 75)))

    def _paint_line(self, canvas, view, heights, colour):
        away, x = self._column(view, self._edges)
        order = np.argsort(away)
        x = x[order]
        y = view.horizon - view.focal * np.radians(heights[order])
        floor = view.horizon + 2
        points = np.concatenate([np.stack([x, y], 1), [[x[-1], floor], [x[0], floor]]])
        canvas.polygon(np.rint(np.clip(points, -6000, 12000) * 16).astype(np.int32), colour)

    def _paint_block(self, canvas, view, angle, wide, tall, colour):
        away, x = self._column(view, np.array([angle, angle + wide]))
        if abs(away[0]) > 60 or x[1] <= x[0]:
            return
        y = view.horizon - view.focal * np.radians(tall)
        floor = view.horizon + 2
        points = np.array([[x[0], floor], [x[0], y], [x[1], y], [x[1], floor]])
        canvas.polygon(np.rint(np.clip(points, -6000, 12000) * 16).astype(np.int32), colour)
