"""From what `shuffleseg benchmark-node` saw to its figures (no ROS in here)."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from shuffleseg_ros.process_health import Health

SETTLING = 10  # labelled frames after a change of subscribers that count for neither side
WARM_UP = 300  # frames until memory is expected to stand still
EDGE = 0.05  # share of the memory samples at either end whose median is taken

#: In the order in which a frame passes them; columns of ~/timing without their `_ms`.
STAGES = ("wait", "convert", "preprocess", "inference", "postprocess", "publish", "views")


@dataclasses.dataclass
class Recording:
    """What was seen of a run. Stamps are seconds, of the clock that the images are stamped by.

    Attributes:
        columns: names of the numbers in `rows`, the first is stamp_s.
        rows: one a labelled frame, in the order of their stamps.
        arrivals: stamp → ms until the frame's labels had arrived.
        overlays: stamps of the overlays that arrived.
        changes: (stamp, whether overlays were subscribed to from then on), in order.
        memory: (frames played, resident MB of the node's process), in order.
        health: of the node's process and the machine.
        played, dropped, failed: frames of the camera, left out by the node, not labelled by it.
    """

    columns: tuple[str, ...] = ()
    rows: list[list[float]] = dataclasses.field(default_factory=list)
    arrivals: dict[float, float] = dataclasses.field(default_factory=dict)
    overlays: set[float] = dataclasses.field(default_factory=set)
    changes: list[tuple[float, bool]] = dataclasses.field(default_factory=list)
    memory: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    health: list[Health] = dataclasses.field(default_factory=list)
    played: int = 0
    dropped: int = 0
    failed: int = 0


def figures(recording: Recording) -> dict:
    """The figures of a run; times in ms, None where nothing was seen that gives one.

    Returns:
        frames: counts; `lost` are those of which nobody knows.
        labels_only, labels_and_overlay: of the frames of either kind: `overhead` is the median of
            total ÷ segment of the same frame, `overhead_without_wait` of node ÷ segment.
        overlay: `views_p50_ms`, and `added_p50_ms`: the medians' difference of total and views
            together, between frames with overlay and without.
        memory: see `memory_figures`.
        machine_load: of the node's process `cpu_share` (median; 1.0: one core) of `cores`,
            `hottest` sensor in °C, `throttling`: line → seconds, None where the kernel shows none.
    """
    labelled = len(recording.arrivals)
    known = labelled + recording.dropped + recording.failed
    plain, with_overlay = (_times(recording, kind) for kind in (False, True))
    return {
        "frames": {
            "played": recording.played,
            "labelled": labelled,
            "dropped": recording.dropped,
            "failed": recording.failed,
            "lost": max(recording.played - known, 0),
        },
        "labels_only": _side(plain, recording),
        "labels_and_overlay": _side(with_overlay, recording),
        "overlay": {
            "views_p50_ms": _median(with_overlay["views_ms"]) if with_overlay else None,
            "added_p50_ms": _median(whole(with_overlay)) - _median(whole(plain))
            if plain and with_overlay
            else None,
        },
        "memory": memory_figures(recording.memory),
        "machine_load": _load(recording.health),
    }


def memory_figures(samples: list[tuple[int, float]]) -> dict:
    """Of (frames played, MB): the median of the last 5 % minus that of the first after WARM_UP.

    `growth_mb` is None for runs too short to have both.
    """
    settled = [mb for played, mb in samples if played >= WARM_UP]
    edge = max(round(EDGE * len(settled)), 1)
    start, end = (
        (_median(settled[:edge]), _median(settled[-edge:])) if len(settled) > 1 else (None, None)
    )
    return {
        "samples": len(settled),
        "start_mb": start,
        "end_mb": end,
        "growth_mb": None if start is None else end - start,
        "max_mb": max((mb for _, mb in samples), default=None),
    }


def sides(recording: Recording) -> tuple[dict, dict]:
    """Column → float64 [frames], of the frames with labels only and of those with overlay."""
    return _times(recording, False), _times(recording, True)


def whole(times: dict) -> np.ndarray:
    """ms from receiving each frame until all was published."""
    return times["total_ms"] + times["views_ms"]


def _times(recording: Recording, overlay: bool) -> dict:
    """Column → float64 [frames] of the frames whose subscribers were surely these; may be {}."""
    if not recording.rows:
        return {}
    rows = np.array(recording.rows)
    stamps = rows[:, 0]
    begins = np.searchsorted(stamps, [stamp for stamp, _ in recording.changes])
    ends = np.append(begins[1:], len(rows))
    keep = np.zeros(len(rows), bool)
    for begin, end, (_, kind) in zip(begins, ends, recording.changes):
        if kind == overlay:
            keep[begin + min(SETTLING, (end - begin) // 3) : end] = True
    keep &= np.array([stamp in recording.overlays for stamp in stamps]) == overlay
    if not keep.any():
        return {}
    return dict(zip(recording.columns, rows[keep].T))


def _side(times: dict, recording: Recording) -> dict | None:
    if not times:
        return None
    found = {
        "frames": len(times["stamp_s"]),
        "overhead": _median(times["total_ms"] / times["segment_ms"]),
        "overhead_without_wait": _median(times["node_ms"] / times["segment_ms"]),
    }
    for name in (*STAGES, "segment", "node", "total"):
        found[f"{name}_p50_ms"], found[f"{name}_p95_ms"] = _p50_p95(times[f"{name}_ms"])
    arrivals = [recording.arrivals[s] for s in times["stamp_s"] if s in recording.arrivals]
    found["arrival_p50_ms"], found["arrival_p95_ms"] = _p50_p95(arrivals)
    return found


def _load(health: list[Health]) -> dict:
    shares = [one.cpu_share for one in health if one.cpu_share is not None]
    hot = [one.temperature for one in health if one.temperature is not None]
    lines = [one.throttling for one in health if one.throttling is not None]
    return {
        "cpu_share": _median(shares) if shares else None,
        "cores": health[-1].cores if health else None,
        "hottest": max(hot, default=None),
        "throttling": dict(Counter(filter(None, lines))) if lines else None,
        "limits": health[-1].limits if health else "",
    }


def _median(values) -> float:
    return float(np.median(values))


def _p50_p95(values) -> tuple[float | None, float | None]:
    return tuple(np.percentile(values, (50, 95)).tolist()) if len(values) else (None, None)
