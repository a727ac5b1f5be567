"""The figures of `shuffleseg benchmark-node` as text and as a picture (no ROS in here)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shuffleseg_core.benchmark.report import print_columns
from shuffleseg_core.figure_file import save_png
from shuffleseg_ros.node_benchmark_figures import (
    STAGES,
    WARM_UP,
    Recording,
    sides,
    whole,
)

_SIDES = (("labels_only", "labels only"), ("labels_and_overlay", "labels and overlay"))
_COLORS = ("#3b6ea5", "#e08e45")
_BARE = {"preprocess": "preprocess_ms", "inference": "network_ms", "postprocess": "labels_ms"}


def print_node_report(report: dict) -> None:
    """What `--json` holds, for people."""
    versions = ", ".join(f"{name} {number}" for name, number in report["software"].items())
    print(f"{report['cpu']}, {report['cores']} cores; {versions}")
    print(
        f"{report['model']}, threads {report['threads']}; {report['size']} {report['encoding']} at "
        f"{report['rate_hz']:g} Hz from {report['drive']}"
    )
    frames = report["frames"]
    print(
        "frames: {played} played, {labelled} labelled, {dropped} dropped for newer ones, "
        "{failed} failed, {lost} lost".format(**frames)
    )
    bare = report["bare_segmenter"]
    found = [report[key] or {} for key, _ in _SIDES]
    rows = [["p50, ms", "bare Segmenter", *(name for _, name in _SIDES)]]
    rows.append(["frames", str(bare["frames"]), *(str(one.get("frames", 0)) for one in found)])
    for stage in STAGES:
        own = _ms(bare.get(_BARE.get(stage)))
        rows.append([stage, own, *(_ms(one.get(f"{stage}_p50_ms")) for one in found)])
    for name, key in (
        ("the Segmenter in all", "segment_p50_ms"),
        ("received → labels published", "total_p50_ms"),
        ("  p95", "total_p95_ms"),
        ("stamp → labels arrived", "arrival_p50_ms"),
        ("  p95", "arrival_p95_ms"),
    ):
        own = _ms(bare["p50_ms"]) if key == "segment_p50_ms" else ""
        rows.append([name, own, *(_ms(one.get(key)) for one in found)])
    print_columns(rows)
    plain = found[0]
    if plain:
        print(
            f"overhead with labels only, p50: {plain['overhead']:.3f} × the Segmenter on the same "
            f"frame, {plain['overhead_without_wait']:.3f} × without the wait for the frame before, "
            f"{report['total_over_bare']:.3f} × the bare Segmenter's own loop"
        )
    overlay = report["overlay"]
    if overlay["added_p50_ms"] is not None:
        print(
            f"overlay: {overlay['views_p50_ms']:.2f} ms at p50; all in all "
            f"{overlay['added_p50_ms']:+.2f} ms"
        )
    _print_machine(report)


def _print_machine(report: dict) -> None:
    memory, load = report["memory"], report["machine_load"]
    if memory["growth_mb"] is not None:
        print(
            f"resident memory: {memory['start_mb']:.1f} MB after {WARM_UP} frames, "
            f"{memory['end_mb']:.1f} MB at the end: {memory['growth_mb']:+.1f} MB "
            f"({memory['samples']} samples); at most {memory['max_mb']:.1f} MB"
        )
    elif memory["max_mb"] is not None:
        print(
            f"resident memory: at most {memory['max_mb']:.1f} MB; growth is told of runs of more "
            f"than {WARM_UP} frames"
        )
    parts = []
    if load["cpu_share"] is not None:
        parts.append(f"the node took {load['cpu_share']:.2f} of {load['cores']} cores")
    if load["hottest"] is not None:
        parts.append(f"at most {load['hottest']:.0f} °C")
    if load["throttling"] is None:
        parts.append("the kernel does not show throttling")
    else:
        lines = [f"{line} for {count} s" for line, count in load["throttling"].items()]
        parts.append(f"throttling: {'; '.join(lines) or 'none'}")
    print("; ".join(parts))
    if load["limits"]:
        print(f"limits: {load['limits']}")


def draw_node_benchmark(recording: Recording, report: dict, path: Path) -> None:
    """PNG: how long frames took, with labels only and with overlay, and the node's memory.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # without pyplot: no display needed

    figure = Figure(figsize=(8, 6), layout="constrained")
    times, memory = figure.subplots(2)
    plain, with_overlay = sides(recording)
    shown = {
        "labels only: the Segmenter": plain["segment_ms"] if plain else None,
        "labels only: received → labels published": plain["total_ms"] if plain else None,
        "with overlay: received → all published": whole(with_overlay) if with_overlay else None,
    }
    shown = {name: values for name, values in shown.items() if values is not None}
    if shown:
        together = np.concatenate(list(shown.values()))
        # A rare straggler must not squeeze all else into one bar.
        bins = np.linspace(together.min(), np.percentile(together, 99), 60)
        for (name, values), color in zip(shown.items(), ("0.6", *_COLORS)):
            label = f"{name}, p50 {np.median(values):.1f} ms"
            times.hist(values, bins=bins, histtype="step", color=color, label=label)
        times.axvline(
            report["bare_segmenter"]["p50_ms"], color="0.2", ls=":", label="bare Segmenter's p50"
        )
        times.legend(fontsize=8)
    times.set(xlabel="ms", ylabel="frames")
    if recording.memory:
        memory.plot(*zip(*recording.memory), color=_COLORS[0])
        memory.axvline(WARM_UP, color="0.5", ls=":", lw=1)
    memory.set(xlabel="frames played", ylabel="resident memory of the node / MB")
    memory.margins(y=0.2)
    figure.suptitle(
        f"{report['cpu']}: {report['model']}, {report['size']} {report['encoding']} at "
        f"{report['rate_hz']:g} Hz",
        fontsize=10,
        parse_math=False,
    )
    save_png(figure, path)


def _ms(value) -> str:
    return "" if value is None else f"{value:.2f}"
