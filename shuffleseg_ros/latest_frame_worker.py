"""A thread that works on the newest frame only (no ROS in here).

A mailbox of one slot: a frame that arrives while another waits takes its place, so a slow model
never builds a backlog and what it labels is as fresh as it can be.
"""

import threading
import time


class LatestFrameWorker:
    """Calls `process(frame, received, ready)` on its own thread for the newest frame submitted.

    `received` is when submit() got the frame and `ready` when the worker could first have begun
    with it (later than `received` only if it was busy with another), both time.monotonic().
    `process` must not raise: what it does with a bad frame is its own business.
    """

    def __init__(self, process, name="segmentation"):
        self._process = process
        self._changed = threading.Condition()
        self._waiting = None  # (frame, received)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self):
        self._thread.start()

    def submit(self, frame):
        """Hand over a frame; True if it displaced one that had not been begun."""
        with self._changed:
            displaced = self._waiting is not None
            self._waiting = (frame, time.monotonic())
            self._changed.notify()
        return displaced

    def stop(self, timeout=5.0):
        """Finish the frame in work, forget the waiting one and end the thread.

        Returns False if the thread is still busy after `timeout` seconds.
        """
        with self._changed:
            self._stopping = True
            self._waiting = None
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        while True:
            idle_since = time.monotonic()
            with self._changed:
                while self._waiting is None and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                (frame, received), self._waiting = self._waiting, None
            self._process(frame, received, max(received, idle_since))
            frame = None  # while waiting for the next, do not keep this one's memory
