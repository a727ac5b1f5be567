"""Keeps a repeated fault from flooding the log (no ROS in here)."""

import time


class LogThrottle:
    """At most one line per kind and `period` seconds; tells how many were held back."""

    def __init__(self, period=5.0, clock=time.monotonic):
        self._period = period
        self._clock = clock
        self._last = {}  # kind → [time of the last line, held back since]

    def admit(self, kind, text):
        """`text`, perhaps with the number of lines held back since the last, or None: say nothing.

        `kind` groups lines; use few different ones, each is remembered for good.
        """
        now = self._clock()
        last = self._last.setdefault(kind, [None, 0])
        if last[0] is not None and now - last[0] < self._period:
            last[1] += 1
            return None
        if last[1]:
            text = f"{text} ({last[1]} more like this since the last such line)"
        last[:] = [now, 0]
        return text
