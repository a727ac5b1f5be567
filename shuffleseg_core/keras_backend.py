"""Which backend Keras gets."""

import os
from importlib.util import find_spec


def choose_keras_backend() -> None:
    """Before Keras is imported: what the user asked for, else one that is installed; and quiet."""
    if find_spec("tensorflow") is None and find_spec("jax") is not None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # without TensorFlow's notes on itself
