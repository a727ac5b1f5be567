"""The backends that train: one step of a network on one device, several, or several machines."""

from __future__ import annotations

import keras

from shuffleseg_core.errors import UserError, first_line

from ..cluster import Cluster
from .engine import Engine

__all__ = ["Engine", "open_engine"]


def open_engine(cluster: Cluster | None = None) -> Engine:
    """The engine of Keras's backend. To be called before anything is computed.

    Args:
        cluster: the processes that train together; None trains in this one alone, on all of
            its accelerators.

    Raises:
        UserError: the backend is none that trains here, or the processes do not find each other.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from .tensorflow_engine import TensorFlowEngine as BackendEngine
    elif backend == "jax":
        from .jax_engine import JaxEngine as BackendEngine
    else:
        raise UserError(f"training runs with KERAS_BACKEND tensorflow or jax; it is {backend}")
    try:
        return BackendEngine(cluster)
    except (RuntimeError, OSError, *BackendEngine.backend_errors) as error:
        if cluster is None:
            raise
        raise UserError(
            f"--hosts {','.join(cluster.hosts)}: the processes do not find each other "
            f"({first_line(error)}); start the same command on each, and see that the ports are "
            "free and can be reached"
        ) from error
