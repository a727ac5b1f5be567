"""What training needs of a backend."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable

import keras
import numpy as np

from shuffleseg_core.errors import UserError


class Engine(ABC):
    """Runs training steps over all replicas of a network.

    Each process gives its own share of a batch; the gradient, the batch norms' statistics and
    the loss are those of the whole batch.

    Attributes:
        backend_errors: what a step raises where the backend itself fails, for example because
            another process is gone.
        process_index, process_count: which of the training's processes this one is.
        replicas: devices of all processes together; a batch is a multiple of it.
    """

    backend_errors: tuple[type[Exception], ...] = ()
    process_index: int = 0
    process_count: int = 1
    replicas: int = 1

    def scope(self) -> contextlib.AbstractContextManager:
        """Networks and optimizers that are to be trained are built inside."""
        return contextlib.nullcontext()

    @abstractmethod
    def prepare(self, model: keras.Model, loss: Callable, seed: int) -> None:
        """Take a compiled model, its weights and optimizer state as they are now.

        Args:
            model: has its optimizer.
            loss: called with labels, uint8 [B, H, W], and the model's outputs; gives a scalar.
            seed: dropout at step n is a function of (seed, n), so that a resumed training
                draws what an uninterrupted one draws.
        """

    @abstractmethod
    def step(self, step: int, images: np.ndarray, labels: np.ndarray, stop: bool) -> object:
        """Start training step `step`; returns a handle for `result`, at once where possible.

        Args:
            step: number of steps before this one.
            images: float32 [B / process_count, h, w, 3], values 0–255.
            labels: uint8 [B / process_count, h, w].
            stop: whether this process wants the training to end.
        """

    @abstractmethod
    def result(self, handle: object) -> tuple[float, bool]:
        """(loss of the whole batch before the step, whether any process wants to stop)."""

    @abstractmethod
    def sync(self) -> None:
        """Bring the model's own variables up to date with the steps run."""

    def local_scope(self) -> contextlib.AbstractContextManager:
        """Networks that this process uses alone are built inside."""
        return contextlib.nullcontext()

    @abstractmethod
    def labeller(self, model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
        """A function that labels images in inference mode, in this process alone.

        Args:
            model: built in `local_scope`; a later change of its weights is followed.

        Returns:
            float32 [1, H, W, 3] → int [1, H, W].
        """

    @abstractmethod
    def sum(self, array: np.ndarray) -> np.ndarray:
        """The sum of the processes' arrays (int64, any shape), to every process."""

    def any(self, value: bool) -> bool:
        """Whether it holds in any of the processes, so that all of them do the same."""
        return bool(self.sum(np.array([int(value)]))[0])

    def together(self, function: Callable):
        """Call a function that may fail in one process; where it does, all of them end.

        Raises:
            UserError, OSError: as the function did, or because another process's did.
        """
        result = error = None
        try:
            result = function()
        except (UserError, OSError) as failure:
            error = failure
        if self.any(error is not None):
            raise error or UserError("another process of this training ended; see what it said")
        return result


def dropout_seeds(model: keras.Model) -> list:
    """The random states of a model's dropout layers, as variables."""
    return [
        layer.seed_generator.state
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0
    ]


def dropout_state(seed: int, index: int, step: int) -> list[int]:
    """What the `index`-th of `dropout_seeds` holds before a step."""
    return [(seed * 1000 + index) % 2**32, step]
