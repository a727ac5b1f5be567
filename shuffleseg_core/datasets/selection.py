"""Split expressions: `train+val` joins, `train:PATTERN` keeps, `train:!PATTERN` leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np

from ..errors import UserError
from .dataset import Dataset


def select(expression: str, open_split: Callable[[str], Dataset]) -> Dataset:
    """Open what a split expression names.

    Args:
        expression: parts joined by "+"; a part is the name of a split, and after colons patterns
            (with `*`, `?`, `[…]`) for the sample names to keep or, after "!", to leave out.
        open_split: opens a split by its name.

    Raises:
        UserError: a part is malformed or names no image, two parts share an image, or a split
            that is endless is one of several or filtered.
    """
    parts = [_part(text, open_split) for text in expression.split("+")]
    if len(parts) == 1:
        return parts[0][1]
    for split, dataset in parts:
        if dataset.endless:
            raise UserError(f"split {expression!r}: {split} is endless; give it alone")
    return _Joined(expression, parts)


def _part(text: str, open_split: Callable[[str], Dataset]) -> tuple[str, Dataset]:
    split, *patterns = text.split(":")
    if not split or not all(pattern.removeprefix("!") for pattern in patterns):
        raise UserError(
            f"split {text!r}: write SPLIT, SPLIT:PATTERN or SPLIT:!PATTERN, joined by +, "
            "as in train:0006R0*+val"
        )
    dataset = open_split(split)
    if patterns and dataset.endless:
        raise UserError(f"split {text!r}: {split} is endless; give it without patterns")
    kept = range(len(dataset))
    for pattern in patterns:
        glob, keep = pattern.removeprefix("!"), not pattern.startswith("!")
        kept = [i for i in kept if fnmatchcase(dataset.sample_name(i), glob) == keep]
    if not kept:
        raise UserError(
            f"split {text!r}: no image is left of {len(dataset)}; "
            f"names are like {dataset.sample_name(0)}"
        )
    return split, (_Subset(dataset, tuple(kept), ":".join(patterns)) if patterns else dataset)


class _View(Dataset):
    """Images of other data sets; `_at` finds one."""

    def _at(self, index: int) -> tuple[Dataset, int]:
        raise NotImplementedError

    def sample_name(self, index: int) -> str:
        dataset, inner = self._at(index)
        return dataset.sample_name(inner)

    def read_image(self, index: int) -> np.ndarray:
        dataset, inner = self._at(index)
        return dataset.read_image(inner)

    def read_labels(self, index: int) -> np.ndarray:
        dataset, inner = self._at(index)
        return dataset.read_labels(inner)

    def read_instances(self, index: int) -> np.ndarray:
        dataset, inner = self._at(index)
        return dataset.read_instances(inner)

    def has_labels(self, index: int) -> bool:
        dataset, inner = self._at(index)
        return dataset.has_labels(inner)

    def labels_source(self, index: int) -> str:
        dataset, inner = self._at(index)
        return dataset.labels_source(inner)


class _Subset(_View):
    def __init__(self, dataset: Dataset, indices: tuple[int, ...], patterns: str):
        self.name = f"{dataset.name}:{patterns}"
        self.label_map = dataset.label_map
        self._dataset = dataset
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def _at(self, index: int) -> tuple[Dataset, int]:
        return self._dataset, self._indices[index]


class _Joined(_View):
    """Raises UserError where an image comes twice. Equal names in two splits get the split's."""

    def __init__(self, expression: str, parts: list[tuple[str, Dataset]]):
        self.name = f"{parts[0][1].name.split(' ')[0]} {expression}"
        self.label_map = parts[0][1].label_map
        self._places = [(dataset, i) for _, dataset in parts for i in range(len(dataset))]
        keys = [(split, d.sample_name(i)) for split, d in parts for i in range(len(d))]
        (split, name), times = Counter(keys).most_common(1)[0]
        if times > 1:
            raise UserError(
                f"split {expression!r}: {name} of {split} comes twice; leave it out of one part"
            )
        times_of_name = Counter(name for _, name in keys)
        self._names = [
            name if times_of_name[name] == 1 else f"{split}_{name}" for split, name in keys
        ]

    def __len__(self) -> int:
        return len(self._places)

    def _at(self, index: int) -> tuple[Dataset, int]:
        return self._places[index]

    def sample_name(self, index: int) -> str:
        return self._names[index]
