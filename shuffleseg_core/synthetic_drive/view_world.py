"""Worlds beyond the drives': car parks, side roads, open sides, long walls."""

import numpy as np

from .camera import CameraRig, View
from .road import _BEHIND, Road
from .things import Plant, Slab, Solid, Wall
from .world import SEGMENT, World

_AHEAD = 110.0  # metres
_RIGHT_ANGLE = np.float64([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])


class ViewRoad(Road):
    """A Road between its metres -100 and 1000 by a table of places and headings, which is quick."""

    def __init__(self, rng):
        super().__init__(rng)
        s = np.arange(-_BEHIND, 1000.0)
        heading = self.heading(s)
        centre = self.centre(s)
        columns = (centre[:, 0], centre[:, 1], np.cos(heading), np.sin(heading))
        self._table = np.stack(columns, axis=1)

    def place(self, s, d, y=0.0):
        s = np.asarray(s, np.float64) + _BEHIND
        low = s.astype(int)
        part = (s - low)[..., None]
        x, z, cosine, sine = np.moveaxis(
            self._table[low] * (1 - part) + self._table[low + 1] * part, -1, 0
        )
        x, z = x + d * cosine, z - d * sine
        points = np.empty((*x.shape, 3))
        points[..., 0], points[..., 1], points[..., 2] = x, y, z
        return points


class ViewRig(CameraRig):
    """A camera somewhere on the road at metre s, looking somewhat ahead."""

    def __init__(self, rng, road, street, width, height):
        super().__init__(rng, road, street, width, height)
        self.focal = height * np.exp(rng.uniform(np.log(0.85), np.log(1.6)))
        self.up = rng.uniform(0.9, 2.3)
        self._horizon = height * rng.uniform(0.37, 0.59)
        self._s = 100 + rng.uniform(0, 400)
        self._d = -0.5 * street.lane + rng.normal(0, 0.5)
        if rng.random() < 0.2:
            self._d = rng.uniform(-street.lane, street.lane)
        self._yaw = rng.normal(0, 0.05) if rng.random() < 0.75 else rng.normal(0, 0.22)
        self._yaw = float(np.clip(self._yaw, -0.5, 0.5))

    def distance(self, time):
        return self._s

    def view(self, time):
        x, _, z = self.road.place(self._s, self._d)
        heading = float(self.road.heading(self._s + 5.0))
        return View(self, self._s, (x, self.up, z), heading + self._yaw, self._horizon)


def _is_clear(thing, view):
    """Whether a thing does not stand right before the camera, where it would hide all."""
    across, _, ahead = np.moveaxis(view.to_camera(thing.points), -1, 0)
    return ahead.min() > 6.0 or ahead.max() < 0 or np.abs(across).min() > 1.2


class ViewWorld(World):
    """The content of one view's street."""

    def _numbers(self, s):
        numbers = range(int((s - 14) // SEGMENT), int((s + _AHEAD) // SEGMENT) + 1)
        return numbers, numbers

    def visible(self, view, time):
        return [
            thing
            for thing in super().visible(view, time)
            if isinstance(thing, (Wall, Slab)) or _is_clear(thing, view)
        ]

    def _zone(self, rng, start, side):
        if self._street.lots[side]:
            return "car_park"
        return super()._zone(rng, start, side)

    def _side(self, rng, start, side, things):
        made = []
        super()._side(rng, start, side, made)
        crosses = self._street.crosses
        things += [
            thing
            for thing in made
            if not (
                isinstance(thing, (Solid, Plant)) and crosses(thing.key - 3, thing.key + 0.5, side)
            )
        ]
        if crosses(start, start + SEGMENT, side):
            self._side_road_end(rng, start, side, things)

    def _front(self, rng, styles, s0, s1, side, line, things, before=None):
        if self._street.crosses(s0, s1, side):
            return 0.0
        return super()._front(rng, styles, s0, s1, side, line, things, before)

    def _boundary(self, rng, s0, s1, side, line, things, kind=None):
        if rng.random() < 0.35:
            kind = rng.uniform(0.66, 1.0)  # a wall or a hedge
        if not self._street.crosses(s0, s1, side):
            super()._boundary(rng, s0, s1, side, line, things, kind)

    def _furniture(self, rng, start, side, things):
        super()._furniture(rng, start, side, things)
        for _ in range(int(rng.poisson(2.5))):
            s = start + rng.uniform(0, SEGMENT)
            d = side * (self._street.kerb(side) + rng.uniform(0.3, 3.0))
            model = self._props.sign_post(rng, -side)
            things.append(Solid(s, model, self._road.place_rigid(s, d, model.points)))

    def _shadow_reach(self, side, line):
        return line - self._street.lane + self._light.reach * self._street.lane

    def _far_front(self, rng, s0, s1, d, key, things):
        """A long front beside the road, far from it."""
        style = ("modern", "shop", "house", "terrace")[rng.integers(4)]
        front, lit = self._props.fronts[style][rng.integers(4)]
        side = 1 if d > 0 else -1
        wide = front.width * rng.uniform(1, 2)
        for s in np.arange(s0, s1, wide):
            near, far = self._road.place(s, d), self._road.place(min(s + wide, s1), d)
            things.append(Wall(key, near, far, front.height * rng.uniform(0.7, 1.1), lit[side]))

    def _side_road_end(self, rng, start, side, things):
        low, wide = self._street.crossing
        low += start - start % 60 if start % 60 <= low + wide else start - start % 60 + 60
        line = self._street.front(side)
        d = side * (line + rng.uniform(18, 45))
        if rng.random() < 0.75:
            self._far_front(rng, low - 10, low + wide + 14, d, low + wide + 9, things)
        for _ in range(int(rng.integers(0, 3))):
            self._tree(
                rng, low + rng.uniform(-2, wide + 4), side * (line + rng.uniform(9, 20)), things
            )
        if rng.random() < 0.6:
            model, length = self._props.cars[rng.integers(len(self._props.cars))]
            s, off = low + wide * rng.choice([0.28, 0.72]), side * (line + rng.uniform(1, 14))
            self._car_across(s, off, model, things)

    def _car_across(self, s, d, model, things):
        world = self._road.place_rigid(s, d, model.points @ _RIGHT_ANGLE)
        things.append(Solid(s + 1.0 + 0.02 * abs(d), model, world))

    def _car_park(self, rng, start, side, line, things):
        for row in (3.4, 14.4, 22.0):
            full = rng.uniform(0.3, 0.95)
            for s in np.arange(start + 1.25, start + SEGMENT, 2.5):
                if rng.random() < full:
                    model, _ = self._props.cars[rng.integers(len(self._props.cars))]
                    self._car_across(s, side * (line + row), model, things)
        for _ in range(int(rng.poisson(2))):
            self._tree(
                rng, start + rng.uniform(0, SEGMENT), side * (line + rng.uniform(6, 28)), things
            )
        if rng.random() < 0.7:
            self._far_front(
                rng, start, start + SEGMENT, side * (line + 30), start + SEGMENT + 6, things
            )
        if rng.random() < 0.5:
            kind = rng.random()
            for s in np.arange(start, start + SEGMENT, 8.0):
                self._boundary(rng, s, s + 8, side, line, things, kind)
