"""Reads an iterable ahead on a thread, so that slow items do not disturb who takes them in time."""

import queue
import threading

_END = object()


class ReadAhead:
    """Iterates over `items` from a thread that stays up to `depth` items ahead.

    An exception of `items` is raised where its item would have come. close() ends the thread.
    """

    def __init__(self, items, depth=4):
        self._queue = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._read, args=(items,), name="read_ahead", daemon=True
        )
        self._thread.start()

    def __iter__(self):
        return self

    def __next__(self):
        item, error = self._queue.get()
        if error is not None:
            raise error
        if item is _END:
            self._put(_END, None)  # a later next() gets the end again
            raise StopIteration
        return item

    def close(self, timeout=10.0):
        """End the thread, which takes until the item that it is reading is there.

        An interpreter that ends while a thread is inside OpenCV's C++ code aborts, so this waits.
        """
        self._closed.set()
        self._thread.join(timeout)

    def _read(self, items):
        try:
            for item in items:
                if not self._put(item, None):
                    return
            self._put(_END, None)
        except Exception as error:
            self._put(None, error)

    def _put(self, item, error):
        while not self._closed.is_set():
            try:
                self._queue.put((item, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
