"""Things made ahead of their use by threads, in order."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

Step = TypeVar("Step")
Result = TypeVar("Result")


def prefetched(
    make: Callable[[Step], Result],
    steps: Iterable[Step],
    workers: int = 1,
    depth: int | None = None,
) -> Generator[Result, None, None]:
    """`make(step)` for every step, in the steps' order.

    Threads are enough, since OpenCV and NumPy leave Python's lock while they decode and scale.
    OpenCV's own threads are off in the whole process until the iterator ends: every worker is
    one core's work, and no more.

    Args:
        make: called in several threads at once.
        steps: may be endless; one is taken when its result is begun.
        workers: number of threads, 1 or more.
        depth: results being made or waiting, at most, 1 or more; `workers` + 1 where None.
            The one that the caller works on comes on top.

    Returns:
        A generator. Close it (`contextlib.closing`) to stop early: results not begun are
        dropped, those in work are waited for. What `make` raises comes out in its place
        in the order, and ends the iterator.
    """
    steps = iter(steps)
    pending = deque()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_one_opencv_thread())
        pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
        stack.callback(pool.shutdown, cancel_futures=True)

        def begin(count: int) -> None:
            pending.extend(pool.submit(make, step) for step in itertools.islice(steps, count))

        begin(workers + 1 if depth is None else depth)
        while pending:
            result = pending.popleft().result()
            begin(1)
            yield result
            del result  # the caller may be done with it while the next one is waited for


@contextlib.contextmanager
def _one_opencv_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
