"""Grounds beyond the drives': other asphalts, side roads, car parks, and paint on the road."""

import cv2
import numpy as np

from .classes import PAVEMENT, ROAD, TREE
from .ground import _ACROSS, _ALONG, _LENGTH, _REACH, Ground
from .noise import smooth_noise


class _Plain:
    mood = "plain"


class ViewGround(Ground):
    """A Ground with 2-D truth, as side roads need."""

    def __init__(self, rng, street):
        super().__init__(rng, street, _Plain)

    def _tile(self, rng):
        street = self._street
        tile, ids = super()._tile(rng)
        ids = ids.copy()
        long, wide = ids.shape
        d = (np.arange(wide) + 0.5) / _ACROSS - _REACH
        s = (np.arange(long) + 0.5) / _ALONG
        asphalt = _mirrored(tile[:, np.abs(d) < 2.4], wide)
        for side in (-1, 1):
            out = side * d - street.kerb(side)
            if street.lots[side]:
                lot = out > street.verge + street.pavement
                tile[:, lot] = asphalt[:, lot]
                ids[:, lot] = ROAD
                self._bays(tile, side, street.front(side), rng)
            if side in street.crossing_sides:
                start, width = street.crossing
                # Kerbs turn in an arc of three metres.
                arc = 3 - np.sqrt(np.clip(9 - np.clip(3 - out, 0, 3) ** 2, 0, 9))
                inside = (s[:, None] > start - arc) & (s[:, None] < start + width + arc)
                inside &= out > -0.12
                tile[inside], ids[inside] = asphalt[inside], ROAD
        self._paint(tile, ids, rng)
        warm = rng.normal(0, 0.04)
        paving = np.array([1 + warm, 1, 1 - warm])
        if rng.random() < 0.2:
            paving *= (1.12, 0.95, 0.85)
        for class_id, gain in (
            (ROAD, rng.uniform(0.62, 1.2) * (1 + rng.normal(0, 0.015, 3))),
            (PAVEMENT, rng.uniform(0.65, 1.3) * paving),
            (TREE, rng.uniform(0.6, 1.25) * (1 + rng.normal(0, 0.09, 3))),
        ):
            table = np.minimum(np.arange(256)[:, None] * gain, 255).astype(np.uint8)[None]
            cv2.copyTo(cv2.LUT(tile, table), np.uint8(ids == class_id), tile)
        return tile, ids

    def _bays(self, tile, side, front, rng):
        for row in (1.0, 12.0):
            a, b = sorted(side * (front + row + edge) for edge in (0.0, 4.8))
            for s in np.arange(0, _LENGTH, 2.5):
                _polygon(tile, [(s, a), (s, b), (s + 0.12, b), (s + 0.12, a)], (188, 188, 184))

    def _paint(self, tile, ids, rng):
        """Arrows, zigzags, hatching, zebra crossings, boxes and letters, worn."""
        street = self._street
        bare = tile.copy()
        white = tuple(int(v) for v in np.float64((212, 212, 206)) * rng.uniform(0.8, 1.1))
        yellow = (196, 168, 84)
        lane = street.lane

        def arrow(s, d, way):
            d *= way
            for shape in (
                [(0, -0.08), (0, 0.08), (3, 0.08), (3, -0.08)],
                [(2.6, -0.45), (2.6, 0.45), (4.6, 0.0)],
            ):
                _polygon(tile, [(s + way * a, way * (d * way + b)) for a, b in shape], white)

        for _ in range(int(rng.integers(0, 4))):
            s = rng.uniform(6, _LENGTH - 6)
            kind = rng.choice(6, p=(0.26, 0.16, 0.16, 0.16, 0.08, 0.18))
            if kind == 0:
                way = int(rng.choice([-1, 1]))
                arrow(s, -0.5 * lane, way)
            elif kind == 1:  # zebra crossing, or a stop line
                for d in np.arange(-lane, lane, 1.1):
                    _polygon(
                        tile, [(s, d), (s, d + 0.55), (s + 2.6, d + 0.55), (s + 2.6, d)], white
                    )
            elif kind == 2:
                _polygon(tile, [(s, -lane), (s, 0), (s + 0.35, 0), (s + 0.35, -lane)], white)
            elif kind == 3:  # zigzags
                for side in (-1, 0, 1):
                    d = side * (lane - 0.3)
                    steps = np.arange(0, 14, 2.0)
                    points = [(s + a - 7, d + 0.22 * (-1) ** i) for i, a in enumerate(steps)]
                    _lines(tile, [points], white, 4)
            elif kind == 4:  # a yellow box
                colour = (yellow, white)[rng.integers(2)]
                steps = np.arange(-12, 14, 2.2)
                _lines(tile, [[(s + a, -lane), (s + a + 2 * lane, lane)] for a in steps], colour, 3)
                _lines(tile, [[(s + a, lane), (s + a + 2 * lane, -lane)] for a in steps], colour, 3)
            else:  # letters, read as strokes, or hatching between lanes
                for d in np.arange(-0.9, 0.9, 0.45) - 0.5 * lane:
                    _lines(tile, [[(s, d), (s + 2.4, d + rng.uniform(-0.2, 0.2))]], white, 5)
                    _lines(tile, [[(s + 1.2, d), (s + 1.2, d + 0.2)]], white, 8)
        if rng.random() < 0.35:
            for side in (-1, 1):
                d = side * (street.kerb(side) - 0.35)
                _lines(tile, [[(0, d), (_LENGTH, d)]], white, int(rng.integers(3, 7)))
        worn = rng.uniform(0.0, 0.6)
        grain = cv2.resize(smooth_noise(rng, 300, 280, 0.7), tile.shape[1::-1])
        keep = np.clip(1 - worn * (0.6 + 0.6 * np.abs(grain)), 0, 1)
        cv2.blendLinear(tile, bare, keep, 1 - keep, tile)
        off = np.uint8(ids != ROAD)
        cv2.copyTo(bare, off, tile)


def _pixels(points):
    points = np.float64(points)
    return np.int32(np.stack([(points[:, 1] + _REACH) * _ACROSS, points[:, 0] * _ALONG], axis=1))


def _polygon(tile, points, colour):
    cv2.fillPoly(tile, [_pixels(points)], colour)


def _lines(tile, lines, colour, thick):
    cv2.polylines(tile, [_pixels(points) for points in lines], False, colour, thick)


def _mirrored(strip, wide):
    pair = np.concatenate([strip, strip[:, ::-1]], axis=1)
    return np.tile(pair, (1, wide // pair.shape[1] + 1, 1))[:, :wide]
