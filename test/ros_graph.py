"""A real ROS graph for tests: a probe inside this process, nodes as processes of their own.

Everything runs in a domain of its own and on this host only.
"""

import array
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import rclpy
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

REPOSITORY = Path(__file__).resolve().parents[1]
TIMEOUT = 20.0  # seconds; far beyond what anything here takes

# ROS_LOCALHOST_ONLY is what Humble knows; since Iron it is deprecated.
_LOCAL = (
    {"ROS_LOCALHOST_ONLY": "1"}
    if os.environ.get("ROS_DISTRO") == "humble"
    else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
)
os.environ.update(_LOCAL, ROS_DOMAIN_ID=str(1 + os.getpid() % 100))


class RosProcess:
    """`python -m MODULE --ros-args ...`, with its output read line by line as it comes.

    A list in place of the module is a command of its own, as for an installed executable.
    """

    def __init__(self, module, parameters=None, arguments=()):
        program = module if isinstance(module, list) else [sys.executable, "-m", module]
        command = [*program, "--ros-args", *arguments]
        for name, value in (parameters or {}).items():
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            command += ["-p", f"{name}:={text}"]
        path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        )
        self.lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def wait_for_line(self, pattern, timeout=TIMEOUT):
        """The first line that matches, from the start of the process on."""

        def found():
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._changed:
            line = self._changed.wait_for(found, timeout)
        assert line, f"no line matches {pattern!r} in:\n" + "\n".join(self.lines)
        return line

    def errors(self):
        return [line for line in self.lines if "[ERROR]" in line]

    def wait(self, timeout=TIMEOUT):
        """Exit status, once the process ended by itself and all its output is in `lines`."""
        status = self._process.wait(timeout)
        self._reader.join(timeout)
        return status

    def stop(self, how=signal.SIGINT):
        """Exit status after a signal."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def assert_one_error(self, pattern):
        """The process ended with a failure, one ERROR line that matches, and no traceback."""
        status, output = self.wait(), "\n".join(self.lines)
        assert status not in (0, None), f"status {status}:\n{output}"
        assert len(self.errors()) == 1, output
        assert re.search(pattern, self.errors()[0]), output
        assert "Traceback" not in output, output

    def assert_clean_end(self, status):
        output = "\n".join(self.lines)
        assert status == 0, output
        assert "Traceback" not in output and "[ERROR]" not in output, output

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Inbox:
    """The messages of one subscription, to be waited for."""

    def __init__(self, graph, topic, message_type, reliability, latched=False):
        self._graph = graph
        self._changed = threading.Condition()
        self._messages = []
        qos = QoSProfile(depth=50, reliability=reliability)
        if latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self._subscription = graph.node.create_subscription(message_type, topic, self._receive, qos)

    def _receive(self, message):
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def messages(self):
        with self._changed:
            return list(self._messages)

    def clear(self):
        with self._changed:
            self._messages.clear()

    def wait_for(self, predicate, timeout=TIMEOUT):
        """The first message that predicate(message) accepts, None after the timeout."""

        def found():
            return next((m for m in self._messages if predicate(m)), None)

        with self._changed:
            return self._changed.wait_for(found, timeout)

    def wait_for_count(self, count, timeout=TIMEOUT):
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) >= count, timeout)
            return list(self._messages)

    def close(self):
        self._graph.node.destroy_subscription(self._subscription)


class Graph:
    """A node of this process, spun on a thread."""

    def __init__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("test_probe", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._closing = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self._stamps = iter(range(1, 10**9))

    def _spin(self):
        while not self._closing:
            self.executor.spin_once(timeout_sec=0.1)

    def inbox(
        self, topic, message_type=Image, reliability=ReliabilityPolicy.RELIABLE, latched=False
    ):
        return Inbox(self, topic, message_type, reliability, latched)

    def publisher(self, topic, message_type=Image, reliability=ReliabilityPolicy.RELIABLE):
        return self.node.create_publisher(
            message_type, topic, QoSProfile(depth=5, reliability=reliability)
        )

    def stamp(self, message):
        """Give an Image a stamp that no other has."""
        message.header.stamp.sec = next(self._stamps)
        message.header.stamp.nanosec = 7
        return message

    def call(self, service_type, name, request):
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(TIMEOUT)
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(TIMEOUT)
        self.node.destroy_client(client)
        return future.result()

    def set_parameters(self, node, **values):
        """'' or why a value was refused, each; `front__roi` stands for front.roi."""
        parameters = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        request = SetParameters.Request(parameters=parameters)
        results = self.call(SetParameters, f"{node}/set_parameters", request).results
        return [result.reason if not result.successful else "" for result in results]

    def change_state(self, node, transition):
        """Whether a managed node's transition, by its label, succeeded."""
        request = ChangeState.Request()
        request.transition.label = transition
        return self.call(ChangeState, f"{node}/change_state", request).success

    def state(self, node):
        return self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label

    def close(self):
        self._closing = True
        self._thread.join(TIMEOUT)
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="session")
def graph():
    graph = Graph()
    yield graph
    graph.close()


def image_message(pixels, encoding, padding=0, frame_id="camera"):
    """An Image of uint8 pixels [h, w] or [h, w, channels], with bytes of 0xAA after every row."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1] + padding)
    message.header.frame_id = frame_id
    message.data = array.array("B", b"".join(row.tobytes() + b"\xaa" * padding for row in rows))
    return message


def wait_until(condition, timeout=TIMEOUT):
    """Poll what has no event of its own."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)
