"""Solid models: cars, vans, lamp posts and signs as polygons in metres (right, up, forward)."""

import numpy as np

from .camera import NEAR, SHIFT, clip_near, to_fixed
from .classes import CAR, POLE, SIGN

PAINTS = (
    (28, 32, 44),
    (150, 154, 158),
    (120, 20, 22),
    (22, 22, 24),
    (190, 192, 192),
    (24, 44, 78),
    (70, 76, 80),
    (36, 56, 46),
    (130, 134, 140),
    (52, 20, 26),
    (170, 160, 130),
    (20, 60, 120),
)
GLASS = (44, 48, 52)
TYRE = (20, 20, 21)


class Model:
    """Polygons of one object, in painting order.

    points: float64 [N, 3]; outlines: F arrays of rows of points; faces: int [F, 3],
    three far apart of each, which turn the way the whole face does; colours: (r, g, b, id) a face;
    culled: bool [F], true for faces that are seen from their front only; detail: bool [F],
    true for faces left out from afar.
    """

    def __init__(self):
        self.points, self.outlines, self.colours = [], [], []
        self.culled, self.detail = [], []

    def add(self, points, colour, class_id, culled=True, detail=False):
        start, count = len(self.points), len(points)
        self.points.extend(points)
        self.outlines.append(np.arange(start, start + count))
        grey = 0.3 * sum(colour) / 3  # what a camera records is paler than paint
        self.colours.append(
            tuple(int(min(max(0.7 * c + grey, 0), 255)) for c in colour) + (class_id,)
        )
        self.culled.append(culled)
        self.detail.append(detail)

    def finish(self):
        self.points = np.float64(self.points)
        self.faces = np.stack(
            [rows[[0, len(rows) // 3, 2 * len(rows) // 3]] for rows in self.outlines]
        )
        self.culled, self.detail = np.array(self.culled), np.array(self.detail)
        return self


def paint(canvas, view, model, camera, fixed):
    """Paint a model whose points are at camera [N, 3] and at fixed-point pixels [N, 2]."""
    depth = camera[:, 2]
    low, high = fixed[:, 0].min(), fixed[:, 0].max()
    if depth.max() < 0.8 or high < 0 or low > view.width << SHIFT:
        return
    a, b, c = (camera[model.faces[:, i]] for i in range(3))
    b, c = b - a, c - a
    normal = b[:, [1, 2, 0]] * c[:, [2, 0, 1]] - b[:, [2, 0, 1]] * c[:, [1, 2, 0]]
    shown = ~model.culled | ((normal * a).sum(1) < 0)  # the face looks at the camera
    if depth.min() * 450 > 32 * view.focal:
        shown &= ~model.detail
    whole = depth.min() >= NEAR
    for i in np.flatnonzero(shown).tolist():
        outline = model.outlines[i]
        if whole:
            canvas.polygon(fixed[outline], model.colours[i])
        else:
            paint_clipped(canvas, view, camera[outline], model.colours[i])


def paint_clipped(canvas, view, camera, colour):
    """Paint what is in front of the camera of a polygon that may reach behind it."""
    points = clip_near(camera)
    if len(points) > 2:
        canvas.polygon(to_fixed(view.to_pixels(points)), colour)


def _scaled(colour, gain):
    return tuple(c * gain for c in colour)


# Profiles from rear to front: (forward, up); what each strip between two points is made of.
_PROFILES = {
    "hatch": (
        (
            (0, 0.30),
            (0.0, 0.88),
            (0.45, 1.40),
            (2.3, 1.44),
            (3.0, 0.98),
            (3.85, 0.84),
            (4.0, 0.60),
            (4.0, 0.28),
        ),
        "b g r g h b b",
        4.0,
        1.72,
    ),
    "saloon": (
        (
            (0, 0.30),
            (0.0, 0.86),
            (0.75, 0.98),
            (1.35, 1.38),
            (2.6, 1.40),
            (3.35, 0.96),
            (4.3, 0.80),
            (4.5, 0.58),
            (4.5, 0.28),
        ),
        "b h g r g h b b",
        4.5,
        1.76,
    ),
    "suv": (
        (
            (0, 0.36),
            (0.0, 1.02),
            (0.25, 1.68),
            (2.7, 1.72),
            (3.35, 1.12),
            (4.25, 1.0),
            (4.4, 0.7),
            (4.4, 0.36),
        ),
        "b g r g h b b",
        4.4,
        1.84,
    ),
    "van": (
        (
            (0, 0.36),
            (0.0, 1.25),
            (0.05, 2.15),
            (3.7, 2.15),
            (4.4, 1.30),
            (5.0, 1.10),
            (5.1, 0.70),
            (5.1, 0.32),
        ),
        "b g r g h b b",
        5.1,
        1.95,
    ),
}


def car(rng):
    """A parked or driving car or van, its middle at the origin, driving forward."""
    kind = str(rng.choice(list(_PROFILES), p=(0.42, 0.28, 0.18, 0.12)))
    profile, strips, length, wide = _PROFILES[kind]
    body = np.float64(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(0.95, 1.35) + 8
    tall = max(up for _, up in profile)
    waist = profile[1][1]

    def half(up):  # the cabin leans inwards
        lean = max(up - waist, 0) / (tall - waist)
        return wide / 2 * (1 - (0.06 if kind == "van" else 0.17) * lean)

    def at(side, forward, up, out=0.0):
        return (side * (half(up) + out), up, forward - length / 2)

    model = Model()
    for z in (0.12, length - 0.12):  # the dark underside, and the tyres seen below it
        model.add(
            [at(-0.9, z, 0.02), at(0.9, z, 0.02), at(0.9, z, 0.4), at(-0.9, z, 0.4)],
            (14, 14, 15),
            CAR,
            culled=False,
        )
    wheels = (0.75, length - 0.8)
    for side in (-1, 1):
        ring = [at(side, f, u) for f, u in profile]
        model.add(ring if side > 0 else ring[::-1], _scaled(body, 0.82), CAR)
        sill = [
            at(side, 0.1, 0.2),
            at(side, 0.1, 0.45),
            at(side, length - 0.1, 0.45),
            at(side, length - 0.1, 0.2),
        ]
        model.add(sill if side > 0 else sill[::-1], _scaled(body, 0.5), CAR)
        glass = [(f, u) for f, u in profile if u > waist + 0.02]
        low = max(waist + 0.05, 0.92)
        rear, front = glass[0], glass[-1]
        if front[1] < tall - 0.2:
            front = glass[-2]
        window = [
            (rear[0] - 0.15, low),
            (rear[0] + 0.12, tall - 0.12),
            (front[0] - 0.05, tall - 0.12),
            (front[0] + (0.5 if kind != "van" else 0.35), low),
        ]
        if kind == "van":
            window = [(2.9, low + 0.2), (2.9, tall - 0.2), (3.6, tall - 0.2), (4.1, low + 0.2)]
        pane = [at(side, f, u, 0.005) for f, u in window]
        model.add(pane if side > 0 else pane[::-1], GLASS, CAR)
        bar = 0.5 * (window[1][0] + window[2][0])
        pillar = [
            at(side, bar - 0.05, low, 0.006),
            at(side, bar - 0.05, tall - 0.12, 0.006),
            at(side, bar + 0.05, tall - 0.12, 0.006),
            at(side, bar + 0.05, low, 0.006),
        ]
        model.add(pillar if side > 0 else pillar[::-1], _scaled(body, 0.7), CAR, detail=True)
        for centre in wheels:
            for radius, colour, detail in (
                (0.37, _scaled(body, 0.25), True),
                (0.32, TYRE, False),
                (0.19, (105, 107, 110), True),
            ):
                turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
                wheel = [
                    at(side, centre + radius * np.cos(a), 0.32 + radius * np.sin(a), 0.01)
                    for a in turn
                ]
                model.add(wheel[::-1] if side > 0 else wheel, colour, CAR, detail=detail)
    gains = {"b": 0.95, "h": 1.45, "r": 1.5}
    for (a, b), material in zip(zip(profile, profile[1:]), strips.split()):
        colour = _scaled(GLASS, 1.0) if material == "g" else _scaled(body, gains[material])
        model.add([at(-1, *a), at(-1, *b), at(1, *b), at(1, *a)], colour, CAR)
        if material == "g":  # the sky in the upper part of the glass
            top, low = (a, b) if a[1] > b[1] else (b, a)
            part = [
                (low[0] * t + top[0] * (1 - t), low[1] * t + top[1] * (1 - t)) for t in (0.06, 0.45)
            ]
            quad = [
                at(-0.86, *part[1]),
                at(-0.86, *part[0]),
                at(0.86, *part[0]),
                at(0.86, *part[1]),
            ]
            model.add(quad if top is b else quad[::-1], (128, 134, 138), CAR, detail=True)
    for z, flip, lamp, plate in (
        (-0.012, False, (150, 22, 20), (196, 172, 60)),
        (length + 0.012, True, (215, 218, 214), (214, 214, 208)),
    ):

        def flat(x0, x1, y0, y1, colour):
            quad = [
                (x0, y0, z - length / 2),
                (x0, y1, z - length / 2),
                (x1, y1, z - length / 2),
                (x1, y0, z - length / 2),
            ]
            model.add(quad[::-1] if flip else quad, colour, CAR, detail=True)

        flat(
            -wide / 2 + 0.02,
            wide / 2 - 0.02,
            0.30,
            0.46,
            _scaled(body, 0.55) if kind != "hatch" else (38, 38, 40),
        )
        y = 0.62 if not flip else 0.52
        for side in (-1, 1):
            flat(*sorted((side * (wide / 2 - 0.30), side * (wide / 2 - 0.04))), y, y + 0.19, lamp)
        flat(-0.26, 0.26, 0.42 if flip else 0.52, 0.53 if flip else 0.63, plate)
        if flip:
            flat(-0.5, 0.5, 0.56, 0.68, (30, 30, 32))
    return model.finish(), length


def _bar(model, x0, y0, x1, y1, width, colour, class_id=POLE):
    dx, dy = x1 - x0, y1 - y0
    scale = 0.5 * width / np.hypot(dx, dy)
    nx, ny = -dy * scale, dx * scale
    model.add(
        [
            (x0 - nx, y0 - ny, 0),
            (x0 + nx, y0 + ny, 0),
            (x1 + nx, y1 + ny, 0),
            (x1 - nx, y1 - ny, 0),
        ],
        colour,
        class_id,
        culled=False,
    )


def lamp_post(rng, inwards):
    """A street lamp whose arm reaches inwards (-1 left, 1 right)."""
    model, colour = Model(), _scaled((92, 96, 98), rng.uniform(0.4, 1.3))
    up, reach = rng.uniform(6.5, 9.0), inwards * rng.uniform(0.8, 1.8)
    _bar(model, 0, 0, 0, 1.4, 0.19, _scaled(colour, 0.9))
    _bar(model, 0, 0, 0, up, 0.11, colour)
    _bar(model, 0, up, reach, up + 0.25, 0.09, colour)
    _bar(model, reach - 0.1 * inwards, up + 0.22, reach + 0.7 * inwards, up + 0.30, 0.2, colour)
    return model.finish()


def bollard(rng):
    model = Model()
    _bar(model, 0, 0, 0, rng.uniform(0.9, 1.2), 0.15, (40, 40, 42))
    _bar(model, 0, 0.8, 0, 0.88, 0.16, (170, 170, 165))
    return model.finish()


def _disc(x, y, radius, corners=12, turn=0.0):
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
    return [(x + radius * np.sin(a), y + radius * np.cos(a), 0) for a in angles]


def sign_post(rng, inwards):
    """A traffic sign, a board or a signal on its pole."""
    model = Model()
    kind = str(
        rng.choice(
            ["round", "triangle", "plate", "signal", "totem", "blue"],
            p=(0.2, 0.16, 0.16, 0.26, 0.1, 0.12),
        )
    )
    if kind == "totem":
        colour = ((30, 50, 110), (40, 110, 70), (150, 40, 36), (190, 190, 186))[rng.integers(4)]
        _box(model, 0, 0.25, 0.75, 2.1, colour)
        _box(model, 0, 1.6, 0.6, 1.95, (220, 220, 214))
        _box(model, 0, 0.9, 0.6, 1.05, (200, 180, 90))
        _bar(model, 0, 0, 0, 0.3, 0.5, (60, 60, 62))
        return model.finish()
    up = rng.uniform(2.6, 3.2)
    _bar(
        model,
        0,
        0,
        0,
        up + (0.3 if kind != "signal" else 0.6),
        0.09,
        (100, 102, 104) if kind != "signal" else (34, 34, 36),
    )
    if kind == "round":
        model.add(_disc(0, up, 0.36), (168, 30, 32), SIGN, culled=False)
        model.add(_disc(0, up, 0.26), (222, 222, 218), SIGN, culled=False, detail=True)
        _box(model, 0, up - 0.1, 0.22, up + 0.1, (30, 30, 32), True)
    elif kind == "triangle":
        model.add(_disc(0, up, 0.48, 3), (170, 34, 34), SIGN, culled=False)
        model.add(_disc(0, up, 0.30, 3), (222, 222, 216), SIGN, culled=False, detail=True)
        _box(model, 0, up - 0.55, 0.6, up - 0.3, (215, 215, 210))
    elif kind == "plate":
        colour = ((214, 212, 206), (34, 74, 56), (190, 160, 60))[rng.integers(3)]
        wide = rng.uniform(0.7, 1.4)
        _box(model, 0, up - 0.4, wide, up + 0.45, colour)
        for y in (0.2, -0.05):
            _box(model, 0, up + y - 0.05, wide * 0.7, up + y + 0.06, (40, 40, 44), True)
    elif kind == "blue":
        model.add(_disc(0, up, 0.34), (30, 64, 140), SIGN, culled=False)
        _bar(model, -0.15, up + 0.15, 0.12, up - 0.12, 0.09, (225, 225, 222), SIGN)
    else:
        y = up - 0.1
        _box(model, 0, y - 0.6, 0.46, y + 0.62, (16, 17, 18))
        lit = int(rng.integers(3))
        for i, colour in enumerate(((215, 40, 30), (220, 150, 30), (60, 225, 160))):
            shade = 1.0 if i == lit else 0.18
            model.add(
                _disc(0, y + 0.36 - 0.36 * i, 0.12),
                _scaled(colour, shade),
                SIGN,
                culled=False,
                detail=i != lit,
            )
    return model.finish()


def wall_sign(rng, inwards):
    """A board that hangs from a front, across the pavement."""
    model = Model()
    colour = ((170, 36, 36), (30, 60, 120), (30, 84, 60), (214, 206, 190), (24, 24, 26))[
        rng.integers(5)
    ]
    up, wide = rng.uniform(2.8, 3.6), rng.uniform(0.5, 0.9) * inwards
    _box(model, wide * 0.6, up, abs(wide), up + rng.uniform(0.5, 1.1), colour)
    _box(model, wide * 0.6, up + 0.2, abs(wide) * 0.6, up + 0.32, (220, 214, 200), True)
    return model.finish()


def _box(model, x, y0, wide, y1, colour, detail=False):
    model.add(
        [
            (x - wide / 2, y0, 0),
            (x - wide / 2, y1, 0),
            (x + wide / 2, y1, 0),
            (x + wide / 2, y0, 0),
        ],
        colour,
        SIGN,
        culled=False,
        detail=detail,
    )
