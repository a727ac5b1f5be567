"""A thread that works on the newest frame of each camera only (no ROS in here).

A mailbox of one slot a camera: a frame that arrives while another of its camera waits takes its
place, so a slow model never builds a backlog and what it labels is as fresh as it can be. Of the
cameras that wait, the one served longest ago is next, so none starves.
"""

import threading
import time


class LatestFrameWorker:
    """Calls `process(camera, frame, received, ready)` on its own thread.

    `received` is when submit() got the frame and `ready` when the worker could first have begun
    with it (later than `received` only if it was busy with another), both time.monotonic().
    `process` must not raise: what it does with a bad frame is its own business.
    """

    def __init__(self, process, name="segmentation"):
        self._process = process
        self._changed = threading.Condition()
        self._waiting = {}  # camera → (frame, received)
        self._served = {}  # camera → number of its last turn
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self):
        self._thread.start()

    def submit(self, camera, frame):
        """Hand over a frame; True if it displaced one that had not been begun.

        `camera` is any hashable thing that tells cameras apart.
        """
        with self._changed:
            displaced = camera in self._waiting
            self._waiting[camera] = (frame, time.monotonic())
            self._changed.notify()
        return displaced

    def stop(self, timeout=5.0):
        """Finish the frame in work, forget the waiting ones and end the thread.

        Returns False if the thread is still busy after `timeout` seconds.
        """
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        turn = 0
        while True:
            idle_since = time.monotonic()
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                camera = min(self._waiting, key=lambda waiting: self._served.get(waiting, 0))
                turn += 1
                self._served[camera] = turn
                frame, received = self._waiting.pop(camera)
            self._process(camera, frame, received, max(received, idle_since))
            frame = None  # while waiting for the next, do not keep this one's memory
