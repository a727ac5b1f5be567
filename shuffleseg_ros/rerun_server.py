"""Rerun's server and web viewer as a process of its own, on the addresses that it is told.

Rerun's Python functions for this (serve_grpc, serve_web_viewer) listen on all interfaces and cannot
be told otherwise; the program that lies in the same wheel can. A process of its own also keeps the
serving of browsers away from the thread that takes messages.
"""

import ctypes
import ipaddress
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import rerun_cli

from shuffleseg_core.errors import UserError

PROGRAM = Path(rerun_cli.__file__).with_name("rerun")
START_TIMEOUT = 30.0  # seconds
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class RerunServer:
    """Serves what is logged to `url` to browsers that open `page`.

    bind: the IP address to listen on. memory_limit_mb: how much of what was logged is kept for
    browsers that come later; the oldest goes first.
    Raises UserError for what is no IP address and for a port that cannot be had.
    """

    def __init__(self, bind, port, grpc_port, memory_limit_mb):
        try:
            address = ipaddress.ip_address(bind)
        except ValueError:
            raise UserError(
                f"parameter bind: {bind!r} is no IP address; 127.0.0.1 is this computer only, "
                "0.0.0.0 every network"
            ) from None
        for name, wanted in (("port", port), ("grpc_port", grpc_port)):
            _check_free(address, wanted, name)
        here = "127.0.0.1" if address.is_unspecified else _in_url(address)
        there = socket.gethostname() if address.is_unspecified else here
        self.url = f"rerun+http://{here}:{grpc_port}/proxy"
        seen_from_there = f"rerun+http://{there}:{grpc_port}/proxy"
        self.page = f"http://{there}:{port}/?url={quote(seen_from_there, safe='')}"
        command = [PROGRAM, "--serve-web", "--bind", str(address), "--port", str(grpc_port)]
        command += ["--web-viewer-port", str(port), "--server-memory-limit", f"{memory_limit_mb}MB"]
        # The program reports its use to its authors unless told not to; for the time of this
        # process only, the user's own settings stay as they are.
        self._folder = tempfile.TemporaryDirectory(prefix="segmentation_view_")
        environment = {
            **os.environ,
            "XDG_CONFIG_HOME": self._folder.name,
            "XDG_DATA_HOME": self._folder.name,
        }
        quiet = {"env": environment, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        subprocess.run(
            [PROGRAM, "analytics", "disable"], stdout=subprocess.DEVNULL, check=True, **quiet
        )
        if not address.is_loopback and _knows("--cors-allow-origin"):
            # Where it has this option, it lets only pages of localhost have data.
            command += ["--cors-allow-origin", f"http://*:{port}"]
        self._log = Path(self._folder.name, "log")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                start_new_session=True,  # Ctrl-C is for the node, which ends this process then
                preexec_fn=_end_with_parent,
                **quiet,
            )
        try:
            self._wait_until_it_listens(here, (grpc_port, port))
        except BaseException:
            self.close()
            raise

    def check(self):
        """Raises UserError if the process has ended."""
        status = self._process.poll()
        if status is not None:
            lines = self._log.read_text(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
            raise UserError(f"Rerun's server ended with status {status}: {last}")

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _wait_until_it_listens(self, host, ports):
        end = time.monotonic() + START_TIMEOUT
        for port in ports:
            while True:
                self.check()
                try:
                    socket.create_connection((host.strip("[]"), port), 1.0).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise UserError(
                            f"Rerun's server does not listen on {host}:{port} after "
                            f"{START_TIMEOUT:.0f} s"
                        ) from None
                    time.sleep(0.05)


def _check_free(address, port, name):
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(address), port))
        except OSError as error:
            raise UserError(
                f"cannot listen on {_in_url(address)}:{port}: {error.strerror}; another port is "
                f"given as --ros-args -p {name}:=NUMBER"
            ) from None


def _in_url(address):
    return f"[{address}]" if address.version == 6 else str(address)


def _knows(option):
    usage = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    return option in usage.stdout


def _end_with_parent():
    """A node that was killed must leave no server behind, which would hold the ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
