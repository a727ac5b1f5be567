"""Keras's .weights.h5, written so that a full disk is an error and not a crash."""

from __future__ import annotations

import io
import os

from ..atomic_file import atomic_path


class _Memory(io.BytesIO):
    """Passes Keras's check of the file's name."""

    def __str__(self):
        return "memory.weights.h5"


def save_weights(model, path: str | os.PathLike, **attributes) -> None:
    """Write a model's weights, and its optimizer's state where it has one.

    HDF5 crashes the process where a disk is full, so that the file is made in memory first.

    Args:
        model: a built Keras model.
        path: ends in .weights.h5; a file of that name stays until the new one is whole.
        **attributes: numbers and lists of numbers to keep as attributes of the file.

    Raises:
        OSError: the file cannot be written.
    """
    import h5py

    content = _Memory()
    model.save_weights(content)
    with h5py.File(content, "a") as file:
        if "layers" not in file:  # a Keras that writes to the name instead
            raise RuntimeError("this Keras cannot write weights to memory; take 3.10 or later")
        file.attrs.update(attributes)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())
