"""Whichever TensorFlow Lite interpreter is installed; they share one interface."""

from __future__ import annotations

import importlib
import os

from .errors import UserError

#: Modules that offer `Interpreter`, best first: LiteRT, its predecessor, all of TensorFlow.
INTERPRETER_MODULES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite",
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
    for name in INTERPRETER_MODULES:
        try:
            interpreter_class = importlib.import_module(name).Interpreter
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
