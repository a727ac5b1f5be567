"""What a training ran on: versions, git state, machine."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import keras

_PACKAGES = ("shuffleseg_ros", "keras", "tensorflow-cpu", "tensorflow", "jax", "numpy",
             "opencv-python-headless", "h5py", "pycocotools")  # fmt: skip


def record_session(path: Path, **facts) -> None:
    """Append one line about this start of a training to a .jsonl file.

    Args:
        path: the file.
        **facts: what else to note (JSON-ready), as the step that it goes on from.
    """
    line = {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **facts,
        "backend": keras.backend.backend(),
        "devices": keras.distribution.list_devices(),
        "python": platform.python_version(),
        "versions": _versions(),
        "git": git_state(Path(__file__).parent),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "command": sys.argv[1:],
    }
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_state(folder: Path) -> dict | None:
    """{"commit": …, "changed": whether files differ from it}; None outside a git checkout."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        return subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
