"""Whichever TensorFlow Lite interpreter is installed; they share one interface."""

from __future__ import annotations

import importlib
import os
from operator import attrgetter

from .errors import UserError

#: Where `Interpreter` may be, best first: LiteRT, its predecessor, all of TensorFlow.
INTERPRETERS = (
    ("ai_edge_litert.interpreter", "Interpreter"),
    ("tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "lite.Interpreter"),
)


def open_interpreter(path: str | os.PathLike, num_threads: int):
    """Open a model with its tensors allocated.

    Args:
        path: a .tflite file.
        num_threads: CPU threads for one inference.

    Returns:
        A `tflite.Interpreter`.

    Raises:
        UserError: no interpreter is installed, or it refuses the file.
    """
    for module, attribute in INTERPRETERS:
        try:
            interpreter_class = attrgetter(attribute)(importlib.import_module(module))
            break
        except ImportError:
            continue
    else:
        raise UserError(
            "no TFLite interpreter is installed; run `pip install ai-edge-litert` "
            "(tflite-runtime serves as well)"
        )
    try:
        interpreter = interpreter_class(model_path=str(path), num_threads=num_threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"model {path}: the interpreter refuses it: {reason}") from error
    return interpreter
