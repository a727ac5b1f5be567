"""Streets beyond the drives': wide and narrow, with side roads, car parks and open sides."""

from .street import Street

LENGTH = 60.0  # metres after which the ground repeats (see ground.py)


class ViewStreet(Street):
    """A Street, and:

    lots: {side: whether a car park lies behind the pavement}; crossing: (start, width) in metres
    of side roads within each LENGTH of the road, or None; crossing_sides: where they go.
    """

    def __init__(self, rng):
        super().__init__(rng)
        wide = rng.random()
        if wide < 0.35:
            self.lane = rng.uniform(3.0, 4.0)
        elif wide < 0.45:
            self.lane = rng.uniform(4.0, 6.5)
        self.pavement = rng.uniform(1.2, 4.5)
        if rng.random() < 0.5:
            self.verge = 0.0
        self.leafy = rng.beta(0.7, 0.7)
        self.cars, self.traffic = rng.uniform(0.3, 1.1), rng.uniform(0.3, 2.2)
        self.people, self.bicycles = rng.uniform(0.4, 2.2), rng.uniform(0.2, 1.2)
        self.trees = rng.uniform(0.4, 2.4)
        self.lots = {side: bool(rng.random() < 0.09) for side in (-1, 1)}
        self.crossing, self.crossing_sides = None, ()
        if rng.random() < 0.4:
            self.crossing = (rng.uniform(2, LENGTH - 16), rng.uniform(5, 11))
            self.crossing_sides = ((-1, 1), (-1,), (1,))[rng.integers(3)]
        self.lamp_gap = float(rng.choice([20.0, 28.0, 40.0, 60.0]))

    def crosses(self, start, end, side):
        """Whether a side road of that side meets the road between two metres."""
        if self.crossing is None or side not in self.crossing_sides:
            return False
        low, wide = self.crossing
        return (low - start) % LENGTH < end - start or (start - low) % LENGTH < wide
