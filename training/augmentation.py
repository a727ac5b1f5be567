"""The paper's augmentation: random scale, random crop, random left-right flip (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

#: What lies outside the image after a crop: 0 in the network's input range (equation 1).
PAD_VALUE = 127.5


@dataclass(frozen=True)
class Augmentation:
    """A random view of a labelled image.

    Attributes:
        crop: (width, height) in pixels of what comes out.
        min_scale, max_scale, scale_step: the scales drawn from, ends included.
        flip: whether half of the views are mirrored left-right.
    """

    crop: tuple[int, int]
    min_scale: float = 0.5
    max_scale: float = 2.0
    scale_step: float = 0.25
    flip: bool = True

    def __call__(
        self, image: np.ndarray, labels: np.ndarray, ignore_id: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one view.

        Args:
            image: uint8 [H, W, 3], RGB.
            labels: uint8 [H, W].
            ignore_id: label of pixels outside the image.
            rng: source of all randomness.

        Returns:
            float32 [h, w, 3] with values 0–255 and uint8 [h, w], where (w, h) is `crop`.
        """
        steps = round((self.max_scale - self.min_scale) / self.scale_step)
        scale = self.min_scale + self.scale_step * rng.integers(steps + 1)
        if scale != 1:
            size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        width, height = self.crop
        # Where the image is smaller than the crop, its place in the padding is random too.
        left = _draw_between(0, image.shape[1] - width, rng)
        top = _draw_between(0, image.shape[0] - height, rng)
        image_crop = np.full((height, width, 3), PAD_VALUE, np.float32)
        labels_crop = np.full((height, width), ignore_id, np.uint8)
        source = np.s_[max(top, 0) : top + height, max(left, 0) : left + width]
        part = labels[source]
        target = np.s_[max(-top, 0) :, max(-left, 0) :]
        image_crop[target][: part.shape[0], : part.shape[1]] = image[source]
        labels_crop[target][: part.shape[0], : part.shape[1]] = part
        if self.flip and rng.random() < 0.5:
            image_crop = image_crop[:, ::-1]
            labels_crop = labels_crop[:, ::-1]
        return image_crop, labels_crop


def _draw_between(a: int, b: int, rng: np.random.Generator) -> int:
    return int(rng.integers(min(a, b), max(a, b) + 1))
