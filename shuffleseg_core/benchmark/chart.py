"""A benchmark's medians as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..figure_file import save_png

_STAGES = (
    ("preprocess_ms", "feed", "#9bb8d3"),
    ("network_ms", "network", "#3b6ea5"),
    ("labels_ms", "labels", "#e08e45"),
)


def draw_times(results: Sequence[Mapping], title: str, path: Path) -> None:
    """A bar for each result: what its stages take, and a tick at the 95th percentile.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.1 + 0.42 * len(results)), layout="constrained")
    axes = figure.subplots()
    places = range(len(results))
    left = [0.0] * len(results)
    for key, label, color in _STAGES:
        widths = [result[key] for result in results]
        axes.barh(places, widths, 0.7, left=left, label=label, color=color)
        left = [a + b for a, b in zip(left, widths)]
    p95 = [result["p95_ms"] for result in results]
    axes.plot(p95, places, "|", color="0.2", markersize=12, label="p95")
    for place, result in zip(places, results):
        end = max(left[place], result["p95_ms"])
        axes.annotate(
            f"{result['p50_ms']:.1f} ms, {result['fps']:.0f} fps",
            (end, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    names = [f"{r['model']}\n{r.get('setting') or _setting(r)}" for r in results]
    axes.set_yticks(places, names, fontsize=8, parse_math=False)
    axes.set(xlabel="ms", xlim=(0, 1.25 * max(*left, *p95)))
    axes.set_title(title, fontsize=10, parse_math=False)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.5), ncols=4, frameon=False, fontsize=8)
    save_png(figure, path)


def _setting(result: Mapping) -> str:
    sizes = f"{result['input_size']} → {result['image_size']}"
    return f"{sizes}, threads {result['threads']}"
