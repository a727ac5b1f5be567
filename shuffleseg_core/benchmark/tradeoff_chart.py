"""Latency against mIoU, a panel for published scores and one for those of our training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..figure_file import save_png
from .tables_report import MEASURED

_OURS, _OTHERS = "#d1601f", "#3b6ea5"


@dataclass(frozen=True)
class _Point:
    name: str
    ours: bool
    ms: float
    exported_ms: float
    miou: float

    @property
    def color(self) -> str:
        return _OURS if self.ours else _OTHERS


def draw_tradeoff(report: Mapping, path: Path) -> None:
    """Hollow markers are published scores, filled ones measured by us. Systems without a score
    of a panel are not in it.

    Args:
        report: what `shuffleseg tables` writes as JSON.
        path: .png to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [panel for panel in (_published(report), _measured(report)) if panel[1]]
    figure = Figure(figsize=(7.5 * max(1, len(panels)), 6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (label, kinds) in zip(figure.subplots(1, len(panels) or 1, squeeze=False)[0], panels):
        _draw(axes, kinds)
        axes.set_xlabel(f"ms a frame at {report['compared_at']}, plain, median of this run")
        axes.set_ylabel(label)
    figure.suptitle(f"{report['cpu']}, {report['threads']} threads", fontsize=10, parse_math=False)
    figure.draw_without_rendering()  # places are known from here on
    figure.set_layout_engine("none")
    for axes, (_, kinds) in zip(figure.axes, panels):
        _name_points(axes, [point for points in kinds.values() for point in points])
    save_png(figure, path)


def _published(report: Mapping):
    """(axis label, (words, marker, filled) → its points)."""
    kinds = {("Cityscapes val, published", "o", False): [], ("test, published", "s", False): []}
    for row, name, times in _rows(report):
        for points, kind in zip(kinds.values(), ("val_miou", "test_miou")):
            figures = [figure for figure in row["published"] if figure["figure"] == kind]
            if kind == "test_miou":
                figures = figures[:1]
            for figure in figures:
                size = f" ({figure['size']})" if figure["size"] else ""
                points.append(_Point(f"{name}{size}", row["ours"], *times, figure["value"]))
            if figures:
                break  # val where there is one
    return "mIoU on Cityscapes, % (input size of the score in brackets)", _not_empty(kinds)


def _measured(report: Mapping):
    kinds = {}
    for (score, words), marker in zip(MEASURED.items(), "o^"):
        kinds[f"{words}, our training", marker, True] = [
            _Point(name, row["ours"], *times, row["scores"][score])
            for row, name, times in _rows(report)
            if row["scores"].get(score) is not None
        ]
    return "mIoU on CamVid, %", _not_empty(kinds)


def _rows(report: Mapping):
    """Each row, its name and its times (plain, exported)."""
    for row in report["systems"].values():
        times = row["times"][report["compared_at"]]
        times = [times[form]["p50_ms"] for form in ("plain", "exported")]
        yield row, row["title"].removesuffix(" (ours)"), times


def _not_empty(kinds: dict) -> dict:
    return {kind: points for kind, points in kinds.items() if points}


def _draw(axes, kinds: Mapping) -> None:
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for (words, marker, filled), points in kinds.items():
        for point in points:
            look = {"mec": point.color, "mfc": point.color if filled else "white"}
            both = [point.ms, point.exported_ms]
            axes.plot(both, [point.miou] * 2, "-", color=point.color, lw=1, alpha=0.5, zorder=1)
            axes.plot(point.ms, point.miou, marker, ms=8, mew=1.6, **look)
        axes.plot([], [], marker, mec="0.3", mfc="0.3" if filled else "white", label=words)
    axes.plot([], [], "-", color="0.3", lw=1, alpha=0.5, label="to the time as exported")
    handles, _ = axes.get_legend_handles_labels()
    handles += [Patch(color=_OURS, label="ours"), Patch(color=_OTHERS, label="others")]
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1)}
    axes.legend(handles=handles, fontsize=8, ncols=3, frameon=False, **place)
    axes.margins(x=0.18, y=0.1)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)


def _name_points(axes, points: Sequence[_Point]) -> None:
    """Write each name where it covers nothing that is there, if there is such a place."""
    from matplotlib.transforms import Bbox

    renderer = axes.figure.canvas.get_renderer()
    inside = axes.get_window_extent(renderer)
    taken = []
    for point in points:
        ends = axes.transData.transform([(x, point.miou) for x in (point.ms, point.exported_ms)])
        (left, y), (right, _) = sorted(map(tuple, ends))
        taken.append(Bbox([[left - 7, y - 7], [right + 7, y + 7]]))
    for point in points:
        text = axes.annotate(
            point.name,
            (point.ms, point.miou),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7.5,
            parse_math=False,
            color=_OURS if point.ours else "0.15",
            fontweight="bold" if point.ours else "normal",
        )
        best = None
        for place in _PLACES:
            box = _at(text, place).get_window_extent(renderer)
            covered = sum(box.overlaps(other) for other in taken)
            covered += not (inside.x0 <= box.x0 and box.x1 <= inside.x1)
            if best is None or covered < best[0]:
                best = covered, place, box
        _at(text, best[1])
        taken.append(best[2])


def _at(text, place):
    dx, dy, horizontal, vertical = place
    text.set(position=(dx, dy), ha=horizontal, va=vertical)
    return text


#: Offsets in points and alignments, the likeliest first.
_PLACES = [
    (8, 0, "left", "center"),
    (-8, 0, "right", "center"),
    (0, 8, "center", "bottom"),
    (0, -8, "center", "top"),
    (7, 9, "left", "bottom"),
    (7, -9, "left", "top"),
    (-7, 9, "right", "bottom"),
    (-7, -9, "right", "top"),
    (0, 19, "center", "bottom"),
    (0, -19, "center", "top"),
]
