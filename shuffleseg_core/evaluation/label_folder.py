"""Predictions that lie in a folder, as this project's `--submission` or another program left them.

For Cityscapes: label ids in CITY_SEQUENCE_FRAME*.png, anywhere in the folder, as the benchmark
wants them. Else class ids in NAME.png, where NAME is the image's.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..cityscapes_labels import LABELS
from ..datasets import Dataset
from ..datasets.mask_format import MaskFormat
from ..errors import UserError
from ..user_path import user_path
from .file_ids import frame_name, has_benchmark_ids


class LabelFolder:
    """The prediction file of every frame of a data set.

    Args:
        folder: holds the files.
        dataset: what they are predictions of.

    Raises:
        UserError: no such folder, or a frame has no file, or (Cityscapes) several.
    """

    def __init__(self, folder: str | os.PathLike, dataset: Dataset):
        folder = user_path(folder)
        if not folder.is_dir():
            raise UserError(f"--predictions {folder}: no such folder")
        benchmark = has_benchmark_ids(dataset)
        files = defaultdict(list)
        for path in sorted(folder.rglob("*.png") if benchmark else folder.glob("*.png")):
            files["_".join(path.stem.split("_")[:3]) if benchmark else path.stem].append(path)
        self._files = [_only(files, folder, frame_name(dataset, i)) for i in range(len(dataset))]
        if benchmark:
            ids = [label.id for label in LABELS if label.id >= 0]
            expected = f"predictions hold label ids, 0 to {max(ids)} (not trainIds)"
        else:
            ids = range(len(dataset.label_map))
            expected = f"predictions hold class ids, 0 to {max(ids)}"
        self._format = MaskFormat({id_: id_ for id_ in ids}, expected, palette_ids=True)

    def read(self, index: int) -> np.ndarray:
        """uint8 [H, W] ids as in the file. Raises UserError where they are none of the classes."""
        return self._format.read(self._files[index])


def _only(files: dict[str, list[Path]], folder: Path, name: str) -> Path:
    found = files[name]
    if not found:
        raise UserError(f"{folder}: no prediction for {name}; it must begin so and end in .png")
    if len(found) > 1:
        raise UserError(f"{found[1]}: a second prediction for {name} beside {found[0]}; remove one")
    return found[0]
