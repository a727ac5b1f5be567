"""How much memory labelling takes, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from ..errors import UserError

_PROGRAM = """
import json, re, sys
import numpy as np
from shuffleseg_core import Segmenter
def peak():  # not getrusage: its peak begins with that of the process that started this one
    return re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read()).group(1)
model, threads, width, height = json.loads(sys.argv[1])
before = peak()
segmenter = Segmenter(model, threads)
image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
for _ in range(5):
    segmenter.segment(image)
print(before, peak())
"""


def peak_memory(model: str | os.PathLike, num_threads: int, size: tuple[int, int]) -> dict:
    """Peak resident memory of a process that labels images of a size, of noise, with a model.

    Returns:
        {"peak_mb": of the whole process, "model_mb": what the model and its frames added to the
        interpreter of Python and the libraries}, in 10⁶ bytes.

    Raises:
        UserError: the process fails, or the system does not tell (it needs Linux's /proc).
    """
    arguments = json.dumps([os.fspath(model), num_threads, *size])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, arguments], capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise UserError(f"memory of model {model}: {reason}")
    before, peak = (1024 * int(n) / 1e6 for n in done.stdout.split()[-2:])
    return {"peak_mb": peak, "model_mb": peak - before}
