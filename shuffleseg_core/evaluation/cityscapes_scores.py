"""The Cityscapes benchmark's scores: class and category IoU, and both weighted by instances.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016),
section 4.1, and the benchmark's own `evalPixelLevelSemanticLabeling.py`, to which the tests hold
every number equal.
"""

from __future__ import annotations

import math

import numpy as np

from ..cityscapes_labels import ID_OF_TRAIN_ID, LABELS
from ..datasets import Dataset
from ..errors import UserError
from ..metrics import ConfusionMatrix
from .truth import read_truth

#: Mean pixels of an instance in the training set, as the benchmark gives them.
AVERAGE_INSTANCE_SIZE = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}

_LABELS = [label for label in LABELS if label.id >= 0]  # licence plates are in no image
_NUM_IDS = len(_LABELS)
_COUNTED = [label for label in _LABELS if not label.ignored]
_COUNTED_IDS = [label.id for label in _COUNTED]
_COUNTED_CATEGORIES = list(dict.fromkeys(label.category for label in _COUNTED))
#: Categories of nothing but things.
_INSTANCE_CATEGORIES = [
    category
    for category in _COUNTED_CATEGORIES
    if all(label.has_instances for label in _LABELS if label.category == category)
]
_CATEGORY_OF_ID = np.array([label.category_id for label in _LABELS], np.uint8)
# 0 marks labels whose instances do not count.
_AVERAGE_SIZE_OF_ID = np.array([AVERAGE_INSTANCE_SIZE.get(label.name, 0) for label in _LABELS])


class CityscapesScores:
    """Scores over frames, in label ids (not trainIds).

    Attributes:
        names: the 19 classes that count.
        matrix: `ConfusionMatrix` of all 34 label ids, those that do not count included.
    """

    names = tuple(label.name for label in _COUNTED)

    def __init__(self):
        self.matrix = ConfusionMatrix(_NUM_IDS)
        # Pixels of instances by the instance's label id, each instance scaled to its class's
        # average size: all, those with the right class, those with the right category.
        self._instance_pixels = np.zeros(_NUM_IDS)
        self._class_hits = np.zeros(_NUM_IDS)
        self._category_hits = np.zeros(_NUM_IDS)

    def add(self, dataset: Dataset, index: int, prediction: np.ndarray) -> None:
        """Add a frame of a Cityscapes data set; see `Scores.add`. Predictions are label ids."""
        truth = read_truth(dataset, index, prediction)
        instances = dataset.read_instances(index)
        if instances.shape != truth.shape:
            raise UserError(
                f"{dataset.labels_source(index)}: its instance image has another size; "
                "unpack the data set again"
            )
        self.update(ID_OF_TRAIN_ID[truth], instances, prediction)  # what is ignored becomes id 0

    def update(self, truth: np.ndarray, instances: np.ndarray, prediction: np.ndarray) -> None:
        """Add a frame.

        Args:
            truth: uint8 [H, W] label ids.
            instances: integer [H, W]: label id · 1000 + number of the instance; below 1001 where
                there is none.
            prediction: uint8 [H, W] label ids, each 0 to 33.

        Raises:
            ValueError: the shapes differ, or an id is out of range.
        """
        if instances.shape != prediction.shape:
            raise ValueError(f"instances are {instances.shape} but prediction {prediction.shape}")
        self.matrix.update(truth, prediction)
        inside = (instances > 1000) & (instances < 1000 * _NUM_IDS)
        instance = instances[inside].astype(np.int64)
        label, predicted = instance // 1000, prediction[inside]
        right_category = _CATEGORY_OF_ID[predicted] == _CATEGORY_OF_ID[label]
        pixels = np.bincount(instance)
        found = np.flatnonzero(pixels)
        found = found[_AVERAGE_SIZE_OF_ID[found // 1000] > 0]
        label_of_found = found // 1000
        weight = _AVERAGE_SIZE_OF_ID[label_of_found] / pixels[found]
        for total, counted in (
            (self._instance_pixels, instance),
            (self._class_hits, instance[predicted == label]),
            (self._category_hits, instance[right_category]),
        ):
            count = np.bincount(counted, minlength=len(pixels))[found]
            total += np.bincount(label_of_found, count * weight, minlength=_NUM_IDS)

    @property
    def counts(self) -> np.ndarray:
        """int64 [19, 20]: truth × prediction of `names`; the last column has all other ids."""
        rows = self.matrix.counts[_COUNTED_IDS]
        counted = rows[:, _COUNTED_IDS]
        return np.column_stack([counted, rows.sum(1) - counted.sum(1)])

    def class_iou(self) -> dict[str, float]:
        """Class → TP / (TP + FP + FN), 0–1; NaN where it is in neither truth nor prediction."""
        return {label.name: self._iou([label.id]) for label in _COUNTED}

    def category_iou(self) -> dict[str, float]:
        """Category → the same, where mistakes within the category are none."""
        return {category: self._iou(_counted_ids(category)) for category in _COUNTED_CATEGORIES}

    def class_iiou(self) -> dict[str, float]:
        """Class of things → iTP / (iTP + FP + iFN), 0–1.

        iTP and iFN weigh each instance's pixels by the class's average instance size over the
        size of this instance, so that small instances count as much as large ones.
        """
        return {
            label.name: _ratio(
                self._class_hits[label.id],
                self._instance_pixels[label.id] + self._false_positives([label.id], [label.id]),
            )
            for label in _COUNTED
            if label.has_instances
        }

    def category_iiou(self) -> dict[str, float]:
        """Category of things → the same for categories.

        As in the benchmark, predictions of a category's ignored labels (caravan, trailer) are
        predictions of the category here, though not in `category_iou`.
        """
        scores = {}
        for category in _INSTANCE_CATEGORIES:
            ids = [label.id for label in _LABELS if label.category == category]
            false_positives = self._false_positives(_counted_ids(category), ids)
            instance_pixels = self._instance_pixels[ids].sum()
            scores[category] = _ratio(
                self._category_hits[ids].sum(), instance_pixels + false_positives
            )
        return scores

    def pixel_accuracy(self) -> float:
        """Share of counted pixels with the right class, 0–1; NaN where none counts."""
        counts = self.counts
        return _ratio(np.trace(counts), counts.sum())

    def report(self) -> dict:
        """See `Scores.report`; means are over the entries that are not NaN."""
        scores = {
            "iou": self.class_iou(),
            "iiou": self.class_iiou(),
            "category_iou": self.category_iou(),
            "category_iiou": self.category_iiou(),
        }
        means = {f"m{key}": mean_score(values) for key, values in scores.items()}
        return {**means, **scores, "pixel_accuracy": self.pixel_accuracy()}

    def _iou(self, ids: list[int]) -> float:
        hits = self.matrix.counts[np.ix_(ids, ids)].sum()
        return _ratio(hits, self.matrix.counts[ids].sum() + self._false_positives(ids, ids))

    def _false_positives(self, truth_ids: list[int], predicted_ids: list[int]) -> int:
        """Pixels of other classes that count, predicted as one of `predicted_ids`."""
        others = [id_ for id_ in _COUNTED_IDS if id_ not in truth_ids]
        return self.matrix.counts[np.ix_(others, predicted_ids)].sum()


def mean_score(scores: dict[str, float]) -> float:
    """Mean of the scores that are not NaN; NaN where none is."""
    valid = [score for score in scores.values() if not math.isnan(score)]
    return sum(valid) / len(valid) if valid else math.nan


def _counted_ids(category: str) -> list[int]:
    return [label.id for label in _COUNTED if label.category == category]


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else math.nan
