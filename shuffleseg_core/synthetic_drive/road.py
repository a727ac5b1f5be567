"""The centre line of the street: a gently winding curve, and road coordinates.

Road coordinates are (s, d): metres along the centre line, and metres to the right of it.
World coordinates are (x, y, z): right, up and forward of the start of the road.
"""

import math

import numpy as np

_BEHIND = 100.0  # metres of road behind s = 0


class Road:
    """A centre line whose heading is a sum of slow sines of s."""

    def __init__(self, rng):
        self._wavelength = rng.uniform((140, 220, 350), (220, 350, 700))
        self._amplitude = rng.uniform(0.2, 1.0, 3) * (0.05, 0.10, 0.25)
        self._phase = rng.uniform(0, 2 * np.pi, 3)
        self._sines = list(
            zip(self._amplitude.tolist(), self._wavelength.tolist(), self._phase.tolist())
        )
        self._grid = np.zeros((0, 2))

    def heading(self, s):
        """Heading in radians (clockwise seen from above) at s (scalar or array)."""
        s = np.asarray(s, np.float64)[..., None]
        return (self._amplitude * np.sin(2 * np.pi * s / self._wavelength + self._phase)).sum(-1)

    def centre(self, s):
        """World (x, z) of the centre line at s: float64 [..., 2]."""
        s = np.asarray(s, np.float64) + _BEHIND
        need = int(s.max()) + 2
        if need >= len(self._grid):
            self._extend(2 * need)
        low = np.floor(s).astype(int)
        part = (s - low)[..., None]
        return self._grid[low] * (1 - part) + self._grid[low + 1] * part

    def _extend(self, count):
        # A running sum from the same start: every prefix is the same, whatever the length.
        heading = self.heading(np.arange(count) + 0.5 - _BEHIND)
        steps = np.stack([np.sin(heading), np.cos(heading)], axis=1)
        self._grid = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])

    def place(self, s, d, y=0.0):
        """World points float64 [..., 3] of road coordinates (broadcast together)."""
        s, d, y = np.broadcast_arrays(np.float64(s), np.float64(d), np.float64(y))
        heading, centre = self.heading(s), self.centre(s)
        return np.stack(
            [centre[..., 0] + d * np.cos(heading), y, centre[..., 1] - d * np.sin(heading)], axis=-1
        )

    def pose(self, s, d):
        """(x, z, heading) at one point of the road, as floats."""
        heading = sum(a * math.sin(2 * math.pi * s / w + p) for a, w, p in self._sines)
        place = s + _BEHIND
        low = int(place)
        if low + 1 >= len(self._grid):
            self._extend(2 * (low + 2))
        part = place - low
        (x0, z0), (x1, z1) = self._grid[low], self._grid[low + 1]
        return (
            float(x0 + part * (x1 - x0)) + d * math.cos(heading),
            float(z0 + part * (z1 - z0)) - d * math.sin(heading),
            heading,
        )

    def place_rigid(self, s, d, points, backwards=False):
        """World points of a rigid model [N, 3] (right, up, forward) standing at (s, d)."""
        x, z, heading = self.pose(s, d)
        if backwards:
            heading += math.pi
        sine, cosine = math.sin(heading), math.cos(heading)
        return points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]]) + (x, 0, z)
