"""Random views: the paper's scale, crop and left-right flip (section 3.2), and beyond it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np

from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.size import parse_size

from .camera_changes import CameraChanges
from .photometric import Photometric
from .recipe import AugmentationRecipe

#: What lies outside the image after a crop: 0 in the network's input range (equation 1).
PAD_VALUE = 127.5
_LARGEST_DENOMINATOR = 100
_SMALLEST_SCALE = Fraction(1, _LARGEST_DENOMINATOR)


@dataclass(frozen=True)
class Augmentation:
    """A random view of a labelled image.

    Attributes:
        crop: (width, height) in pixels of what comes out.
        min_scale, max_scale, scale_step: the scales drawn from, ends included, each taken as the
            nearest fraction with a denominator of at most 100.
        flip: whether half of the views are mirrored left-right.
        class_uniform_share: share of the views whose crop shows a pixel of a class that is drawn
            from those in the image, each as likely as the others, so that rare classes are seen
            more often (after Zhu et al., arXiv:1812.01593, section 3.3, within an image).
        photometric: changes of colour and sharpness.
        camera: what other cameras and weather do to the picture, before these.
    """

    crop: tuple[int, int]
    min_scale: float = 0.5
    max_scale: float = 2.0
    scale_step: float = 0.25
    flip: bool = True
    class_uniform_share: float = 0.0
    photometric: Photometric = field(default_factory=Photometric)
    camera: CameraChanges = field(default_factory=CameraChanges)

    @classmethod
    def of_recipe(cls, recipe: AugmentationRecipe) -> Augmentation:
        """From a recipe's section, whose keys are those here, `Photometric`'s and, as
        `camera_share` and `camera_strength`, those of `CameraChanges`."""
        values = {**vars(recipe), "crop": parse_size(recipe.crop)}
        photometric = Photometric(**{key: values.pop(key) for key in vars(Photometric())})
        camera = CameraChanges(values.pop("camera_share"), values.pop("camera_strength"))
        return cls(**values, photometric=photometric, camera=camera)

    def __call__(
        self,
        image: np.ndarray,
        labels: np.ndarray,
        padding_id: int,
        rng: np.random.Generator,
        out: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw one view. The image is sampled bilinearly, the labels at the nearest pixel.

        Args:
            image: uint8 [H, W, 3], RGB.
            labels: uint8 [H, W].
            padding_id: label of pixels outside the image; see `padding_id`.
            rng: source of all randomness.
            out: where to write what is returned, as the rows of a batch; new arrays where None.

        Returns:
            float32 [h, w, 3] with values 0–255 and uint8 [h, w], where (w, h) is `crop`.
        """
        # Scales like 0.1 are not exact in binary.
        steps = int((self.max_scale - self.min_scale) / self.scale_step + 1e-6)
        scale = Fraction(self.min_scale + self.scale_step * rng.integers(steps + 1))
        scale = max(scale.limit_denominator(_LARGEST_DENOMINATOR), _SMALLEST_SCALE)
        # Where the image is smaller than the crop, its place in the padding is random too.
        row = column = None
        if self.class_uniform_share and rng.random() < self.class_uniform_share:
            row, column = _draw_pixel_of_a_class(labels, padding_id, rng)
        columns = _Span.draw(image.shape[1], scale, self.crop[0], rng, column)
        rows = _Span.draw(image.shape[0], scale, self.crop[1], rng, row)
        flip = self.flip and rng.random() < 0.5

        width, height = self.crop
        if out is None:
            out = np.empty((height, width, 3), np.float32), np.empty((height, width), np.uint8)
        image_crop, labels_crop = out
        image_crop[:] = PAD_VALUE
        labels_crop[:] = padding_id
        place = rows.place, columns.mirrored_place(width) if flip else columns.place
        for whole, crop, interpolation in (
            (image, image_crop, cv2.INTER_LINEAR),
            # Not INTER_NEAREST, which samples up to a pixel left of and above INTER_LINEAR.
            (labels, labels_crop, cv2.INTER_NEAREST_EXACT),
        ):
            part = whole[rows.source, columns.source]
            if scale != 1:
                part = cv2.resize(part, (columns.scaled, rows.scaled), interpolation=interpolation)
            part = part[rows.cut, columns.cut]
            if flip:
                part = cv2.flip(part, 1)
            crop[place] = self.camera(part, rng) if whole is image else part
        image_crop[place] = self.photometric(image_crop[place], rng)
        return image_crop, labels_crop


def padding_id(label_map: LabelMap) -> int:
    """An id for pixels outside the image, which losses do not count.

    That is the data set's ignored id, or 255 where it has none.

    Raises:
        UserError: the data set has 256 classes, which leaves no id.
    """
    if label_map.ignore_id is not None:
        return label_map.ignore_id
    if len(label_map) > 255:
        raise UserError(
            "256 classes leave no id for pixels outside the image; merge two of them, or declare "
            "one of them as the ignored id"
        )
    return 255


@dataclass(frozen=True)
class _Span:
    """One axis of a view: which pixels of the image to scale, and which of those to keep.

    Only what the crop shows is scaled. So that its pixels lie on the grid of the whole scaled
    image, the part to scale begins where a pixel of that grid begins.

    Attributes:
        source: the image's pixels to scale.
        scaled: how many pixels these become.
        cut: those that the crop shows.
        place: where in the crop they go.
    """

    source: slice
    scaled: int
    cut: slice
    place: slice

    @classmethod
    def draw(
        cls,
        size: int,
        scale: Fraction,
        crop: int,
        rng: np.random.Generator,
        shown: int | None = None,
    ) -> _Span:
        """A random span of `crop` pixels of an axis of `size` pixels, scaled.

        `shown` is a pixel of the axis that is to lie in it.
        """
        whole = max(round(size * scale), 1)
        first, last = 0, whole - crop
        if shown is not None and last > 0:
            pixel = min(int((shown + 0.5) * scale), whole - 1)
            first, last = max(first, pixel - crop + 1), min(last, pixel)
        start = _draw_between(first, last, rng)
        first, end = max(start, 0), min(start + crop, whole)
        # Bilinear sampling takes one pixel more on either side.
        grid = scale.denominator
        source_start = max(int(first / scale) - 1, 0) // grid * grid
        source_end = -(-(int(end / scale) + 2) // grid) * grid
        scaled_start = int(source_start * scale)
        if source_end >= size:
            source_end, scaled_end = size, whole
        else:
            scaled_end = int(source_end * scale)
        return cls(
            slice(source_start, source_end),
            scaled_end - scaled_start,
            slice(first - scaled_start, end - scaled_start),
            slice(first - start, end - start),
        )

    def mirrored_place(self, crop: int) -> slice:
        """`place` in a crop of that width after a left-right flip."""
        return slice(crop - self.place.stop, crop - self.place.start)


def _draw_pixel_of_a_class(
    labels: np.ndarray, padding_id: int, rng: np.random.Generator
) -> tuple[int | None, int | None]:
    """(row, column) of a random pixel of a random class; None where no pixel has one."""
    # OpenCV 4 gives [256, 1], OpenCV 5 [256].
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    counts[padding_id] = 0
    present = np.flatnonzero(counts)
    if not len(present):
        return None, None
    pixels = np.flatnonzero(labels == rng.choice(present))
    row, column = divmod(int(rng.choice(pixels)), labels.shape[1])
    return row, column


def _draw_between(a: int, b: int, rng: np.random.Generator) -> int:
    return int(rng.integers(min(a, b), max(a, b) + 1))
