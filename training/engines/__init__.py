"""The backends that train: one step of a network on one device, several, or several machines."""

from __future__ import annotations

import keras

from shuffleseg_core.errors import UserError

from ..cluster import Cluster
from .engine import Engine

__all__ = ["Engine", "open_engine"]


def open_engine(cluster: Cluster | None = None) -> Engine:
    """The engine of Keras's backend. To be called before anything is computed.

    Args:
        cluster: the processes that train together; None trains in this one alone, on all of
            its accelerators.

    Raises:
        UserError: the backend is none that trains here.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from .tensorflow_engine import TensorFlowEngine

        return TensorFlowEngine(cluster)
    if backend == "jax":
        from .jax_engine import JaxEngine

        return JaxEngine(cluster)
    raise UserError(f"training runs with KERAS_BACKEND tensorflow or jax; it is {backend}")
