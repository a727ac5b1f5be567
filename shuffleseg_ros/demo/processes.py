"""Node and player as processes of their own, as on a robot."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time

_PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def use_private_graph() -> None:
    """Keep this process and its children to a domain of their own on this machine.

    Must come before rclpy.init(). A domain or range that the user set stays.
    """
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    else:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class RosProcess:
    """One executable of this package; its output goes to a log and is shown if it fails.

    Args:
        module: run by `python -m`.
        parameters: name → value.
    """

    def __init__(self, module: str, parameters: dict):
        self.module = module
        self.started = time.monotonic()
        self._log = tempfile.TemporaryFile(mode="w+", encoding="utf-8")
        command = [sys.executable, "-m", module, "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else f"{value!r}"
            command += ["-p", f"{name}:={text}"]
        self._process = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal must reach the demo, which then ends its processes in order.
            start_new_session=True,
            preexec_fn=functools.partial(_endable, os.getpid()),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self, timeout: float = 10.0) -> int:
        """Ctrl-C, then its exit status; killed if it does not end within `timeout` seconds."""
        if self.running():
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def errors(self) -> list[str]:
        """What it logged at level ERROR, without time stamps, each line once."""
        self._log.seek(0)
        lines = [line.strip() for line in self._log if "ERROR" in line or "Error" in line]
        return list(dict.fromkeys(line.rpartition("]: ")[2] for line in lines))

    def resident_mb(self) -> float | None:
        """Resident memory in MB (10⁶ bytes); None where /proc does not tell."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                for line in status:
                    if line.startswith("VmRSS:"):
                        return int(line.split()[1]) * 1024 / 1e6
        except OSError:
            pass
        return None


def _endable(parent: int) -> None:
    """In a child: let Ctrl-C end it, and (on Linux) the death of its parent, however that died."""
    # Shells start background jobs with SIGINT ignored, which children would inherit.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if _prctl is not None:
        # It comes once. Python may drop the KeyboardInterrupt that it makes of SIGINT (in the
        # callbacks of its import locks, say); SIGTERM ends it, or is heard by rclpy's own handler.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before that
            os._exit(1)
