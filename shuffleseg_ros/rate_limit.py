"""Lets so many a second pass (no ROS in here)."""

import time


class RateLimit:
    """Asked at each of many moments; times are seconds of `clock` (monotonic)."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._due = 0.0

    def admits(self, rate):
        """Whether one may pass now, of at most `rate` a second, which may change; 0: all may."""
        if not rate:
            return True
        now, period = self._clock(), 1 / rate
        self._due = min(self._due, now + period)  # the rate may have been lower
        if now < self._due:
            return False
        # Counted from when it was due, unless that is long ago, so that the mean is the rate.
        late = now - self._due > period
        self._due = (now if late else self._due) + period
        return True
