"""The state of a training as one file, so that it survives a kill at any moment."""

from __future__ import annotations

from pathlib import Path

import keras

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.errors import UserError


class Checkpoint:
    """Weights, optimizer state and step count in one .weights.h5.

    The step is the optimizer's own count. Dropout's random state is a function of (seed, step),
    see `reseed`, so that a resumed training draws what an uninterrupted one draws.
    """

    def __init__(self, path: Path, model: keras.Model, seed: int):
        self.path = path
        self.model = model
        self.seed = seed
        self._generators = [
            layer.seed_generator
            for layer in model.layers
            if isinstance(layer, keras.layers.Dropout)
        ]

    @property
    def step(self) -> int:
        """Steps trained so far."""
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def save(self) -> None:
        """Write the file; an older one stays until this one is whole.

        Raises:
            UserError: the folder cannot be written (for example a full disk).
        """
        try:
            with atomic_path(self.path) as temporary:
                self.model.save_weights(temporary, overwrite=True)
        except OSError as error:
            raise UserError(
                f"{self.path}: checkpoint not written ({error}); the last good one is kept. "
                "Free some space and run the same command to go on"
            ) from error

    def restore(self) -> int:
        """Load the file if there is one; returns the step to go on from (0: from the start).

        Raises:
            UserError: the file does not fit the model.
        """
        self.model.optimizer.build(self.model.trainable_variables)
        if self.path.exists():
            try:
                self.model.load_weights(self.path)
            except (OSError, ValueError, KeyError) as error:
                first_line = str(error).strip().splitlines()[0]
                raise UserError(
                    f"{self.path}: does not fit this recipe's model ({first_line}); "
                    "give another --output, or remove the file to start anew"
                ) from error
        step = self.step
        self.reseed(step)
        return step

    def reseed(self, step: int) -> None:
        """Set dropout's random state for the next step; to be called after every step."""
        for index, generator in enumerate(self._generators):
            generator.state.assign([self.seed * 1000 + index, step])
