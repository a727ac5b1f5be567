"""Pedestrians and bicyclists: flat jointed figures that turn towards the camera."""

import math

import numpy as np

from .camera import SHIFT
from .classes import BICYCLIST, PEDESTRIAN

_TURN = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_DISC = np.stack([np.sin(_TURN), np.cos(_TURN)], axis=1)

CLOTHES = (
    (22, 24, 30),
    (30, 34, 48),
    (16, 16, 18),
    (54, 50, 46),
    (76, 24, 26),
    (90, 88, 84),
    (34, 46, 40),
    (130, 126, 118),
    (28, 50, 90),
    (60, 36, 54),
    (24, 26, 24),
)
SKINS = ((150, 112, 94), (128, 96, 80), (84, 60, 48), (164, 128, 108))


def _limb(x0, y0, x1, y1, w0, w1):
    """A tapering limb from one joint to the next: [4, 2]."""
    dx, dy = x1 - x0, y1 - y0
    n = np.array([-dy, dx]) * 0.5 / (np.hypot(dx, dy) + 1e-9)
    a, b = np.array([x0, y0]), np.array([x1, y1])
    return np.stack([a + n * w0, a - n * w0, b - n * w1, b + n * w1])


class Pedestrian:
    """A walker; parts(phase, side) gives (polygon [N, 2] in metres, colour) back to front."""

    class_id = PEDESTRIAN

    def __init__(self, rng):
        self.kept = {}
        self.tall = rng.uniform(1.55, 1.9)
        self.coat = CLOTHES[rng.integers(len(CLOTHES))]
        self.legs = CLOTHES[rng.integers(4)]
        self.skin = SKINS[rng.integers(len(SKINS))]
        self.hair = ((26, 22, 20), (70, 52, 36), (110, 104, 98))[rng.integers(3)]
        self.long_coat = rng.random() < 0.35
        self.bag = rng.random() < 0.4

    def parts(self, phase, side):
        swing = 0.22 * np.sin(phase) * (0.35 + 0.65 * side)
        lift = 0.05 * np.abs(np.cos(phase))
        stance = 0.09 * (1 - 0.6 * side)
        wide = 0.25 - 0.07 * side
        hip, neck = 0.86, 1.48
        for sign in (-1, 1):
            knee = (sign * (stance + 0.4 * swing), 0.46)
            foot = (sign * (stance + swing), 0.04 + (lift if sign * np.cos(phase) > 0 else 0))
            gain = 0.8 if sign < 0 else 1.0
            leg = tuple(int(c * gain) for c in self.legs)
            yield _limb(sign * stance * 0.9, hip, *knee, 0.2, 0.15), leg
            yield _limb(*knee, *foot, 0.15, 0.11), leg
            yield (
                _limb(foot[0] - 0.05, foot[1] - 0.01, foot[0] + 0.09, foot[1] - 0.01, 0.08, 0.07),
                (18, 17, 17),
            )
        low = 0.55 if self.long_coat else 0.78
        yield (
            np.array(
                [
                    (-wide * 0.85, low),
                    (wide * 0.85, low),
                    (wide * 0.8, 1.1),
                    (wide, 1.38),
                    (0.08, neck),
                    (-0.08, neck),
                    (-wide, 1.38),
                    (-wide * 0.8, 1.1),
                ]
            ),
            self.coat,
        )
        dark = tuple(int(c * 0.72) for c in self.coat)
        for sign in (-1, 1):
            hand = (sign * (wide + 0.04) - 1.2 * sign * swing * side, 0.82)
            yield _limb(sign * (wide - 0.03), 1.38, *hand, 0.12, 0.08), dark
            yield 0.045 * _DISC + hand, self.skin
        if self.bag:
            yield (
                np.array(
                    [(wide - 0.02, 0.75), (wide + 0.16, 0.75), (wide + 0.14, 1.02), (wide, 1.02)]
                ),
                (60, 40, 34),
            )
        yield _DISC * (0.095, 0.125) + (0, 1.58), self.skin
        yield _DISC * (0.105, 0.09) + (0, 1.64), self.hair


class Bicyclist:
    """A rider on a bicycle, seen mostly from behind."""

    class_id = BICYCLIST

    def __init__(self, rng):
        self.kept = {}
        self.tall = rng.uniform(1.6, 1.85)
        self.coat = (CLOTHES + ((160, 170, 40), (150, 40, 36)))[rng.integers(len(CLOTHES) + 2)]
        self.legs = CLOTHES[rng.integers(4)]
        self.skin = SKINS[rng.integers(len(SKINS))]
        self.hat = ((200, 200, 196), (30, 30, 32), (140, 30, 30), (60, 44, 34))[rng.integers(4)]

    def parts(self, phase, side):
        k = max(side, 0.12)  # how much of the bicycle's length is seen
        tyre = (20, 20, 21)
        for x in (0.52 * k, -0.52 * k):
            yield _DISC * (0.32 * k + 0.025, 0.34) + (x, 0.34), tyre
            if k > 0.3:
                yield _DISC * (0.27 * k, 0.28) + (x, 0.34), (64, 66, 68)
        frame = (110, 112, 116)
        for a in (
            (-0.5 * k, 0.34, -0.15 * k, 0.9),
            (-0.15 * k, 0.85, 0.42 * k, 0.95),
            (0, 0.3, 0.42 * k, 0.9),
            (0.42 * k, 0.95, 0.52 * k, 0.34),
        ):
            yield _limb(*a, 0.05, 0.05), frame
        yield _limb(-0.26, 1.02, 0.26, 1.02, 0.05, 0.05), (40, 40, 42)
        for sign in (-1, 1):
            turn = phase + (np.pi if sign > 0 else 0)
            foot = (sign * 0.10 * (1 - k) + 0.17 * k * np.cos(turn), 0.32 + 0.17 * np.sin(turn))
            knee = (sign * 0.13 * (1 - k) + 0.16 * k, 0.5 * (foot[1] + 0.95) + 0.05)
            yield _limb(-0.12 * k + sign * 0.08 * (1 - k), 0.98, *knee, 0.19, 0.15), self.legs
            yield _limb(*knee, *foot, 0.14, 0.10), self.legs
            yield _DISC * (0.07, 0.05) + foot, (20, 19, 19)
        wide = 0.24 - 0.06 * k
        lean = 0.28 * k
        yield (
            np.array(
                [
                    (-wide * 0.8 - 0.1 * k, 0.88),
                    (wide * 0.8 - 0.1 * k, 0.88),
                    (wide + 0.5 * lean, 1.25),
                    (wide * 0.9 + lean, 1.45),
                    (0.07 + lean, 1.53),
                    (-0.07 + lean, 1.53),
                    (-wide * 0.9 + lean, 1.45),
                    (-wide, 1.2),
                ]
            ),
            self.coat,
        )
        dark = tuple(int(c * 0.75) for c in self.coat)
        for sign in (-1, 1):
            yield (
                _limb(
                    sign * wide * 0.9 + lean,
                    1.42,
                    sign * 0.25 * (1 - 0.5 * k) + 0.42 * k,
                    1.05,
                    0.11,
                    0.08,
                ),
                dark,
            )
        yield _DISC * (0.095, 0.12) + (lean + 0.04 * k, 1.62), self.skin
        yield _DISC * (0.115, 0.085) + (lean + 0.03 * k, 1.69), self.hat


_PHASES, _SIDES = 10, 4  # steps of gait and of turn that figures are kept in


def _frozen(figure, phase, side):
    """The figure at a step of gait and turn: points [N, 2], starts and ends of its parts."""
    key = (phase, side)
    if key not in figure.kept:
        parts = list(figure.parts(phase * 2 * np.pi / _PHASES, side / _SIDES))
        ends = np.cumsum([len(polygon) for polygon, _ in parts]).tolist()
        colours = [tuple(int(c) for c in colour) + (figure.class_id,) for _, colour in parts]
        figure.kept[key] = (
            np.concatenate([np.asarray(p) for p, _ in parts]),
            list(zip([0] + ends, ends, colours)),
        )
    return figure.kept[key]


def paint_figure(canvas, view, figure, camera, pixels, heading, phase):
    """Paint a figure whose foot is at camera [3] and pixels [2], heading in radians."""
    right, _, depth = camera.tolist()
    x, ground = pixels.tolist()
    scale = view.focal / max(depth, 0.1)
    if depth < 1.2 or scale < 3 or not -scale < x < view.width + scale:
        return
    # The angle between the line of sight and the heading: 0 from behind, 1 from the side.
    turn = math.sin(heading - math.atan2(right, depth) - view.yaw)
    step = int(phase / (2 * math.pi) * _PHASES) % _PHASES
    side = round(abs(turn) * _SIDES)
    if scale < 14:  # from afar, two steps of gait and one turn are enough
        step, side = step // 5 * 5, 1
    points, parts = _frozen(figure, step, side)
    unit = scale * figure.tall / 1.72 * (1 << SHIFT)
    flip = unit if turn >= 0 else -unit
    fixed = points * (flip, -unit) + (x * (1 << SHIFT), ground * (1 << SHIFT))
    fixed = np.rint(fixed).astype(np.int32)
    for start, end, colour in parts:
        canvas.polygon(fixed[start:end], colour)
