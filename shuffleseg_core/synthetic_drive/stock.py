"""A rolling stock of textures and models, so that every view may show a fresh street.

Making a texture takes as long as painting a view. So each kind keeps a window of items that
slides along with the number of the view: a new one comes every few views, the oldest goes, and
a view picks some and gives them colours of its own. An item is a function of the seed, its kind
and its number alone, so that a view does not depend on which ones were drawn before.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from . import fences, models, plants
from .facades import BRICKS
from .noise import cloud_noise
from .people import Bicyclist, Pedestrian
from .street import STYLES
from .view_facades import ViewFacade
from .view_ground import ViewGround
from .view_models import bare_tree, bus, sparse_tree
from .view_street import ViewStreet


def _street(rng):
    street = ViewStreet(rng)
    return street, ViewGround(rng, street)


def _sensor_noise(rng):
    """Grey and colour noise about 128, uint8 [512, 768, 3]; deviation 8."""
    colour = cv2.GaussianBlur(rng.normal(0, 5, (512, 768, 3)).astype(np.float32), (0, 0), 0.8)
    grey = rng.standard_normal((512, 768, 1), dtype=np.float32) * 7
    return np.clip(128.5 + grey + colour, 0, 255).astype(np.uint8)


def _tree(rng):
    return (plants.leafy_tree, sparse_tree)[int(rng.random() < 0.5)](rng)


def _vehicle(rng):
    return bus(rng) if rng.random() < 0.05 else models.car(rng)


def _tone(rng, low, high, hue):
    """(r, g, b) gains: between low and high in all, warmer or cooler, a little greener or not."""
    warm, green = rng.normal(0, hue), rng.normal(0, 0.25 * hue)
    return rng.uniform(low, high) * np.array([1 + warm, 1 + green, 1 - warm])


def _both_sides(make):
    def pair(rng):
        seed = int(rng.integers(2**31))
        return {side: make(np.random.default_rng(seed), side) for side in (-1, 1)}

    return pair


#: kind: (what makes one, views until a new one comes, size of the window)
_KINDS = {
    **{style: (lambda rng, style=style: ViewFacade(rng, style), 24, 16) for style in STYLES},
    "street": (_street, 60, 10),
    "end": (lambda rng: fences.end_wall(rng, BRICKS[rng.integers(len(BRICKS))]), 32, 8),
    "bare": (bare_tree, 48, 12),
    "leafy": (_tree, 24, 16),
    "hedge": (plants.hedge, 32, 12),
    "railings": (fences.railings, 24, 12),
    "boards": (fences.boards, 32, 8),
    "wall": (lambda rng: fences.low_wall(rng, BRICKS[rng.integers(len(BRICKS))]), 32, 8),
    "car": (_vehicle, 8, 60),
    "pedestrian": (Pedestrian, 8, 40),
    "bicyclist": (Bicyclist, 8, 20),
    "lamp": (_both_sides(models.lamp_post), 8, 20),
    "sign": (_both_sides(models.sign_post), 8, 50),
    "clouds": (lambda rng: cloud_noise(rng, 256, 512, (4.0, 12.0, 30.0)), 64, 8),
    "noise": (_sensor_noise, 128, 4),
}


class Stock:
    """The items of a seed. Safe to pick from in several threads."""

    def __init__(self, seed):
        self._seed = tuple(seed)
        self._items = {
            kind: lru_cache(maxsize=size + 8)(self._maker(number, make))
            for number, (kind, (make, _, size)) in enumerate(_KINDS.items())
        }

    def _maker(self, kind, make):
        return lambda item: make(np.random.default_rng([*self._seed, kind, item]))

    def pick(self, kind, view, rng, count=1):
        """`count` different items of a kind that the view of that number may show."""
        _, every, size = _KINDS[kind]
        newest = size + view // every
        return [
            self._items[kind](newest - int(age))
            for age in rng.choice(size, size=min(count, size), replace=False)
        ]


class Recoloured(Sequence):
    """A texture pyramid times (r, g, b) gains, each level made when it is first used."""

    def __init__(self, levels, gains):
        self._levels, self._made = levels, {}
        table = np.arange(256)[:, None] * np.append(gains, 1.0)
        self._table = np.minimum(np.rint(table), 255).astype(np.uint8)[None]

    def __len__(self):
        return len(self._levels)

    def __getitem__(self, index):
        index %= len(self._levels)
        if index not in self._made:
            self._made[index] = cv2.LUT(self._levels[index], self._table)
        return self._made[index]

    def __iter__(self):
        return (self[index] for index in range(len(self)))


class StockProps:
    """Props (see props.py) of one view, from the stock."""

    def __init__(self, stock, view, rng, street, light):
        def pick(kind, count):
            return stock.pick(kind, view, rng, count)

        def coloured(kind, count, low, high, hue):
            return [Recoloured(levels, _tone(rng, low, high, hue)) for levels in pick(kind, count)]

        def lit(front):
            gains = _tone(rng, 0.7, 1.25, 0.07)
            return front, {
                side: Recoloured(front.levels, gains * light.side_gain[side]) for side in (-1, 1)
            }

        self.fronts = {style: [lit(front) for front in pick(style, 4)] for style in STYLES}
        end = light.side_gain[1] * 0.5 + light.side_gain[-1] * 0.4
        self.ends = coloured("end", 3, 0.7 * end, 1.3 * end, 0.06)
        self.bare = coloured("bare", 3, 0.3, 0.85, 0.05)
        self.leafy = coloured("leafy", 4, 0.5, 1.3, 0.09)
        self.hedges = coloured("hedge", 2, 0.6, 1.3, 0.1)
        self.railings = coloured("railings", 2, 0.6, 1.5, 0.08)
        self.boards = coloured("boards", 2, 0.7, 1.5, 0.08)
        self.walls = coloured("wall", 2, 0.7, 1.4, 0.06)
        self.cars = pick("car", 14)
        self.pedestrians, self.bicyclists = pick("pedestrian", 12), pick("bicyclist", 6)
        self._lamps, self._signs = pick("lamp", 2), pick("sign", 10)

    def lamp_post(self, rng, inwards):
        return self._lamps[rng.integers(len(self._lamps))][inwards]

    def sign_post(self, rng, inwards):
        return self._signs[rng.integers(len(self._signs))][inwards]
