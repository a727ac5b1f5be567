"""Counts and latencies of the frames of one camera, over a sliding window (no ROS in here)."""

import collections
import dataclasses
import threading
import time

import numpy as np

#: Why a frame that arrived whole was left out.
NEWER_FRAME, RATE_LIMIT = "newer frame", "rate limit"


@dataclasses.dataclass(frozen=True)
class Stage:
    """Seconds that a stage took, over the window."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What FrameStatistics knew at one moment. Totals are since the start."""

    received: int
    labelled: int
    idle: int  # received while nobody wanted labels
    dropped: dict  # cause → frames
    failed: dict  # cause → frames
    rate_in: float  # frames a second that arrived, over the window
    rate_out: float  # frames a second that were labelled, over the window
    dropped_recently: int  # frames left out, over the window
    idle_recently: bool  # whether the newest frame was wanted by nobody
    newest_age: "float | None"  # seconds since a frame last arrived; None: none did
    up_time: float  # seconds since the start
    last_failure: str  # '' if none failed
    last_failure_age: "float | None"
    stages: dict  # stage name → Stage
    deadline_misses: int
    deadline_misses_recently: float  # share of the labelled frames, over the window
    # p50 over the frames of what the node took ÷ what the bare segment() of that frame took
    overhead: "float | None"  # from received until published
    overhead_without_wait: "float | None"  # from when the worker could begin until published


class FrameStatistics:
    """Collects from several threads; times are seconds of `clock` (monotonic)."""

    def __init__(self, window=5.0, clock=time.monotonic):
        self.window = window
        self._clock = clock
        self._lock = threading.Lock()
        self._start = clock()
        self._totals = collections.Counter()
        self._drops = collections.Counter()  # by cause
        self._failures = collections.Counter()  # by cause
        self._newest = None
        self._idle = False
        self._last_failure = ("", None)
        self._received = collections.deque()  # times
        self._dropped = collections.deque()  # times
        self._labelled = collections.deque()  # (time, stages, whether the deadline was missed)

    def frame_received(self):
        with self._lock:
            now = self._clock()
            self._totals["received"] += 1
            self._newest = now
            self._idle = False
            self._received.append(now)
            self._forget(now)

    def frame_dropped(self, cause):
        """A frame, this or an older one, is left out."""
        with self._lock:
            now = self._clock()
            self._drops[cause] += 1
            self._dropped.append(now)
            self._forget(now)

    def frame_idle(self):
        """The frame that just arrived is wanted by nobody."""
        with self._lock:
            self._totals["idle"] += 1
            self._idle = True

    def frame_labelled(self, stages, missed_deadline=False):
        """A frame's labels are out.

        `stages`: seconds by name, among them 'segment' (the bare Segmenter.segment), 'total' (from
        received until published) and 'node' (from when the frame could be begun until published).
        """
        with self._lock:
            now = self._clock()
            self._totals["labelled"] += 1
            self._totals["missed"] += missed_deadline
            self._labelled.append((now, stages, missed_deadline))
            self._forget(now)

    def frame_failed(self, cause, reason):
        """A frame could not be labelled; `cause` is one of few words, `reason` is one line."""
        with self._lock:
            self._failures[cause] += 1
            self._last_failure = (reason, self._clock())

    def snapshot(self):
        with self._lock:
            now = self._clock()
            self._forget(now)
            span = max(min(self.window, now - self._start), 1e-3)
            by_stage = collections.defaultdict(list)
            for _, stages, _ in self._labelled:
                for name, seconds in stages.items():
                    by_stage[name].append(seconds)
            missed = sum(missed for *_, missed in self._labelled)
            reason, failed_at = self._last_failure
            received, labelled = len(self._received), len(self._labelled)
            dropped, totals, newest = len(self._dropped), dict(self._totals), self._newest
            drops, failures, idle = dict(self._drops), dict(self._failures), self._idle
        overheads = {
            name: float(np.median(np.divide(by_stage[name], by_stage["segment"])))
            for name in ("total", "node")
            if name in by_stage
        }
        return Snapshot(
            received=totals.get("received", 0),
            labelled=totals.get("labelled", 0),
            idle=totals.get("idle", 0),
            dropped=drops,
            failed=failures,
            rate_in=received / span,
            rate_out=labelled / span,
            dropped_recently=dropped,
            idle_recently=idle,
            newest_age=None if newest is None else now - newest,
            up_time=now - self._start,
            last_failure=reason,
            last_failure_age=None if failed_at is None else now - failed_at,
            stages={
                name: Stage(*np.percentile(values, (50, 95, 99, 100)).tolist())
                for name, values in by_stage.items()
            },
            deadline_misses=totals.get("missed", 0),
            deadline_misses_recently=missed / labelled if labelled else 0.0,
            overhead=overheads.get("total"),
            overhead_without_wait=overheads.get("node"),
        )

    def _forget(self, now):
        oldest = now - self.window
        for times in (self._received, self._dropped):
            while times and times[0] <= oldest:
                times.popleft()
        while self._labelled and self._labelled[0][0] <= oldest:
            self._labelled.popleft()
