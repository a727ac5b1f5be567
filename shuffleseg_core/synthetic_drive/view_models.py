"""Models that single views have and drives do not: buses and lorries, trees with few leaves."""

import cv2
import numpy as np

from . import plants
from .canvas import premultiplied, pyramid
from .classes import CAR
from .models import GLASS, Model
from .noise import smooth_noise, tint


def bus(rng):
    """A bus or a lorry, as `models.car`: CamVid's 11 classes count both as car."""
    long, tall = rng.uniform(6, 11), rng.uniform(2.6, 4.2)
    wide, low = rng.uniform(2.1, 2.5), 0.35
    colour = rng.uniform(70, 230) * (1 + rng.normal(0, 0.2, 3))
    model = Model()

    def side(x, z, quad, paint, **options):
        """A rectangle (across, up) on the plane x (left, right) or z (ends)."""
        (a0, y0), (a1, y1) = quad
        corners = [(a0, y0), (a0, y1), (a1, y1), (a1, y0)]
        points = [(x, u, v) if z is None else (v, u, z) for v, u in corners]
        model.add(points, tuple(paint), CAR, culled=False, **options)

    lorry = rng.random() < 0.5
    # The far walls first, then what faces the road's two directions.
    for x in (-wide / 2, wide / 2):
        side(x, None, ((-long / 2, low), (long / 2, tall)), colour * 0.8)
    for z in (long / 2, -long / 2):
        side(0, z, ((-wide / 2, low), (wide / 2, tall)), colour)
        if not lorry or z > 0:
            side(0, z * 1.002, ((-wide * 0.44, 0.45 * tall), (wide * 0.44, 0.8 * tall)), GLASS)
        side(0, z * 1.003, ((-0.3, 0.6), (0.3, 0.75)), (200, 190, 120), detail=True)
        for x in (-1, 1):
            lamp = (210, 210, 200) if z > 0 else (150, 24, 20)
            quad = sorted((x * (wide / 2 - 0.35), x * (wide / 2 - 0.08)))
            side(0, z * 1.003, ((quad[0], 0.75), (quad[1], 1.0)), lamp, detail=True)
    for x in (-wide / 2 - 0.01, wide / 2 + 0.01):
        if not lorry:
            side(x, None, ((-0.46 * long, 0.45 * tall), (0.46 * long, 0.75 * tall)), GLASS)
        for z in (-0.32 * long, 0.32 * long):
            turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
            wheel = [(x, 0.45 + 0.45 * np.sin(a), z + 0.45 * np.cos(a)) for a in turn]
            model.add(wheel, (20, 20, 21), CAR, culled=False)
    return model.finish(), long


def bare_tree(rng):
    """A leafless tree whose twigs veil the whole crown, which then counts as tree all over.

    That is how people label one: they draw around its crown.
    """
    sprite = np.float32(plants.bare_tree(rng)[0])
    alpha = sprite[..., 3] / 255
    crown = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(4, 9))
    size = plants.SIZE
    veil = rng.uniform(0.32, 0.42) * (1 + 0.12 * smooth_noise(rng, size, size, 1.0))
    veil *= crown > rng.uniform(0.04, 0.12)
    veil[int(0.75 * size) :] = 0  # the trunk
    colour = sprite[..., :3].sum((0, 1)) / max(alpha.sum(), 1.0)
    full = np.maximum(alpha, veil)
    sprite[..., :3] += (full - alpha)[..., None] * colour
    sprite[..., 3] = 255 * full
    return pyramid(np.clip(np.rint(sprite), 0, 255).astype(np.uint8))


def sparse_tree(rng):
    """A tree whose crown is leaves about its branches and lets the sky through: as bare_tree."""
    size = plants.SIZE
    bare = plants.bare_tree(rng)[0]
    alpha = bare[..., 3] / np.float32(255)
    crown = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(4, 10))
    grain = smooth_noise(rng, size, size, rng.uniform(1.0, 3.0))
    leaves = np.clip((crown * rng.uniform(2.0, 4.0) + 0.35 * grain - 0.45) * 5, 0, 1)
    leaves[crown < 0.08] = 0
    leaves[int(0.8 * size) :] = 0
    green = ((72, 84, 40), (96, 100, 50), (56, 70, 40), (110, 92, 48))[rng.integers(4)]
    noise = 0.7 * smooth_noise(rng, size, size, 1.2) + 0.5 * smooth_noise(rng, size, size, 6)
    noise += np.linspace(0.7, -0.7, size, dtype=np.float32)[:, None]
    picture = tint(np.float32(green) * rng.uniform(0.9, 1.3), noise, 0.4)
    trunk = np.float32((60, 54, 48))
    mixed = picture * leaves[..., None] + trunk * (1 - leaves[..., None])
    return pyramid(premultiplied(mixed, np.maximum(alpha * (alpha > 0.6), leaves)))
