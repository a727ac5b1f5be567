"""Several pipelines timed in turns on the same frames, so that a machine's drift hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..segmenter import StageTimings

#: Labels the frame of that number and says how long it took; None where it leaves that frame out.
Pipeline = Callable[[int], StageTimings | None]


def measure(
    pipelines: Sequence[Pipeline],
    frames: int = 300,
    warm_up: int = 20,
) -> np.ndarray:
    """The paper's protocol (section 4.3), for several pipelines at once.

    Every frame goes through all pipelines before the next one does, from the first to the last and
    then from the last to the first.

    Args:
        pipelines: what to time.
        frames: timed ones.
        warm_up: frames before these, not timed.

    Returns:
        float64 [pipelines, frames, 3], seconds of preprocessing, network and postprocessing; NaN
        where a pipeline left the frame out.
    """
    seconds = np.full((len(pipelines), frames, 3), np.nan)
    order = list(range(len(pipelines)))
    for number in range(-warm_up, frames):
        for index in order:
            timings = pipelines[index](number % frames)
            if number >= 0 and timings is not None:
                seconds[index, number] = timings.preprocess, timings.inference, timings.postprocess
        order.reverse()
    return seconds


def summary(seconds: np.ndarray) -> dict:
    """Figures of one pipeline, float64 [frames, 3] seconds as `measure` gives them.

    All but `fps` and `frames` are in milliseconds (the variance in ms²). Frames left out do not
    count.
    """
    seconds = seconds[~np.isnan(seconds).any(axis=1)]
    total = 1000 * seconds.sum(axis=1)
    p50, p95, p99 = np.percentile(total, (50, 95, 99))
    stages = 1000 * np.median(seconds, axis=0)
    return {
        "frames": len(total),
        "mean_ms": float(total.mean()),
        "variance_ms2": float(total.var(ddof=1)) if len(total) > 1 else 0.0,
        "fps": float(1000 / total.mean()),
        "min_ms": float(total.min()),
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "preprocess_ms": float(stages[0]),
        "network_ms": float(stages[1]),
        "labels_ms": float(stages[2]),
    }
