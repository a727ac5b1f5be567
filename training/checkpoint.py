"""The state of a training as one file, so that it survives a kill at any moment."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np

from shuffleseg_core.errors import UserError, first_line
from shuffleseg_core.models.weights_file import save_weights

_STEP = "shuffleseg_step"
_LOSSES = "shuffleseg_losses"


class Checkpoint:
    """Weights, optimizer state and step count in one .weights.h5.

    Order, augmentation and dropout are functions of the seed and the step, so that nothing else
    is needed to go on as if nothing had happened.
    """

    def __init__(self, path: Path, model: keras.Model):
        self.path = path
        self.model = model

    def save(self, step: int, losses: list[float]) -> None:
        """Write the file; an older one stays until this one is whole.

        Args:
            step: steps trained so far.
            losses: of the steps that the metrics do not hold yet.

        Raises:
            UserError: a weight is not finite, or the folder cannot be written (for example a
                full disk). The older file stays.
        """
        for variable in self.model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                raise UserError(
                    f"{variable.path} is no longer finite at step {step}; the last good "
                    f"checkpoint is {self.path}. Lower optimization.learning_rate and train anew"
                )
        try:
            save_weights(self.model, self.path, **{_STEP: step, _LOSSES: losses})
        except OSError as error:
            raise UserError(
                f"{self.path}: checkpoint not written ({error}); the last good one is kept. "
                "Free some space and run the same command to go on"
            ) from error

    def restore(self) -> tuple[int, list[float]]:
        """Load the file if there is one; returns `save`'s step and losses (0: from the start).

        Raises:
            UserError: the file does not fit the model.
        """
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.path.exists():
            return 0, []
        try:
            self.model.load_weights(self.path)
            with h5py.File(self.path) as file:
                return int(file.attrs[_STEP]), [float(loss) for loss in file.attrs[_LOSSES]]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{self.path}: does not fit this recipe's model ({first_line(error)}); "
                "give another --output, or remove the file to start anew"
            ) from error
