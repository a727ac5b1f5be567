"""What moves: walkers, riders and vehicles whose place is a function of time alone.

A mover's .at(time, low, high) is a thing (see things.py) for that moment, or None where it is
not between the metres low and high of the road, or has gone.
"""

import math

import numpy as np

from .people import paint_figure
from .things import Solid

_BLOT = np.float64([[-0.3, 0, -0.3], [-0.3, 0, 0.3], [0.3, 0, 0.3], [0.3, 0, -0.3]])


class _Figure:
    def __init__(self, road, figure, s, d, turn, phase):
        x, z, heading = road.pose(s, d)
        self.key, self.points = s, np.array([[x, 0.0, z]])
        self.shadow = (self.points + _BLOT, 0.45)
        self._figure, self._heading, self._phase = figure, heading + turn, phase

    def paint(self, canvas, view, camera, pixels, fixed):
        paint_figure(canvas, view, self._figure, camera[0], pixels[0], self._heading, self._phase)


class Walker:
    """A pedestrian who is near s when the camera comes by, at the time `meeting`."""

    def __init__(self, road, figure, s, d, speed, meeting, phase):
        self._road, self._figure, self._s, self._d = road, figure, s, d
        self._speed, self._meeting, self._phase = speed, meeting, phase

    def at(self, time, low, high, stride=5.2, most=60):
        gone = self._speed * (time - self._meeting)
        s = self._s + gone
        if abs(gone) > most or not low < s < high:
            return None
        return _Figure(
            self._road,
            self._figure,
            s,
            self._d,
            0.0 if self._speed > 0 else math.pi,
            self._phase + stride * (abs(gone)),
        )


class Crosser(Walker):
    """A pedestrian who crosses the road from left to right, within a distance of its middle."""

    limit = 7.0  # metres

    def at(self, time, low, high):
        gone = self._speed * (time - self._meeting)
        d = self._d + gone
        if abs(d) > self.limit or not low < self._s < high:
            return None
        return _Figure(
            self._road,
            self._figure,
            self._s,
            d,
            math.pi / 2,
            self._phase + 5.2 * (gone + self.limit),
        )


class Rider(Walker):
    """A bicyclist; as Walker."""

    def at(self, time, low, high):
        return super().at(time, low, high, stride=1.4, most=200)


def _car(road, model, length, s, d, backwards):
    return Solid(
        s - length / 2 + 0.3,
        model,
        road.place_rigid(s, d, model.points, backwards),
        car_shadow(road, s, d, length),
    )


class Vehicle:
    """A car that meets the camera near s at the time `meeting`."""

    def __init__(self, road, model, length, s, d, speed, meeting):
        self._road, self._model, self._length, self._d = road, model, length, d
        self._s, self._speed, self._meeting = s, speed, meeting

    def at(self, time, low, high):
        s = self._s + self._speed * (time - self._meeting)
        if abs(s - self._s) > 120 or not low < s < high:
            return None
        return _car(self._road, self._model, self._length, s, self._d, self._speed < 0)


class Leader:
    """The car that drives ahead of the camera, now nearer, now farther."""

    def __init__(self, road, model, length, rig, gap, phase, d):
        self._road, self._model, self._length, self._rig = road, model, length, rig
        self._gap, self._phase, self._d = gap, phase, d

    def at(self, time):
        gap = self._gap * (1 + 0.3 * math.sin(0.17 * time + self._phase))
        s = float(self._rig.distance(time)) + gap
        return _car(self._road, self._model, self._length, s, self._d, False)


def car_shadow(road, s, d, length):
    """The dark ground under a car, as a shadow."""
    a = length / 2
    return (
        road.place([s - a, s - a, s + a, s + a], [d - 0.95, d + 0.95, d + 0.95, d - 0.95]),
        0.65,
    )
