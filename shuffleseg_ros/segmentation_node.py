"""The ROS 2 node `segmentation`: images of one or several cameras in, class labels out.

A managed (lifecycle) node: configure loads and warms the model, activate subscribes and labels,
deactivate stops, cleanup frees. With `autostart` it does the first two by itself. Each camera has
its topics (see camera_outputs), all share one model and one thread that labels the newest frame of
each in turn; the executor's thread only takes messages from the middleware.
"""

import contextlib
import os
import re
import sys
import threading

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from shuffleseg_core.errors import UserError
from shuffleseg_core.upsampling import IS_BUILT
from shuffleseg_ros import diagnostics_report
from shuffleseg_ros.camera import Camera
from shuffleseg_ros.camera_settings import CameraSettings
from shuffleseg_ros.diagnostics_report import ERROR, OK, WARN
from shuffleseg_ros.label_info import LabelInfoPublisher
from shuffleseg_ros.latest_frame_worker import LatestFrameWorker
from shuffleseg_ros.log_throttle import LogThrottle
from shuffleseg_ros.node_main import run_node
from shuffleseg_ros.node_parameters import declare_parameter, warn_of_unknown
from shuffleseg_ros.patient_parameters import PatientParameterService
from shuffleseg_ros.process_health import ProcessHealth
from shuffleseg_ros.segmentation_parameters import (
    CAMERAS,
    PARAMETERS,
    PER_CAMERA,
    camera_parameters,
)
from shuffleseg_ros.served_model import ServedModel, open_warm

NODE_NAME = "segmentation"
LONELY = 5.0  # seconds without any image after which the log tells of it, once a camera

UNCONFIGURED, INACTIVE, ACTIVE = "unconfigured", "inactive", "active"
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SegmentationNode(LifecycleNode):
    """See the module. Raises UserError or ParameterException for bad parameters."""

    def __init__(self, **node_options):
        super().__init__(NODE_NAME, start_parameter_services=False, **node_options)
        try:
            self._cameras = {name: None for name in self._declare_parameters()}
        except BaseException:
            self.destroy_node()
            raise
        self._state = UNCONFIGURED
        self._failure = ""  # why the last configure failed
        self._segmenter = None
        self._served = None
        self._label_info = None
        self._worker = None
        # Held while a frame is labelled, and while what it is labelled with changes.
        self._in_work = threading.Lock()
        self._throttle = LogThrottle()
        # Frames come in while parameter services of the default group are at work.
        self._frames_group = MutuallyExclusiveCallbackGroup()
        self._told_lonely = set()
        self._health = ProcessHealth()
        self._values = self._read_parameters()
        self._prepared = {}  # (model, threads) → Segmenter
        self.add_on_set_parameters_callback(self._change_parameters)
        self._parameter_services = PatientParameterService(self, self._prepare)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # On a steady clock: diagnostics must go on while simulated time stands still.
        self._timer = self.create_timer(
            self._values["diagnostics_period"],
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def _declare_parameters(self):
        """Returns the cameras' names."""
        names = declare_parameter(self, CAMERAS)
        if not names or len(set(names)) < len(names):
            raise UserError(f"parameter cameras: {names} are no different names")
        for name in names if len(names) > 1 else filter(None, names):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise UserError(
                    f"parameter cameras: {name!r} is no name; take letters, digits and _"
                )
        values = {CAMERAS.name: names}
        for parameter in PARAMETERS:
            if parameter is not CAMERAS:
                values[parameter.name] = declare_parameter(self, parameter)
        for name in filter(None, names):
            for parameter in camera_parameters(name, values):
                values[parameter.name] = declare_parameter(self, parameter)
        warn_of_unknown(self, list(values))
        return names

    def bring_up(self):
        """Configure and activate, where `autostart` says so; the log tells if that fails."""
        if self._values["autostart"] and self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    # Transitions, on the executor's thread.

    def on_configure(self, state):
        try:
            self._load_model()
        except UserError as error:
            self._failure = " ".join(str(error).split())
            self.get_logger().error(
                f"not configured: {self._failure}; mend it, then: "
                f"ros2 lifecycle set {self.get_fully_qualified_name()} configure"
            )
            return _FAILURE
        self._failure = ""
        for name in self._cameras:
            self._cameras[name] = Camera(
                self,
                name,
                self._settings(name, self._values),
                transport=self._value("image_transport", name),
                reliability=self._value("image_reliability", name),
                window=self._values["diagnostics_window"],
                throttle=self._throttle,
                callback_group=self._frames_group,
            )
            self._cameras[name].outputs.serve(self._served)
        self._label_info = LabelInfoPublisher(self)
        self._publish_label_info()
        if not IS_BUILT:
            self.get_logger().warning(
                "labels are chosen by numpy, some times slower than compiled: at the installation "
                "of this package there was no C compiler"
            )
        self._state = INACTIVE
        return super().on_configure(state)

    def on_activate(self, state):
        self._worker = LatestFrameWorker(self._label_frame)
        self._worker.start()
        for camera in self._cameras.values():
            camera.open(self._worker.submit, lambda: self._values["lazy"])
        self._told_lonely.clear()
        self._state = ACTIVE
        topics = ", ".join(camera.topic for camera in self._cameras.values())
        segmenter = self._segmenter
        self.get_logger().info(
            f"labelling {topics} with {os.path.basename(str(segmenter.model_path))}: "
            f"{len(self._served.label_map)} classes, {segmenter.num_threads} threads"
        )
        return super().on_activate(state)

    def on_deactivate(self, state):
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state):
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state):
        self._free()
        self._failure = self._failure or "an unexpected error; see the log"
        return super().on_error(state)

    def close(self):
        """Let the frame in work end, then leave the ROS graph."""
        self._free()
        self.destroy_node()

    def _stop(self):
        for camera in filter(None, self._cameras.values()):
            camera.pause()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self._state = INACTIVE

    def _free(self):
        self._stop()
        for name, camera in self._cameras.items():
            if camera is not None:
                camera.close()
            self._cameras[name] = None
        if self._label_info is not None:
            self._label_info.close()
        self._label_info = self._segmenter = self._served = None
        self._state = UNCONFIGURED

    # Labelling, on the worker's thread.

    def _label_frame(self, camera, message, received, ready):
        with self._in_work:
            camera.label(self._served, self._values["overlay_opacity"], message, received, ready)

    # The model and the parameters.

    def _load_model(self):
        values = self._values
        segmenter = open_warm(values["model"], values["num_threads"])
        self._served = ServedModel.of(segmenter, values["remap"], values["probability_classes"])
        self._segmenter = segmenter

    def _publish_label_info(self):
        model = os.path.basename(str(self._segmenter.model_path))
        self._label_info.publish(self._served.label_map, model)

    def _read_parameters(self):
        """{name: value} of all parameters; raises UserError for one that is no good."""
        names = [parameter.name for parameter in PARAMETERS]
        names += [
            f"{camera}.{name}" for camera in filter(None, self._cameras) for name in PER_CAMERA
        ]
        values = {name: self.get_parameter(name).value for name in names}
        for camera in self._cameras:
            self._settings(camera, values)
        return values

    def _value(self, name, camera):
        return self._values[f"{camera}.{name}" if camera else name]

    @staticmethod
    def _settings(camera, values):
        own = {
            name: values[f"{camera}.{name}" if camera else name] for name in CameraSettings.names()
        }
        try:
            return CameraSettings(**own)
        except UserError as error:
            raise UserError(f"{camera}.{error}" if camera else str(error)) from error

    def _prepare(self, parameters):
        """On a thread of its own: load the model that these parameters ask for."""
        values = {**self._values, **{parameter.name: parameter.value for parameter in parameters}}
        wanted = values["model"], values["num_threads"]
        if self._segmenter is None or wanted == (
            self._values["model"],
            self._values["num_threads"],
        ):
            return
        with contextlib.suppress(Exception):  # told when the parameters are set
            self._prepared[wanted] = open_warm(*wanted)

    def _change_parameters(self, parameters):
        """Take new values, or refuse them with the reason and leave all as it is."""
        changed = {p.name: p.value for p in parameters if p.name in self._values}
        changed = {name: value for name, value in changed.items() if value != self._values[name]}
        try:
            self._apply(changed)
        except UserError as error:
            return SetParametersResult(successful=False, reason=" ".join(str(error).split()))
        except Exception as error:  # a value that nobody thought of must not end the node
            reason = f"{type(error).__name__}: {error}"
            self.get_logger().error(f"parameters {', '.join(changed)} not changed: {reason}")
            return SetParametersResult(successful=False, reason=reason)
        finally:
            self._prepared.clear()
        return SetParametersResult(successful=True)

    def _apply(self, changed):
        named = list(filter(None, self._cameras))
        for name in changed:
            if named and name in PER_CAMERA:
                raise UserError(
                    f"{name}: each camera has its own; set {named[0]}.{name} (and so on)"
                )
        values = {**self._values, **changed}
        settings = {camera: self._settings(camera, values) for camera in self._cameras}
        segmenter, served = self._segmenter, self._served
        if segmenter is not None:  # configured
            if changed.keys() & {"model", "num_threads"}:
                wanted = values["model"], values["num_threads"]
                segmenter = self._prepared.pop(wanted, None) or open_warm(*wanted)
            if changed.keys() & {"model", "num_threads", "remap", "probability_classes"}:
                served = ServedModel.of(segmenter, values["remap"], values["probability_classes"])
        with self._in_work:
            relabelled = served is not self._served
            self._values, self._segmenter, self._served = values, segmenter, served
            for camera, new in settings.items():
                if self._cameras[camera] is not None:
                    self._cameras[camera].settings = new
                    if relabelled:
                        self._cameras[camera].outputs.serve(served)
        if relabelled:
            self._publish_label_info()
            self.get_logger().info(
                f"now labelling with {os.path.basename(str(segmenter.model_path))}: "
                f"{len(served.label_map)} classes, {segmenter.num_threads} threads"
            )

    # Diagnostics.

    def _publish_diagnostics(self):
        statuses = [self._process_status()]
        if self._state == ACTIVE:
            statuses += [self._camera_status(camera) for camera in self._cameras.values()]
        array = DiagnosticArray(status=statuses)
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _status(self, task, level, message, pairs):
        return DiagnosticStatus(
            level=bytes([level]),
            message=message,
            # diagnostic_updater's form
            name=f"{self.get_fully_qualified_name().lstrip('/')}: {task}",
            hardware_id=os.path.basename(str(self._segmenter.model_path))
            if self._segmenter
            else "",
            values=[KeyValue(key=key, value=value) for key, value in pairs],
        )

    def _camera_status(self, camera):
        snapshot = camera.statistics.snapshot()
        if (
            snapshot.received == 0
            and snapshot.up_time > LONELY
            and camera.name not in self._told_lonely
        ):
            self._told_lonely.add(camera.name)
            self.get_logger().warning(
                f"no image on {camera.topic} yet, which {self.count_publishers(camera.topic)} "
                f"publish; another is given as --ros-args -r {camera.image}:=/camera/image_raw"
            )
        level, message = diagnostics_report.judge_camera(
            snapshot,
            topic=camera.topic,
            window=camera.statistics.window,
            settings=camera.settings,
        )
        task = f"{camera.name} inference" if camera.name else "inference"
        return self._status(task, level, message, diagnostics_report.camera_values(snapshot))

    def _process_status(self):
        health = self._health.sample()
        level, message = OK, self._state
        if self._failure:
            level, message = ERROR, f"not configured: {self._failure}"
        elif self._state != ACTIVE:
            level = WARN
        else:
            level, message = diagnostics_report.judge_process(health, self._values)
        segmenter = self._segmenter
        pairs = [
            ("state", self._state),
            ("model", str(segmenter.model_path) if segmenter else ""),
            ("threads", str(self._values["num_threads"])),
            ("compiled labels", "yes" if IS_BUILT else "no"),
            *diagnostics_report.process_values(health),
        ]
        return self._status("process", level, message, pairs)


def work(node):
    node.bring_up()
    rclpy.spin(node)


def main(args=None):
    return run_node(NODE_NAME, SegmentationNode, PARAMETERS, work, args=args)


if __name__ == "__main__":
    sys.exit(main())
