"""Fronts of British buildings, as textures."""

import cv2
import numpy as np

from .canvas import pyramid, with_class
from .classes import BUILDING
from .noise import cloud_noise, smooth_noise, tint

PIXELS = 28  # a metre
STOREY = 3.0  # metres

BRICKS = ((118, 84, 70), (138, 118, 92), (96, 72, 62), (152, 132, 100), (104, 92, 80))
RENDERS = (
    (205, 200, 188),
    (190, 178, 150),
    (168, 168, 164),
    (120, 50, 46),
    (214, 210, 206),
    (98, 104, 112),
)
STONES = ((128, 120, 104), (106, 102, 94), (146, 138, 120))
FASCIAS = (
    (30, 60, 46),
    (28, 40, 92),
    (120, 24, 26),
    (24, 24, 28),
    (190, 186, 178),
    (60, 40, 30),
    (160, 120, 40),
    (70, 30, 70),
)
DOORS = ((30, 34, 38), (90, 26, 24), (24, 50, 40), (26, 36, 70), (170, 170, 168))


class Facade:
    """One front: .levels (texture pyramid, uint8 RGBI), .height in metres, .colour, .pitched."""

    def __init__(self, rng, style):
        self.width = rng.uniform(5, 9) if style != "modern" else rng.uniform(9, 14)
        storeys = {
            "house": 2,
            "shop": int(rng.integers(2, 5)),
            "terrace": int(rng.integers(2, 4)),
            "modern": int(rng.integers(3, 6)),
        }[style]
        self.height = storeys * STOREY + rng.uniform(0.3, 1.2)
        self.pitched = style != "modern" and rng.random() < 0.8
        self._rng, self._style, self._storeys = rng, style, storeys
        self._pitch = rng.uniform(1.8, 3.0)  # metres from window to window
        picture = self._paint()
        self.colour = tuple(int(c) for c in np.median(picture.reshape(-1, 3), axis=0))
        self.levels = pyramid(with_class(picture, BUILDING))

    def shaded(self, gain):
        """The same front under another light: a texture pyramid."""
        factors = np.array([gain, gain, gain * 0.5 + 0.5 * gain**0.9, 1.0])
        return [np.minimum(np.rint(level * factors), 255).astype(np.uint8) for level in self.levels]

    def _paint(self):
        rng, style = self._rng, self._style
        w, h = int(self.width * PIXELS), int(self.height * PIXELS)
        material = rng.choice(["brick", "render", "stone"], p=(0.6, 0.27, 0.13))
        base = {"brick": BRICKS, "render": RENDERS, "stone": STONES}[material]
        base = np.float32(base[rng.integers(len(base))]) * rng.uniform(0.9, 1.45)
        noise = 0.5 * smooth_noise(rng, h, w, 0.8) + 0.6 * cloud_noise(rng, h, w)
        wall = tint(base, noise, {"brick": 0.20, "render": 0.07, "stone": 0.17}[material])
        if material == "brick":
            wall[::3] = np.minimum(wall[::3] * 1.18 + 8, 255).astype(np.uint8)
        picture = wall
        trim = rng.choice([70, 190, 235, 245])
        self._trim = (int(trim), int(trim), int(trim * 0.96))
        top = h - self._storeys * int(STOREY * PIXELS)
        cv2.rectangle(picture, (0, 0), (w, max(top // 3, 3)), [int(c * 0.6) for c in base], -1)
        if rng.random() < 0.6:
            cv2.rectangle(picture, (0, top // 3), (w, top // 3 + 4), self._trim, -1)
        for storey in range(self._storeys):
            floor = h - storey * int(STOREY * PIXELS)
            if storey == 0 and style == "shop":
                self._shop_front(picture, floor)
            elif storey == 0 and style in ("house", "terrace"):
                self._door_and_window(picture, floor)
            elif style == "modern":
                self._ribbon(picture, floor)
            else:
                self._windows(picture, floor)
        if rng.random() < 0.6:  # a drainpipe
            x = int(rng.choice([6, w - 8]))
            cv2.rectangle(picture, (x, 0), (x + 3, h), (50, 50, 52), -1)
        # Street level is darker: less of the sky is seen from there.
        fade = np.linspace(1.12, 0.72, h, dtype=np.float32)[:, None, None]
        return np.clip(picture * fade, 0, 255).astype(np.uint8)

    def _glass(self, picture, x0, y0, x1, y1):
        rng = self._rng
        if x1 - x0 < 3 or y1 - y0 < 3:
            return
        dark = rng.uniform(22, 60)
        light = dark + (rng.uniform(60, 170) if rng.random() < 0.35 else rng.uniform(0, 25))
        rows = np.linspace(light, dark, y1 - y0)[:, None, None]
        picture[y0:y1, x0:x1] = rows * (0.94, 1.0, 1.06)
        if rng.random() < 0.4:  # a curtain or a blind
            side = int((x1 - x0) * rng.uniform(0.15, 0.4))
            picture[y0:y1, x0 : x0 + side] = picture[y0:y1, x0 : x0 + side] // 2 + 70

    def _window(self, picture, x0, y0, x1, y1):
        frame = self._trim
        cv2.rectangle(picture, (x0 - 3, y0 - 3), (x1 + 2, y1 + 2), frame, -1)
        cv2.rectangle(
            picture, (x0 - 5, y1 + 2), (x1 + 4, y1 + 5), [min(c + 20, 255) for c in frame], -1
        )
        cv2.rectangle(
            picture, (x0 - 4, y0 - 8), (x1 + 3, y0 - 4), [int(c * 0.85) for c in frame], -1
        )
        middle = (y0 + y1) // 2
        self._glass(picture, x0, y0, x1, middle - 1)
        self._glass(picture, x0, middle + 1, x1, y1)
        x = (x0 + x1) // 2
        cv2.line(picture, (x, y0), (x, y1), frame, 1)

    def _windows(self, picture, floor, start=0):
        w = picture.shape[1]
        count = max(int(round((w - start) / PIXELS / self._pitch)), 1)
        step = (w - start) / count
        half = int(step * 0.22)
        for i in range(count):
            x = int(start + (i + 0.5) * step)
            self._window(
                picture, x - half, floor - int(2.4 * PIXELS), x + half, floor - int(0.9 * PIXELS)
            )

    def _door_and_window(self, picture, floor):
        rng, m = self._rng, PIXELS
        door = DOORS[rng.integers(len(DOORS))]
        x0 = int(0.5 * m)
        cv2.rectangle(picture, (x0 - 4, floor - int(2.5 * m)), (x0 + m + 4, floor), self._trim, -1)
        cv2.rectangle(picture, (x0, floor - int(2.1 * m)), (x0 + m, floor), door, -1)
        self._glass(picture, x0, floor - int(2.4 * m), x0 + m, floor - int(2.15 * m))
        self._windows(picture, floor, start=int(1.8 * m))

    def _ribbon(self, picture, floor):
        m, w = PIXELS, picture.shape[1]
        y0, y1 = floor - int(2.5 * m), floor - int(0.9 * m)
        step = int(1.3 * m)
        cv2.rectangle(picture, (0, y0 - 3), (w, y1 + 3), self._trim, -1)
        for x in range(2, w - step // 2, step):
            self._glass(picture, x, y0, min(x + step - 4, w), y1)

    def _shop_front(self, picture, floor):
        rng, m, w = self._rng, PIXELS, picture.shape[1]
        fascia = FASCIAS[rng.integers(len(FASCIAS))]
        y0, y1 = floor - int(3.0 * m), floor - int(2.4 * m)
        cv2.rectangle(picture, (0, y0), (w, floor), [int(c * 0.6) for c in fascia], -1)
        cv2.rectangle(picture, (2, y0), (w - 3, y1), fascia, -1)
        ink = (225, 215, 190) if sum(fascia) < 330 else (40, 30, 30)
        x, end = int(w * rng.uniform(0.1, 0.4)), int(w * rng.uniform(0.6, 0.9))
        while x < end:  # lettering, read from afar as strokes
            tall = int(rng.integers(5, 9))
            cv2.rectangle(
                picture,
                (x, (y0 + y1) // 2 - tall // 2),
                (x + int(rng.integers(1, 5)), (y0 + y1) // 2 + tall // 2),
                ink,
                -1,
            )
            x += int(rng.integers(5, 9))
        panes = int(rng.integers(2, 4))
        step = w / panes
        for i in range(panes):
            a, b = int(i * step + 4), int((i + 1) * step - 4)
            low = floor - (2 if i == panes - 1 else int(0.5 * m))
            self._glass(picture, a, y1 + 3, b, low)
            for _ in range(int(rng.integers(2, 7))):  # goods in the window
                gx = int(rng.integers(a, max(b - 8, a + 1)))
                gy = int(rng.integers(y1 + 10, floor - 20))
                cv2.rectangle(
                    picture,
                    (gx, gy),
                    (min(gx + int(rng.integers(3, 14)), b - 1), gy + int(rng.integers(3, 12))),
                    rng.integers(30, 200, 3).tolist(),
                    -1,
                )


def facade_set(rng, mix, count=13):
    """The fronts of one drive: dict of style to a list of Facade."""
    styles = list(mix)
    fronts = {style: [] for style in styles}
    for i in range(count):
        style = styles[i] if i < len(styles) else str(rng.choice(styles, p=list(mix.values())))
        fronts[style].append(Facade(rng, style))
    return fronts
