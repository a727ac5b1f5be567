"""Trees and hedges as sprites and textures."""

import cv2
import numpy as np

from .canvas import premultiplied, pyramid, with_class
from .classes import TREE
from .noise import cloud_noise, smooth_noise, tint

SIZE = 320  # pixels of a tree sprite, in both directions


def bare_tree(rng):
    """A leafless winter tree: a pyramid of see-through sprites whose foot is bottom middle."""
    big = 2 * SIZE
    mask = np.zeros((big, big), np.uint8)
    spread = rng.uniform(0.35, 0.55)

    def grow(x, y, angle, length, thick, depth):
        x1, y1 = x + length * np.sin(angle), y - length * np.cos(angle)
        cv2.line(mask, (int(x), int(y)), (int(x1), int(y1)), 255, max(int(thick), 1), cv2.LINE_AA)
        if depth == 0:
            return
        for side in (-1, 1) if depth > 5 or rng.random() < 0.6 else (-1, 0.1, 1):
            turn = side * spread * rng.uniform(0.5, 1.2) - 0.08 * np.sin(angle)
            grow(x1, y1, angle + turn, length * rng.uniform(0.62, 0.84), thick * 0.66, depth - 1)

    grow(big / 2, big, rng.uniform(-0.05, 0.05), big * rng.uniform(0.19, 0.23), big * 0.026, 8)
    alpha = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA) / 255.0
    # Twigs too thin to be seen one by one veil what is behind the crown.
    crown = cv2.GaussianBlur(np.float32(alpha), (0, 0), 5)
    veil = np.clip(crown * 1.5, 0, 0.5) * (1 + 0.25 * smooth_noise(rng, SIZE, SIZE, 1.0))
    veil[crown < 0.12] = 0
    alpha = np.maximum(np.minimum(alpha * 1.25, 1), veil)
    base = np.float32((108, 102, 94)) * rng.uniform(0.65, 1.25)
    return pyramid(premultiplied(tint(base, smooth_noise(rng, SIZE, SIZE, 1.5), 0.22), alpha))


def leafy_tree(rng):
    """A tree in leaf or an evergreen: as bare_tree."""
    mask = np.zeros((SIZE, SIZE), np.float32)
    narrow = rng.uniform(0.5, 1.0)
    for _ in range(40):
        angle, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * 0.33 * SIZE
        centre = (
            int(SIZE / 2 + radius * narrow * np.cos(angle)),
            int(SIZE * 0.40 + radius * np.sin(angle)),
        )
        cv2.circle(mask, centre, int(SIZE * rng.uniform(0.05, 0.11)), 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 5)
    solid = mask > 0.15  # no leaves adrift in the sky
    mask += 0.20 * smooth_noise(rng, SIZE, SIZE, 2.0)
    alpha = np.clip((mask - 0.42) * 8, 0, 1) * solid
    trunk = np.zeros_like(alpha)
    cv2.fillPoly(
        trunk,
        [
            np.int32(
                [
                    [SIZE * 0.46, SIZE],
                    [SIZE * 0.48, SIZE * 0.5],
                    [SIZE * 0.52, SIZE * 0.5],
                    [SIZE * 0.54, SIZE],
                ]
            )
        ],
        1.0,
    )
    greens = ((66, 74, 40), (52, 62, 42), (84, 84, 46), (74, 64, 48))
    noise = 0.7 * smooth_noise(rng, SIZE, SIZE, 1.2) + 0.5 * smooth_noise(rng, SIZE, SIZE, 6)
    noise += np.linspace(0.8, -0.9, SIZE, dtype=np.float32)[:, None]
    green = np.float32(greens[rng.integers(len(greens))]) * rng.uniform(0.95, 1.35)
    picture = tint(green, noise, 0.45)
    picture[(trunk > 0) & (alpha < 0.5)] = (52, 46, 40)
    return pyramid(premultiplied(picture, np.maximum(alpha, trunk)))


def hedge(rng):
    """A hedge, seen from its side: an opaque texture pyramid."""
    noise = cloud_noise(rng, 64, 256, (0.8, 2.0, 6.0))
    noise = noise + np.linspace(0.7, -0.7, 64, dtype=np.float32)[:, None]
    base = ((58, 66, 40), (70, 70, 46), (64, 56, 44))[rng.integers(3)]
    return pyramid(with_class(tint(np.float32(base) * 1.3, noise, 0.45), TREE))
