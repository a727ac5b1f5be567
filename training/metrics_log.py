"""Numbers of a training over time: one JSON object a line."""

from __future__ import annotations

import json
import math
from pathlib import Path

from shuffleseg_core.atomic_file import atomic_path


class MetricsLog:
    """Appends to a metrics.jsonl.

    Args:
        path: the file.
        step: the step that the training goes on from; lines written after it, by a part of the
            training that was lost, are dropped.
    """

    def __init__(self, path: Path, step: int):
        self.path = path
        if path.exists():
            kept = [m for m in read_metrics(path) if m["step"] <= step]
            with atomic_path(path) as temporary:
                temporary.write_text("".join(map(_line, kept)), encoding="utf-8")

    def write(self, step: int, epoch: float, **values) -> None:
        """Append a line. NaN, which JSON lacks, becomes null."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(_line({"step": step, "epoch": round(epoch, 3), **values}))


def _line(values: dict) -> str:
    return json.dumps(_without_nan(values), allow_nan=False, ensure_ascii=False) + "\n"


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl; a last line that a kill cut short is left out.

    Empty where there is no such file.
    """
    metrics = []
    if not path.exists():
        return metrics
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            metrics.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return metrics
