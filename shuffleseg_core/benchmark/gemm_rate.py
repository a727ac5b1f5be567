"""What the machine could do at best: multiplying large matrices."""

from __future__ import annotations

import time

import numpy as np

from ..errors import needs_extra
from ..segmenter import StageTimings

SIZE = 1024


def gemm_rate(num_threads: int, repetitions: int = 12) -> float:
    """The best rate of a float32 product of 1024 × 1024 matrices, in GMAC/s.

    Args:
        num_threads: of the BLAS that numpy brings.
        repetitions: the best one of these counts.

    Raises:
        UserError: threadpoolctl, which limits BLAS's threads, is missing.
    """
    gemm = Gemm(num_threads)
    best = np.inf
    for _ in range(repetitions):
        gemm.segment()
        best = min(best, gemm.timings.total)
    return SIZE**3 / best / 1e9


class Gemm:
    """The product behind the interface that the Segmenter is timed by, to take turns with it.

    Raises:
        UserError: threadpoolctl, which limits BLAS's threads, is missing.
    """

    def __init__(self, num_threads: int):
        try:
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            what = "the machine's own rate needs threadpoolctl"
            raise needs_extra(what, error, "benchmark") from error
        self._limits, self._num_threads = threadpool_limits, num_threads
        self._a, self._b = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
        self._out = np.empty_like(self._a)
        self.timings: StageTimings | None = None

    def segment(self, rgb=None, out=None) -> None:
        """Multiply; the arguments are left alone."""
        with self._limits(self._num_threads, user_api="blas"):
            start = time.perf_counter()
            np.matmul(self._a, self._b, out=self._out)
            self.timings = StageTimings(0.0, time.perf_counter() - start, 0.0)
