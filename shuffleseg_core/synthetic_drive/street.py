"""What kind of street a drive goes through: widths, mix of buildings, densities."""

STYLES = ("shop", "terrace", "house", "modern")


class Street:
    """Metres and odds that hold for a whole drive, a function of the generator only."""

    def __init__(self, rng):
        self.character = str(rng.choice(["centre", "suburb", "avenue"], p=(0.45, 0.30, 0.25)))
        centre, suburb = self.character == "centre", self.character == "suburb"
        self.lane = rng.uniform(2.8, 3.4)
        self.parking = {side: bool(rng.random() < (0.4 if centre else 0.5)) for side in (-1, 1)}
        self.pavement = rng.uniform(2.2, 4.6) if centre else rng.uniform(1.8, 3.2)
        self.verge = 0.0 if centre or rng.random() < 0.4 else rng.uniform(0.9, 2.6)
        self.zones = dict(
            zip(
                ("terrace", "houses", "park", "modern"),
                (0.66, 0.04, 0.16, 0.14)
                if centre
                else (0.18, 0.55, 0.17, 0.10)
                if suburb
                else (0.22, 0.20, 0.42, 0.16),
            )
        )
        self.styles = dict(
            zip(STYLES, (0.45, 0.30, 0.05, 0.20) if centre else (0.10, 0.25, 0.45, 0.20))
        )
        self.trees = rng.uniform(0.25, 1.0) * (0.5 if centre else 1.3)
        self.leafy = rng.uniform(0.1, 0.55)
        self.cars = rng.uniform(0.45, 1.0)
        self.traffic = rng.uniform(0.5, 1.4)
        self.people = rng.uniform(0.7, 1.5) * (1.7 if centre else 0.8)
        self.bicycles = rng.uniform(0.7, 1.4)
        self.yellow_lines = {
            side: not self.parking[side] and bool(rng.random() < 0.7) for side in (-1, 1)
        }
        self.cycle_lane = not self.parking[-1] and bool(rng.random() < 0.25)
        self.dash = ((2.0, 4.0), (4.0, 2.0), (1.0, 5.0), (4.0, 8.0))[rng.integers(4)]
        self.lamp_gap = float(rng.choice([20.0, 24.0, 30.0]))

    def kerb(self, side):
        """Metres from the centre line to the kerb of a side (-1 left, 1 right)."""
        return self.lane + (2.1 if self.parking[side] else 0.0)

    def front(self, side):
        """Metres from the centre line to the far edge of the pavement."""
        return self.kerb(side) + self.verge + self.pavement
