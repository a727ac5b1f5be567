"""Reading every image and mask of a split: what is wrong, and how much there is of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from .dataset import Dataset


@dataclass
class SplitReport:
    """What `check_split` found.

    Attributes:
        dataset: the split.
        problems: one line each.
        good: indices of the images without a problem.
        sizes: (width, height) of the images → how many.
        pixels: int64 [256], pixels of each id in the masks.
        images_with: int64 [256], masks that hold each id.
        unlabelled: names of the images whose masks hold the ignored id alone.
    """

    dataset: Dataset
    problems: list[str] = field(default_factory=list)
    good: list[int] = field(default_factory=list)
    sizes: Counter = field(default_factory=Counter)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    images_with: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    unlabelled: list[str] = field(default_factory=list)

    @property
    def ignored_share(self) -> float:
        """Part of all mask pixels, 0 to 1, that count for no class; NaN without masks."""
        total = self.pixels.sum()
        return 1.0 - self.class_pixels.sum() / total if total else float("nan")

    @property
    def class_pixels(self) -> np.ndarray:
        """int64 [C]: pixels of each class, of which none is ignored."""
        return self.of_classes(self.pixels)

    @property
    def class_images(self) -> np.ndarray:
        """int64 [C]: masks that hold each class."""
        return self.of_classes(self.images_with)

    @property
    def absent(self) -> list[str]:
        """Names of the classes that no mask holds."""
        names = self.dataset.label_map.names
        return [name for name, images in zip(names, self.class_images) if not images]

    def of_classes(self, counts: np.ndarray) -> np.ndarray:
        """[256] counts of ids → [C] counts of classes, without the ignored id."""
        counts = counts[: len(self.dataset.label_map)].copy()
        ignored = self.dataset.label_map.ignore_id
        if ignored is not None and ignored < len(counts):
            counts[ignored] = 0
        return counts

    def to_dict(self) -> dict:
        """A JSON-ready form."""
        labelled = max(int(self.class_pixels.sum()), 1)
        return {
            "images": len(self.dataset),
            "problems": self.problems,
            "sizes": {f"{w}x{h}": count for (w, h), count in self.sizes.most_common()},
            "ignored_share": self.ignored_share,
            "classes": {
                name: {"pixels": int(pixels), "share": pixels / labelled, "images": int(images)}
                for name, pixels, images in zip(
                    self.dataset.label_map.names, self.class_pixels, self.class_images
                )
            },
            "absent_classes": self.absent,
            "images_without_labelled_pixels": self.unlabelled,
        }


def check_split(
    dataset: Dataset, workers: int, progress: Callable[[Iterable], Iterable] = iter
) -> SplitReport:
    """Read every image and mask of a split.

    Args:
        dataset: the split.
        workers: threads that read.
        progress: wraps the iteration over the images, for a progress bar.
    """
    report = SplitReport(dataset)
    with ThreadPoolExecutor(workers) as pool:
        try:
            results = pool.map(lambda index: _check_sample(dataset, index), range(len(dataset)))
            for index, (problems, size, counts) in enumerate(progress(results)):
                report.problems += problems
                if not problems:
                    report.good.append(index)
                if size is not None:
                    report.sizes[size] += 1
                if counts is not None:
                    report.pixels += counts
                    report.images_with += counts > 0
                    if not report.of_classes(counts).any():
                        report.unlabelled.append(dataset.sample_name(index))
        except BaseException:  # Ctrl-C must not wait for the images still to come
            pool.shutdown(cancel_futures=True)
            raise
    return report


def _check_sample(dataset: Dataset, index: int):
    """(problems, (width, height) or None, int64 [256] pixels of each id or None)."""
    problems, image, labels = [], None, None
    try:
        image = dataset.read_image(index)
    except UserError as error:
        problems.append(str(error))
    try:
        labels = dataset.read_labels(index)
        if image is not None:
            dataset.check_sizes(index, image, labels)
    except UserError as error:
        problems.append(str(error))
    size = None if image is None else image.shape[1::-1]
    counts = None if labels is None else np.bincount(labels.ravel(), minlength=256)
    return problems, size, counts
