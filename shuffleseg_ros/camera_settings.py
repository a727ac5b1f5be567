"""What the parameters of one camera ask for, checked (no ROS in here)."""

import dataclasses
import re
from functools import cached_property

import cv2
import numpy as np

from shuffleseg_core.errors import UserError
from shuffleseg_core.image_file import read_rgb
from shuffleseg_core.size import parse_size
from shuffleseg_core.user_path import user_path
from shuffleseg_ros.image_conversion import ImageError

MOST_PIXELS = 1 << 26  # of an output


class EgoMask:
    """Where a camera sees its own vehicle.

    Raises UserError if the file is no image.
    """

    def __init__(self, path):
        self._mask = read_rgb(user_path(path)).any(axis=2).astype(np.uint8) * np.uint8(255)
        self._scaled = None

    def at(self, width, height):
        """uint8 [height, width]: 255 on the vehicle, else 0. The newest size is kept."""
        if self._scaled is None or self._scaled.shape != (height, width):
            self._scaled = cv2.resize(
                self._mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
            )
        return self._scaled


@dataclasses.dataclass(frozen=True)
class CameraSettings:
    """The live parameters of a camera, by their names; see segmentation_parameters.

    Raises UserError for values that are none.
    """

    output_size: str = "camera"
    roi: str = ""
    ego_mask: str = ""
    rate_limit: float = 0.0
    expected_rate: float = 0.0
    deadline_ms: float = 0.0
    deadline_warn_share: float = 0.05
    deadline_error_share: float = 0.5
    stale_timeout: float = 2.0

    def __post_init__(self):
        self._fixed_size, self._region, self.mask  # noqa: B018  (so that they are checked now)

    @classmethod
    def names(cls):
        return tuple(field.name for field in dataclasses.fields(cls))

    @property
    def deadline(self):
        """Seconds; 0: none."""
        return self.deadline_ms / 1e3

    @cached_property
    def mask(self):
        """EgoMask or None."""
        try:
            return EgoMask(self.ego_mask) if self.ego_mask else None
        except UserError as error:
            raise UserError(f"ego_mask: {error}") from error

    def size(self, camera_size, network_size):
        """(width, height) of the outputs; both sizes likewise."""
        if self.output_size == "network":
            return network_size
        return self._fixed_size or camera_size

    def region(self, width, height):
        """(x, y, width, height) that is labelled of a camera image, None: all of it.

        Raises ImageError where the region of interest lies outside of the image.
        """
        if self._region is None:
            return None
        x, y, w, h = self._region
        right, bottom = min(x + w, width), min(y + h, height)
        if right <= x or bottom <= y:
            raise ImageError(f"roi {self.roi} lies outside of the {width}x{height} image", "roi")
        return x, y, right - x, bottom - y

    @cached_property
    def _fixed_size(self):
        if self.output_size in ("camera", "network"):
            return None
        try:
            width, height = parse_size(self.output_size)
        except UserError as error:
            raise UserError(f"output_size: camera, network or WIDTHxHEIGHT; {error}") from error
        if width * height > MOST_PIXELS:
            raise UserError(f"output_size: {self.output_size} is more than {MOST_PIXELS} pixels")
        return width, height

    @cached_property
    def _region(self):
        if not self.roi.strip():
            return None
        numbers = re.fullmatch(",".join([r"\s*(\d{1,6})\s*"] * 4), self.roi)
        region = tuple(map(int, numbers.groups())) if numbers else (0, 0, 0, 0)
        if min(region[2:]) < 1:
            raise UserError(f"roi: {self.roi!r} is not x,y,width,height in whole pixels")
        return region


def scaled_region(region, camera_size, size):
    """A region of the camera image in an image of another size, at least one pixel."""
    (x, y, w, h), (width, height) = region, camera_size
    left, top = round(x * size[0] / width), round(y * size[1] / height)
    right, bottom = round((x + w) * size[0] / width), round((y + h) * size[1] / height)
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    return left, top, max(right - left, 1), max(bottom - top, 1)
