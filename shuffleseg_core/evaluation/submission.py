"""A folder of predictions as the Cityscapes server takes them: one PNG of label ids a frame."""

from __future__ import annotations

import os

import numpy as np

from ..datasets import Dataset
from ..errors import UserError
from ..image_file import write_png
from ..user_path import user_path
from .file_ids import frame_name, has_benchmark_ids


class Submission:
    """Writes CITY_SEQUENCE_FRAME_pred_labelIds.png files.

    Args:
        folder: for the files; made with the first one.
        dataset: Cityscapes.

    Raises:
        UserError: another data set, or a folder with other PNGs, of which the server might take
            one for a second prediction.
    """

    def __init__(self, folder: str | os.PathLike, dataset: Dataset):
        if not has_benchmark_ids(dataset):
            raise UserError(
                f"--submission writes Cityscapes ids, but this is {dataset.name}; "
                "`shuffleseg segment` writes class ids"
            )
        self._folder = user_path(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise UserError(f"--submission {self._folder}: is a file; give a folder")
        self._files = [
            self._folder / f"{frame_name(dataset, index)}_pred_labelIds.png"
            for index in range(len(dataset))
        ]
        others = sorted(set(self._folder.rglob("*.png")) - set(self._files))
        if others:
            raise UserError(
                f"--submission {self._folder}: holds {others[0].relative_to(self._folder)}, which "
                "is no prediction for this split; give an empty folder"
            )

    def write(self, index: int, prediction: np.ndarray) -> None:
        """uint8 [H, W] label ids → PNG. Raises UserError where it cannot be written."""
        write_png(self._files[index], prediction)
