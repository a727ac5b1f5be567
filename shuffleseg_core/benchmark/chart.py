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
    names = [f"{result['model']}\n{_setting(result)}" for result in results]
    _draw({"": dict(zip(names, results))}, title, path, height=0.42)


def draw_groups(groups: Mapping[str, Mapping[str, Mapping]], title: str, path: Path) -> None:
    """The same, group (name → result) below group, each with its own scale.

    Raises:
        UserError: the file cannot be written.
    """
    _draw(groups, title, path, height=0.28)


def _draw(groups: Mapping[str, Mapping], title: str, path: Path, height: float) -> None:
    """`height` of one bar is in inches."""
    from matplotlib.figure import Figure

    counts = [len(results) for results in groups.values()]
    size = (8, 0.6 + 0.6 * len(groups) + height * sum(counts))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(groups), height_ratios=counts, squeeze=False)[:, 0]
    for axes, (name, results) in zip(panels, groups.items()):
        _draw_bars(axes, results)
        axes.set_title(name, fontsize=9, loc="left", parse_math=False)
    panels[-1].set_xlabel("ms")
    figure.suptitle(title, fontsize=10, parse_math=False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    save_png(figure, path)


def _draw_bars(axes, results: Mapping[str, Mapping]) -> None:
    places = range(len(results))
    left = [0.0] * len(results)
    for key, label, color in _STAGES:
        widths = [result[key] for result in results.values()]
        axes.barh(places, widths, 0.7, left=left, label=label, color=color)
        left = [a + b for a, b in zip(left, widths)]
    p95 = [result["p95_ms"] for result in results.values()]
    axes.plot(p95, places, "|", color="0.2", markersize=10, label="p95")
    for place, result in zip(places, results.values()):
        axes.annotate(
            f"{result['p50_ms']:.3g} ms, {result['fps']:.0f} fps",
            (max(left[place], result["p95_ms"]), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(places, list(results), fontsize=8, parse_math=False)
    axes.set(xlim=(0, 1.25 * max(*left, *p95)), ylim=(len(results) - 0.4, -0.6))
    axes.spines[["top", "right"]].set_visible(False)


def _setting(result: Mapping) -> str:
    sizes = f"{result['input_size']} → {result['image_size']}"
    return f"{sizes}, threads {result['threads']}"
