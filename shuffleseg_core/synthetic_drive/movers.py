"""What moves: walkers, riders and vehicles whose place is a function of time alone.

A mover's .at(time) is a thing (see things.py) for that moment, or None.
"""
import numpy as np

from . import models
from .people import paint_figure


class _Figure:
    def __init__(self, key, figure, world, heading, phase, shadow):
        self.key, self.shadow = key, shadow
        self._arguments = figure, world, heading, phase

    def paint(self, canvas, view):
        paint_figure(canvas, view, *self._arguments)


class Walker:
    """A pedestrian who is near s when the camera comes by, at the time `meeting`."""

    stride = 5.2   # radians of gait a metre

    def __init__(self, road, figure, s, d, speed, meeting, phase, across=False, limit=0.0):
        self._road, self._figure, self._s, self._d = road, figure, s, d
        self._speed, self._meeting, self._phase = speed, meeting, phase
        self._across, self._limit = across, limit

    def at(self, time):
        gone = self._speed * (time - self._meeting)
        s, d = (self._s, self._d + gone) if self._across else (self._s + gone, self._d)
        if self._across and abs(d) > self._limit or abs(gone) > 60:
            return None
        heading = float(self._road.heading(s)) + (np.pi / 2 if self._across else
                                                  0.0 if self._speed > 0 else np.pi)
        shadow = (self._road.place([s - .25, s - .25, s + .15, s + .15],
                                   [d - .25, d + .25, d + .25, d - .25]), 0.45)
        return _Figure(s, self._figure, self._road.place(s, d), heading,
                       self._phase + self.stride * abs(gone), shadow)


class Rider(Walker):
    """A bicyclist; as Walker."""

    stride = 1.4

    def at(self, time):
        gone = self._speed * (time - self._meeting)
        if abs(gone) > 200:
            return None
        s, d = self._s + gone, self._d
        heading = float(self._road.heading(s)) + (0.0 if self._speed > 0 else np.pi)
        shadow = (self._road.place([s - .8, s - .8, s + .8, s + .8],
                                   [d - .2, d + .2, d + .2, d - .2]), 0.5)
        return _Figure(s, self._figure, self._road.place(s, d), heading,
                       self._phase + self.stride * (gone + 300), shadow)


class _Car:
    def __init__(self, road, model, length, s, d, backwards):
        self.key = s - length / 2 + 0.3
        self.shadow = car_shadow(road, s, d, length)
        self._model = model
        self._world = road.place_rigid(s, d, model.points, backwards)

    def paint(self, canvas, view):
        models.paint(canvas, view, self._model, self._world)


class Vehicle:
    """A car that meets the camera near s at the time `meeting`."""

    def __init__(self, road, model, length, s, d, speed, meeting):
        self._road, self._model, self._length, self._d = road, model, length, d
        self._s, self._speed, self._meeting = s, speed, meeting

    def at(self, time):
        s = self._s + self._speed * (time - self._meeting)
        if abs(s - self._s) > 120:
            return None
        return _Car(self._road, self._model, self._length, s, self._d, self._speed < 0)


class Leader:
    """The car that drives ahead of the camera, now nearer, now farther."""

    def __init__(self, road, model, length, rig, gap, phase, d):
        self._road, self._model, self._length, self._rig = road, model, length, rig
        self._gap, self._phase, self._d = gap, phase, d

    def at(self, time):
        gap = self._gap * (1 + 0.3 * np.sin(0.17 * time + self._phase))
        s = float(self._rig.distance(time)) + gap
        return _Car(self._road, self._model, self._length, s, self._d, False)


def car_shadow(road, s, d, length):
    """The dark ground under a car, as a shadow."""
    a = length / 2
    return (road.place([s - a, s - a, s + a, s + a], [d - .95, d + .95, d + .95, d - .95]), 0.65)
