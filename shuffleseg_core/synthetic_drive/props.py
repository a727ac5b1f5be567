"""The textures and models that a street is put together from."""

import numpy as np

from . import fences, models, plants
from .facades import BRICKS, facade_set
from .people import Bicyclist, Pedestrian


class Props:
    """Those of one drive, all made for it.

    fronts: {style: [(Facade, {side: texture pyramid in the light of that side})]}; ends, hedges,
    walls: opaque pyramids; bare, leafy, railings, boards: see-through ones; cars: (Model,
    length in metres); pedestrians, bicyclists: figures.
    """

    def __init__(self, rng, street, light):
        fronts = facade_set(rng, street.styles)
        self.fronts = {
            style: [
                (front, {side: front.shaded(light.side_gain[side]) for side in (-1, 1)})
                for front in group
            ]
            for style, group in fronts.items()
            if group
        }
        end = light.side_gain[1] * 0.5 + light.side_gain[-1] * 0.4
        self.ends = [fences.end_wall(rng, np.float32(colour) * end) for colour in BRICKS]
        self.bare = [plants.bare_tree(rng) for _ in range(3)]
        self.leafy = [plants.leafy_tree(rng) for _ in range(3)]
        self.hedges = [plants.hedge(rng) for _ in range(2)]
        self.railings = [fences.railings(rng) for _ in range(2)]
        self.boards = [fences.boards(rng) for _ in range(2)]
        self.walls = [fences.low_wall(rng, BRICKS[rng.integers(len(BRICKS))]) for _ in range(2)]
        self.cars = [models.car(rng) for _ in range(12)]
        self.pedestrians = [Pedestrian(rng) for _ in range(20)]
        self.bicyclists = [Bicyclist(rng) for _ in range(8)]

    lamp_post = staticmethod(models.lamp_post)
    sign_post = staticmethod(models.sign_post)
