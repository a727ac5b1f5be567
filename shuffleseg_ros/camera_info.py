"""A plausible sensor_msgs/CameraInfo for pictures whose camera nobody calibrated."""

import math


def pinhole_fields(width, height, horizontal_fov):
    """The fields of a CameraInfo, all but the header, as a dict.

    They describe an ideal pinhole camera of `horizontal_fov` degrees: no distortion, principal
    point in the middle. Arrays are lists of floats.
    """
    focal = width / (2.0 * math.tan(math.radians(horizontal_fov) / 2.0))
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0  # the centre of the first pixel is (0, 0)
    return {
        "width": width,
        "height": height,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
