"""Fences and low walls as textures, four metres long."""

import numpy as np

from .canvas import premultiplied, pyramid, with_class
from .classes import BUILDING
from .noise import cloud_noise, smooth_noise, tint

LENGTH = 4.0  # metres of fence in a texture
_H, _W = 48, 192


def railings(rng):
    """Upright bars that veil what is behind them: a pyramid of see-through sprites."""
    light = rng.random() < 0.35
    base = np.float32((130, 132, 134) if light else (38, 40, 40))
    alpha = np.full((_H, _W), 0.36, np.float32)
    step = int(rng.choice([5, 6, 8]))
    alpha[4:, ::step] = 1.0
    alpha[4:, 1::step] = 0.9
    for y in (5, 42):
        alpha[y : y + 3] = 1.0
    alpha[:, :5] = 1.0
    alpha[:3, 5:] = 0.0
    return pyramid(premultiplied(tint(base, smooth_noise(rng, _H, _W, 1.0), 0.15), alpha), 6)


def boards(rng):
    """Wooden panels: as railings, but nothing shows through."""
    base = np.float32(((104, 86, 66), (84, 74, 62), (70, 52, 40))[rng.integers(3)])
    noise = cloud_noise(rng, _H, _W)
    noise += np.repeat(rng.standard_normal(_W // 6), 6)[None, :] * 0.8
    picture = tint(base, noise, 0.13)
    picture[:, ::6] = picture[:, ::6] // 2
    picture[:, :5] = (70, 64, 58)
    return pyramid(premultiplied(picture, np.ones((_H, _W))), 6)


def low_wall(rng, colour):
    """A garden wall; CamVid's 11 classes count walls as building: an opaque pyramid."""
    noise = 0.6 * smooth_noise(rng, _H, _W, 0.8) + 0.5 * cloud_noise(rng, _H, _W)
    picture = tint(np.float32(colour) * 0.85, noise, 0.15)
    picture[::4] = np.minimum(picture[::4] + 14, 255)
    picture[:5] = tint((120, 116, 108), noise[:5], 0.12)
    return pyramid(with_class(picture, BUILDING), 6)


def end_wall(rng, colour):
    """The bare side of a building: an opaque pyramid."""
    noise = 0.5 * smooth_noise(rng, 160, 160, 0.8) + 0.7 * cloud_noise(rng, 160, 160)
    return pyramid(with_class(tint(colour, noise, 0.13), BUILDING))
