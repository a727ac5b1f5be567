"""Things that stand still along the street, each knowing how to paint itself.

Every thing has .key, the metre of the road by which things are painted back to front, and
.paint(canvas, view). A thing that casts a shadow on the ground has .shadow, a pair
(world polygon [N, 3], darkness 0..1), else None.
"""
import numpy as np

from . import models
from .classes import BUILDING, TREE


class Wall:
    """An upright textured rectangle from a near to a far foot point."""

    shadow = None

    def __init__(self, key, near, far, height, levels, class_id=None, base=0.0):
        self.key, self._levels, self._class_id = key, levels, class_id
        self._points = np.float64([near, far, far, near])
        self._points[:2, 1] = base + height
        self._points[2:, 1] = base

    def paint(self, canvas, view):
        camera = view.to_camera(self._points)
        z0, z1 = camera[0, 2], camera[1, 2]
        clip = 0.7
        if max(z0, z1) < clip + 0.3:
            return
        crop = [0.0, 1.0]
        if z0 < clip:    # cut away what is beside or behind the camera
            crop[0] = (clip - z0) / (z1 - z0)
            camera[[0, 3]] += crop[0] * (camera[[1, 2]] - camera[[0, 3]])
        elif z1 < clip:
            crop[1] = (clip - z0) / (z1 - z0)
            camera[[1, 2]] = camera[[0, 3]] + crop[1] * (camera[[1, 2]] - camera[[0, 3]])
        canvas.wall(self._levels, view.to_pixels(camera), crop, self._class_id)


class Slab:
    """Flat world polygons of one colour each: roofs, chimneys, gables."""

    shadow = None

    def __init__(self, key, polygons):
        self.key, self._polygons = key, polygons

    def paint(self, canvas, view):
        for points, colour in self._polygons:
            camera = view.to_camera(points)
            if camera[:, 2].max() > 1.0 and camera[:, 2].min() > -4:
                canvas.polygon(view.to_fixed(camera), colour)


class Plant:
    """A tree or bush: an upright sprite that faces the camera."""

    def __init__(self, key, foot, wide, tall, levels, shadow=None):
        self.key, self._foot, self._levels, self.shadow = key, foot, levels, shadow
        self._wide, self._tall = wide, tall

    def paint(self, canvas, view):
        camera = view.to_camera(self._foot)
        if camera[2] < 1.5:
            return
        x, y = view.to_pixels(camera)
        scale = view.focal / camera[2]
        canvas.sprite(self._levels, x - 0.5 * self._wide * scale, y - self._tall * scale,
                      self._wide * scale, self._tall * scale, TREE)


class Solid:
    """A model that stands still."""

    def __init__(self, key, model, world, shadow=None):
        self.key, self._model, self._world, self.shadow = key, model, world, shadow

    def paint(self, canvas, view):
        models.paint(canvas, view, self._model, self._world)


def building(road, s0, s1, side, line, facade, levels, end_levels, key):
    """The things one building is made of: roof, near end wall, front; and its depth."""
    place, deep = road.place, side * (line + 8.0)
    front = side * line
    height = facade.height
    things = []
    if facade.pitched:
        ridge = side * (line + 4.0)
        roof = np.float64((78, 70, 66)) if facade.colour[0] % 2 else np.float64((64, 66, 70))
        colour = tuple(int(c) for c in roof) + (BUILDING,)
        slope = place([s0, s1, s1, s0], [front, front, ridge, ridge],
                      [height, height, height + 2.4, height + 2.4])
        gable = place([s0, s0, s0], [front, ridge, deep], [height, height + 2.4, height])
        dark = tuple(int(c * 0.7) for c in facade.colour) + (BUILDING,)
        polygons = [(slope, colour), (gable, dark)]
        for s in (s0 + 0.6, s1 - 0.6):
            top = height + 3.6
            brick = tuple(int(c * 0.75) for c in facade.colour) + (BUILDING,)
            chimney = place([s, s, s, s], [ridge - .5, ridge - .5, ridge + .5, ridge + .5],
                            [height + 1.5, top, top, height + 1.5])
            pot = place([s, s, s, s], [ridge - .25, ridge - .25, ridge + .05, ridge + .05],
                        [top, top + .5, top + .5, top])
            polygons += [(chimney, brick), (pot, (120, 84, 66, BUILDING))]
        things.append(Slab(key + 0.02, polygons))
    things.append(Wall(key + 0.01, place(s0, front), place(s0, deep), height, end_levels))
    things.append(Wall(key, place(s0, front), place(s1, front), height, levels))
    return things
