"""What figures were measured on."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import compiled_labels

#: Packages whose version changes a model's speed.
_PACKAGES = (
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "onnxruntime",
    "openvino",
)


def machine() -> dict:
    """{"cpu": the processor's name, "cores": logical cores of this machine}."""
    name = ""
    with contextlib.suppress(OSError):
        # ARM's kernels name no model there.
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        name = found.group(1) if found else ""
    return {"cpu": name or platform.processor() or platform.machine(), "cores": os.cpu_count()}


def software() -> dict:
    """Versions of Python and of the installed packages that compute labels."""
    versions = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    versions["labels by"] = "C" if compiled_labels.IS_BUILT else "numpy"
    return versions
