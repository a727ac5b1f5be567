"""SyntheticDrive: frames of a procedural street with exact ground truth."""

import operator

import cv2
import numpy as np

from .camera import CameraRig, to_fixed
from .canvas import Canvas
from .ground import Ground, paint_shadows
from .light import Light
from .road import Road
from .sky import Sky
from .street import Street
from .world import World

SMALLEST, LARGEST = 32, 4096  # pixels
SLOWEST, FASTEST = 0.1, 1000.0  # frames a second
_STREETS = 29  # the family of streets: chosen so that seed 0 is a bright one with every class


class SyntheticDrive:
    """A drive through a made-up British street, with CamVid ids as its ground truth.

    Frame i is a function of (seed, width, height, rate, i) only: the same bytes on every run
    and in whatever order frames are asked for. The drive is a frame source: it can be
    iterated again and again, and every frame carries its truth.

    seed: int >= 0; other seeds are other streets, lights and cameras.
    width, height: pixels, 32..4096, any shape. num_frames: >= 1. rate: frames a
    second, 0.1..1000.
    Raises ValueError where an argument is out of range.
    """

    truth = True

    def __init__(self, seed=0, width=640, height=360, num_frames=300, rate=15.0):
        self.seed, self.num_frames = operator.index(seed), operator.index(num_frames)
        self.width, self.height = operator.index(width), operator.index(height)
        self.rate = float(rate)
        if self.seed < 0:
            raise ValueError(f"seed: {seed}; use 0 or more")
        if self.num_frames < 1:
            raise ValueError(f"num_frames: {num_frames}; use 1 or more")
        if not (SMALLEST <= self.width <= LARGEST and SMALLEST <= self.height <= LARGEST):
            raise ValueError(f"size: {width}x{height}; use {SMALLEST} to {LARGEST} pixels")
        if not SLOWEST <= self.rate <= FASTEST:
            raise ValueError(f"rate: {rate}; use {SLOWEST} to {FASTEST} frames a second")

        def rng(part):
            return np.random.default_rng([_STREETS, self.seed, part])

        # A generator for each part: a change of one leaves the others as they are.
        street = Street(rng(1))
        self._road = Road(rng(2))
        self._rig = CameraRig(rng(3), self._road, street, self.width, self.height)
        self._light = Light(rng(4), self.width, self.height)
        self._sky = Sky(rng(5), self._light)
        self._ground = Ground(rng(6), street, self._light)
        self._world = World(
            (_STREETS, self.seed), rng(9), self._road, street, self._light, self._rig
        )

    @property
    def label_map(self):
        """The LabelMap of the truth: CamVid's."""
        from shuffleseg_core.label_map import LabelMap

        return LabelMap.named("camvid")

    def __len__(self):
        return self.num_frames

    def __iter__(self):
        """Frames of shuffleseg_core.frame_source, in order."""
        from shuffleseg_core.frame_source import Frame

        for index in range(self.num_frames):
            rgb, ids = self.frame(index)
            yield Frame(
                name=f"{index:06d}", image=rgb, error=None, truth=ids, time=index / self.rate
            )

    def frame(self, index):
        """Frame number index, 0..num_frames - 1; IndexError beyond.

        Returns (rgb uint8 [height, width, 3], ids uint8 [height, width], CamVid ids 0..10);
        the arrays are the caller's own. A pixel's id is that of what was painted there last.
        """
        index = operator.index(index)
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a drive of {self.num_frames} frames")
        time = index / self.rate
        view = self._rig.view(time)
        canvas = Canvas(self.width, self.height)
        self._sky.paint(canvas, view)
        first = self._ground.paint(canvas, view, self._road)
        things = self._world.visible(view, time)
        if first is not None:
            paint_shadows(canvas, view, first, [t.shadow for t in things if t.shadow is not None])
        camera = view.to_camera(np.concatenate([thing.points for thing in things]))
        pixels = view.to_pixels(camera)
        fixed = to_fixed(pixels)
        start = 0
        for thing in things:
            end = start + len(thing.points)
            thing.paint(canvas, view, camera[start:end], pixels[start:end], fixed[start:end])
            start = end
        rgb = cv2.cvtColor(canvas.pixels, cv2.COLOR_RGBA2RGB)
        return self._light.grade(rgb, time, index), cv2.extractChannel(canvas.pixels, 3)
