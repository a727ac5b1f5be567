"""Fronts beyond the drives': other windows, bands and piers, walls of glass, awnings."""

import cv2
import numpy as np

from .facades import FASCIAS, PIXELS, Facade


class ViewFacade(Facade):
    """A Facade with windows of its own proportions and more relief."""

    def __init__(self, rng, style):
        self._wide = rng.uniform(0.13, 0.38)  # half a window, of the way to the next one
        self._sill, self._head = rng.uniform(0.5, 1.1), rng.uniform(2.0, 2.7)  # metres
        self._bars = int(rng.integers(0, 4))
        self._arched = rng.random() < 0.15
        super().__init__(rng, style)
        self.height *= rng.uniform(0.95, 1.35)

    def _paint(self):
        rng = self._rng
        picture = super()._paint()
        height, width = picture.shape[:2]
        if rng.random() < 0.25:  # piers
            for x in np.linspace(0, width, int(rng.integers(2, 6))):
                gain = rng.uniform(0.75, 1.25)
                part = picture[:, max(int(x) - 6, 0) : int(x) + 6]
                part[...] = np.clip(part * gain, 0, 255)
        if rng.random() < 0.3:  # bands between storeys
            for y in range(height - int(3 * PIXELS), 0, -int(3 * PIXELS)):
                cv2.rectangle(picture, (0, y - 4), (width, y + 3), self._trim, -1)
        if self._style == "shop" and rng.random() < 0.4:
            self._awning(picture)
        return picture

    def _awning(self, picture):
        rng = self._rng
        height, width = picture.shape[:2]
        colour = np.float64(FASCIAS[rng.integers(len(FASCIAS))]) * 1.3
        y = height - int(2.4 * PIXELS)
        for x in range(0, width, 10):
            stripe = colour if x // 10 % 2 or rng.random() < 0.5 else colour * 0.6 + 90
            cv2.rectangle(picture, (x, y), (x + 9, y + 18), np.minimum(stripe, 255).tolist(), -1)

    def _window(self, picture, x0, y0, x1, y1):
        frame = self._trim
        cv2.rectangle(picture, (x0 - 2, y0 - 2), (x1 + 2, y1 + 3), frame, -1)
        self._glass(picture, x0, y0, x1, y1)
        if self._arched:
            cv2.ellipse(picture, ((x0 + x1) // 2, y0), ((x1 - x0) // 2, 8), 0, 180, 360, frame, -1)
        for i in range(self._bars):
            x = x0 + (x1 - x0) * (i + 1) // (self._bars + 1)
            cv2.line(picture, (x, y0), (x, y1), frame, 1)
        if self._bars:
            cv2.line(picture, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), frame, 2)

    def _windows(self, picture, floor, start=0):
        width = picture.shape[1]
        count = max(int(round((width - start) / PIXELS / self._pitch)), 1)
        step = (width - start) / count
        top, low = floor - int(self._head * PIXELS), floor - int(self._sill * PIXELS)
        for i in range(count):
            x = int(start + (i + 0.5) * step)
            half = int(step * self._wide)
            self._window(picture, x - half, top, x + half, low)

    def _shop_front(self, picture, floor):
        if self._rng.random() < 0.25:  # a wall of glass, as of a supermarket
            width = picture.shape[1]
            y0 = floor - int(2.9 * PIXELS)
            cv2.rectangle(picture, (0, y0), (width, floor), self._trim, -1)
            step = int(self._rng.uniform(0.8, 2.0) * PIXELS)
            for x in range(2, width - 4, step):
                self._glass(picture, x, y0 + 4, min(x + step - 3, width - 2), floor - 3)
        else:
            super()._shop_front(picture, floor)
