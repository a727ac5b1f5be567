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


def open_interpreter(
    model: str | os.PathLike | bytes, num_threads: int, name: str | os.PathLike | None = None
):
    """Open a model with its tensors allocated.

    Args:
        model: a .tflite file, or what such a file holds.
        num_threads: CPU threads for one inference.
        name: what messages call it; None takes the file's path.

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
    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    try:
        interpreter = interpreter_class(**source, num_threads=num_threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        if name is None:
            name = "in memory" if isinstance(model, bytes) else model
        raise UserError(f"model {name}: the interpreter refuses it: {reason}") from error
    return interpreter
