"""Things that stand still along the street, each knowing how to paint itself.

Every thing has .key, the metre of the road by which things are painted back to front;
.points, its world points [N, 3]; and .paint(canvas, view, camera, pixels, fixed), which is
given its points in camera coordinates, in pixels and in fixed-point pixels. .reach is how many
metres away it is still painted. .shadow is the shadow it casts on the ground, a pair
(world polygon [N, 3], darkness 0..1), or None.
"""

import numpy as np

from . import models
from .camera import NEAR
from .classes import BUILDING, TREE

_CLIP = 0.7  # metres: walls are cut off nearer than this


class Wall:
    """An upright textured rectangle from a near to a far foot point."""

    shadow, reach = None, 150.0

    def __init__(self, key, near, far, height, levels, class_id=None, base=0.0):
        self.key, self._levels, self._class_id = key, levels, class_id
        self.points = np.float64([near, far, far, near])
        self.points[:2, 1] = base + height
        self.points[2:, 1] = base

    def paint(self, canvas, view, camera, pixels, fixed):
        z0, z1 = float(camera[0, 2]), float(camera[1, 2])
        if max(z0, z1) < _CLIP + 0.3:
            return
        crop = (0.0, 1.0)
        if min(z0, z1) < _CLIP:  # cut away what is beside or behind the camera
            cut = (_CLIP - z0) / (z1 - z0)
            camera = camera.copy()
            middle = camera[[0, 3]] + cut * (camera[[1, 2]] - camera[[0, 3]])
            camera[[0, 3] if z0 < _CLIP else [1, 2]] = middle
            crop = (cut, 1.0) if z0 < _CLIP else (0.0, cut)
            pixels = view.to_pixels(camera)
        canvas.wall(self._levels, pixels, crop, self._class_id)


class Slab:
    """Flat world polygons of one colour each: roofs, chimneys, gables."""

    shadow, reach = None, 150.0

    def __init__(self, key, polygons):
        self.key = key
        self.points = np.concatenate([points for points, _ in polygons])
        ends = np.cumsum([len(points) for points, _ in polygons]).tolist()
        self._parts = list(zip([0] + ends, ends, [colour for _, colour in polygons]))

    def paint(self, canvas, view, camera, pixels, fixed):
        depth = camera[:, 2]
        if depth.max() < 1.0:
            return
        whole = depth.min() >= NEAR
        for start, end, colour in self._parts:
            if whole:
                canvas.polygon(fixed[start:end], colour)
            else:
                models.paint_clipped(canvas, view, camera[start:end], colour)


class Plant:
    """A tree or bush: an upright sprite that faces the camera."""

    reach = 130.0

    def __init__(self, key, foot, wide, tall, levels, shadow=None):
        self.key, self._levels, self.shadow = key, levels, shadow
        self.points = foot[None]
        self._wide, self._tall = wide, tall

    def paint(self, canvas, view, camera, pixels, fixed):
        if camera[0, 2] < 1.5:
            return
        x, y = pixels[0].tolist()
        scale = view.focal / float(camera[0, 2])
        canvas.sprite(
            self._levels,
            x - 0.5 * self._wide * scale,
            y - self._tall * scale,
            self._wide * scale,
            self._tall * scale,
            TREE,
        )


class Solid:
    """A model that stands at world points [N, 3]."""

    reach = 100.0

    def __init__(self, key, model, world, shadow=None):
        self.key, self._model, self.points, self.shadow = key, model, world, shadow

    def paint(self, canvas, view, camera, pixels, fixed):
        models.paint(canvas, view, self._model, camera, fixed)


def building(road, s0, s1, side, line, facade, levels, end_levels, key, end_shown=True):
    """The things one building is made of: roof, near end wall, front; and its depth."""
    place, deep = road.place, side * (line + 8.0)
    front = side * line
    height = facade.height
    things = []
    if facade.pitched:
        ridge = side * (line + 4.0)
        roof = np.float64((78, 70, 66)) if facade.colour[0] % 2 else np.float64((64, 66, 70))
        colour = tuple(int(c) for c in roof) + (BUILDING,)
        slope = place(
            [s0, s1, s1, s0],
            [front, front, ridge, ridge],
            [height, height, height + 2.4, height + 2.4],
        )
        gable = place([s0, s0, s0], [front, ridge, deep], [height, height + 2.4, height])
        dark = tuple(int(c * 0.7) for c in facade.colour) + (BUILDING,)
        polygons = [(slope, colour), (gable, dark)]
        if int(s0 * 10) % 2:  # a chimney on half of the roofs
            s, top = s1 - 0.6, height + 3.2
            brick = tuple(int(c * 0.75) for c in facade.colour) + (BUILDING,)
            polygons.append(
                (
                    place(
                        [s, s, s, s],
                        [ridge - 0.6, ridge - 0.6, ridge + 0.6, ridge + 0.6],
                        [height + 1.5, top, top, height + 1.5],
                    ),
                    brick,
                )
            )
            for d in (ridge - 0.4, ridge + 0.1):
                pot = place(
                    [s, s, s, s], [d, d, d + 0.25, d + 0.25], [top, top + 0.35, top + 0.35, top]
                )
                polygons.append((pot, (120, 84, 66, BUILDING)))
        things.append(Slab(key + 0.02, polygons))
    if end_shown:
        things.append(Wall(key + 0.01, place(s0, front), place(s0, deep), height, end_levels))
    things.append(Wall(key, place(s0, front), place(s1, front), height, levels))
    return things
