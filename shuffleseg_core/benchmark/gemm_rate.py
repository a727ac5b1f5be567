"""What the machine could do at best: multiplying large matrices."""

from __future__ import annotations

import time

import numpy as np

from ..errors import needs_extra

SIZE = 1024


def gemm_rate(num_threads: int, repetitions: int = 12) -> float:
    """The best rate of a float32 product of 1024 × 1024 matrices, in GMAC/s.

    Args:
        num_threads: of the BLAS that numpy brings.
        repetitions: the best one of these counts.

    Raises:
        UserError: threadpoolctl, which limits BLAS's threads, is missing.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        what = "the machine's own rate needs threadpoolctl"
        raise needs_extra(what, error, "benchmark") from error
    a, b = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
    out = np.empty_like(a)
    best = np.inf
    with threadpool_limits(num_threads, user_api="blas"):
        for _ in range(repetitions):
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = min(best, time.perf_counter() - start)
    return SIZE**3 / best / 1e9
