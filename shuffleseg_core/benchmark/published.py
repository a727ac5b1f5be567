"""What others have published of the systems, each figure with where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

#: Name → (what it is called, unit).
FIGURES = {
    "parameters_m": ("parameters", "M"),
    "gflops": ("GFLOPs", ""),
    "file_mb": ("file size", "MB"),
    "mean_ms": ("mean latency", "ms"),
    "variance_ms2": ("variance of latency", "ms²"),
    "fps": ("frames a second", ""),
    "val_miou": ("Cityscapes val mIoU", "%"),
    "test_miou": ("Cityscapes test mIoU", "%"),
    "ade20k_miou": ("ADE20K val mIoU", "%"),
}


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        figure: a key of `FIGURES`. `gflops` are as their authors count: many of them count a
            multiply-accumulate as one operation, the paper as two.
        value: in the figure's unit.
        source: paper and table, or repository.
        size: "WIDTHxHEIGHT" of the network's input, None where the figure has none or the source
            does not say.
        checked: how it was compared with its source; None where it was not.
        note: what else a reader must know, None where nothing.
    """

    figure: str
    value: float
    source: str
    size: str | None = None
    checked: str | None = None
    note: str | None = None


@cache
def published_figures() -> dict[str, tuple[Published, ...]]:
    """System's key → its figures."""
    text = (resources.files(__package__) / "published.json").read_text(encoding="utf-8")
    return {
        system: tuple(Published(**figure) for figure in figures)
        for system, figures in json.loads(text)["systems"].items()
    }


def published_of(system: str, figure: str, size: str | None = None) -> Iterator[Published]:
    """A system's published values of a figure, those of one size where that is given."""
    for found in published_figures().get(system, ()):
        if found.figure == figure and size in (None, found.size):
            yield found
