"""Other commands of `shuffleseg`, each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading


class ChildFailed(Exception):
    """A command ended with another status than 0; it has said why."""


def run_shuffleseg(*arguments) -> None:
    """Run a command to its end.

    Ctrl-C and SIGTERM are passed on to it once, so that it saves what it has.

    Raises:
        ChildFailed: it failed.
        KeyboardInterrupt: it was interrupted.
    """
    command = [sys.executable, "-m", "shuffleseg_core.cli", *map(str, arguments)]
    interrupted = threading.Event()
    # In a session of its own a terminal's Ctrl-C does not reach it beside ours: a second signal
    # would end it without saving.
    process = subprocess.Popen(command, start_new_session=True)

    def pass_on(number, frame):
        if not interrupted.is_set():
            interrupted.set()
            process.send_signal(signal.SIGINT)

    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, pass_on)
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.kill()
            process.wait()
    if interrupted.is_set():
        raise KeyboardInterrupt
    if status:
        raise ChildFailed(f"`shuffleseg {arguments[0]}` ended with status {status}")
