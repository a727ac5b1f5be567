"""The moving camera: where it is at a time, and how it projects."""

import numpy as np

NEAR = 0.25  # metres: nothing is projected from nearer than this
SHIFT = 4  # fractional bits of the pixel coordinates handed to OpenCV


class CameraRig:
    """The camera of one drive: its optics, and its ride as a function of time."""

    def __init__(self, rng, road, street, width, height):
        self.road, self.width, self.height = road, width, height
        self.focal = height * rng.uniform(1.05, 1.35)
        self.up = rng.uniform(1.2, 1.75)
        self.speed = rng.uniform(6.0, 9.5)
        self._horizon = height * rng.uniform(0.44, 0.52)
        self._lane = -0.5 * street.lane
        self._phase = rng.uniform(0, 2 * np.pi, 8)

    def distance(self, time):
        """Metres driven at a time in seconds; always growing."""
        return 5.0 + self.speed * time + 2.5 * np.sin(0.45 * time + self._phase[0])

    def view(self, time):
        """The View at a time in seconds."""
        p = self._phase
        s = float(self.distance(time))
        drift = 0.25 * np.sin(0.23 * time + p[1]) + 0.1 * np.sin(0.61 * time + p[2])
        sway = 0.012 * np.sin(0.9 * time + p[3]) + 0.004 * np.sin(2.3 * time + p[4])
        bob = 0.0025 * np.sin(5.1 * time + p[5]) + 0.003 * np.sin(1.7 * time + p[6])
        x, _, z = self.road.place(s, self._lane + drift)
        return View(
            self,
            s,
            (x, self.up, z),
            float(self.road.heading(s + 5.0)) + sway,
            self._horizon + bob * self.focal,
        )


class View:
    """A pinhole camera at one moment; pitch is a shift of the horizon row."""

    def __init__(self, rig, s, position, yaw, horizon):
        self.s, self.yaw, self.horizon = s, yaw, horizon
        self.position = np.array(position)
        self.focal, self.width, self.height = rig.focal, rig.width, rig.height
        self.middle = 0.5 * rig.width
        sine, cosine = np.sin(yaw), np.cos(yaw)
        self._turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        self._scale = np.array([self.focal, -self.focal])
        self._centre = np.array([self.middle, self.horizon])

    def to_camera(self, points):
        """World [..., 3] to camera coordinates [..., 3]: right, up, forward."""
        return (points - self.position) @ self._turn

    def to_pixels(self, points):
        """Camera coordinates [..., 3] to pixel positions [..., 2]; z is held at NEAR."""
        depth = np.maximum(points[..., 2:], NEAR)
        return points[..., :2] * self._scale / depth + self._centre


def clip_near(points):
    """The part of a polygon [N, 3] in camera coordinates that is in front of NEAR: [M, 3]."""
    kept = []
    for a, b in zip(points, np.roll(points, -1, axis=0)):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(a + (NEAR - a[2]) / (b[2] - a[2]) * (b - a))
    return np.array(kept).reshape(-1, 3)


def to_fixed(pixels):
    """Pixel positions to int32 with SHIFT fractional bits, kept within OpenCV's range."""
    return np.rint(np.clip(pixels, -6000, 12000) * (1 << SHIFT)).astype(np.int32)
