"""StreetViews: endless single pictures, each of a street, a camera and a light of its own."""

import cv2
import numpy as np

from .camera import to_fixed
from .canvas import Canvas
from .ground import paint_shadows
from .stock import Stock, StockProps
from .view_light import ViewLight
from .view_world import ViewRig, ViewRoad, ViewWorld

_VIEWS = 31  # apart from the drives' family of streets
_HAZE_STEPS = (80.0, 45.0, 22.0)  # metres


class StreetViews:
    """Views of made-up streets with CamVid ids as their ground truth, to train on.

    View number n is a function of (seed, width, height, n) only. Streets, lights, cameras and
    layouts vary more than SyntheticDrive's; there is no motion. Safe to use in several threads;
    numbers that come roughly in order are quick, as they share textures (see stock.py).

    seed: int >= 0. width, height: pixels.
    """

    def __init__(self, seed=0, width=480, height=360):
        self.seed, self.width, self.height = seed, width, height
        self._stock = Stock((_VIEWS, seed))

    def view(self, number):
        """(rgb uint8 [height, width, 3], ids uint8 [height, width], CamVid ids 0..10)."""
        stock, size = self._stock, (self.width, self.height)
        rng = np.random.default_rng([_VIEWS, self.seed, 99, number])
        street, ground = stock.pick("street", number, rng)[0]
        road = ViewRoad(rng)
        rig = ViewRig(rng, road, street, *size)
        light = ViewLight(rng, stock, number, *size)
        props = StockProps(stock, number, rng, street, light)
        world = ViewWorld((_VIEWS, self.seed, number), rng, road, street, light, rig, props)
        view = rig.view(0.0)
        time = view.s / rig.speed  # when the movers of this place are here
        canvas = Canvas(*size)
        light.paint(canvas, view)
        first = ground.paint(canvas, view, road)
        things = world.visible(view, time)
        if first is not None:
            paint_shadows(canvas, view, first, [t.shadow for t in things if t.shadow is not None])
        self._paint_things(canvas, view, light, things)
        rgb = cv2.cvtColor(canvas.pixels, cv2.COLOR_RGBA2RGB)
        return light.grade(rgb, 0.0, 0), cv2.extractChannel(canvas.pixels, 3)

    def _paint_things(self, canvas, view, light, things):
        camera = view.to_camera(np.concatenate([thing.points for thing in things]))
        pixels = view.to_pixels(camera)
        fixed = to_fixed(pixels)
        steps = list(_HAZE_STEPS)
        start = 0
        for thing in things:
            while steps and thing.key - view.s < steps[0]:
                _haze(canvas, view, light, steps.pop(0))
            end = start + len(thing.points)
            thing.paint(canvas, view, camera[start:end], pixels[start:end], fixed[start:end])
            start = end


def _haze(canvas, view, light, metres):
    """Veil what is painted so far, and the ground from there on."""
    share = light.haze * metres / 150
    if share < 0.01:
        return
    foot = int(view.horizon + view.focal * view.position[1] / metres)
    part = canvas.pixels[: min(max(foot, 0), view.height)]
    if len(part):
        level = np.arange(256.0)[:, None]
        veiled = level * (1 - share) + np.clip(light.horizon, 0, 255) * share
        part[...] = cv2.LUT(part, np.uint8(np.concatenate([veiled, level], axis=1))[None])
