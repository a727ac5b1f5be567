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
import traceback

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
    NUM_THREADS,
    PARAMETERS,
    PER_CAMERA,
    camera_parameters,
)
from shuffleseg_ros.served_model import ServedModel, file_state, open_warm

NODE_NAME = "segmentation"
LONELY = 5.0  # seconds without any image after which the log tells of it, once a camera

UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = "unconfigured", "inactive", "active", "finalized"
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SegmentationNode(LifecycleNode):
    """See the module. Raises UserError or ParameterException for bad parameters."""

    def __init__(self, **node_options):
        super().__init__(NODE_NAME, start_parameter_services=False, **node_options)
        try:
            self._values = self._declare_parameters()
        except BaseException:
            self.destroy_node()
            raise
        self._cameras = dict.fromkeys(self._values[CAMERAS.name])  # name → Camera once configured
        self._state = UNCONFIGURED
        self._failure = ""  # why the last transition failed
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
        self._prepared = {}  # (model, threads) → Segmenter, during a call of a parameter service
        self._model_file = None  # what the loaded file was
        self.add_on_set_parameters_callback(self._change_parameters)
        self._parameter_services = PatientParameterService(
            self, self._prepare, self._prepared.clear
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # On a steady clock: diagnostics must go on while simulated time stands still.
        self._timer = self.create_timer(
            self._values["diagnostics_period"],
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
            callback_group=self._frames_group,
        )

    def _declare_parameters(self):
        """{name: value} of all parameters."""
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
        return values

    def bring_up(self):
        """Configure and activate, where `autostart` says so; the log tells if that fails."""
        if self._values["autostart"] and self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    # Transitions, on the executor's thread.

    # Up to Jazzy rclpy lets the error of a transition that is not allowed now end the process.
    def _LifecycleNodeMixin__change_state(self, transition_id):
        try:
            return super()._LifecycleNodeMixin__change_state(transition_id)
        except RuntimeError as error:
            self.get_logger().error(" ".join(str(error).split()))
            return TransitionCallbackReturn.ERROR

    def on_configure(self, state):
        if not self._succeeds(self._configure, "configure"):
            return _FAILURE
        return super().on_configure(state)

    def on_activate(self, state):
        if not self._succeeds(self._activate, "activate"):
            return _FAILURE
        return super().on_activate(state)

    def _succeeds(self, work, transition):
        """Whether a transition's `work` did; if not, the reason is kept and logged."""
        try:
            work()
        except Exception as error:
            if not isinstance(error, UserError):
                traceback.print_exc()
            reason = str(error) if isinstance(error, UserError) else repr(error)
            self._failure = f"cannot {transition}: {' '.join(reason.split())}"
            self.get_logger().error(
                f"{self._failure}; mend it, then: "
                f"ros2 lifecycle set {self.get_fully_qualified_name()} {transition}"
            )
            if transition == "configure":
                self._free()
            else:
                self._stop()
            return False
        self._failure = ""
        return True

    def _configure(self):
        settings = {name: self._settings(name, self._values) for name in self._cameras}
        self._load_model()
        for name in self._cameras:
            self._cameras[name] = Camera(
                self,
                name,
                settings[name],
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

    def _activate(self):
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

    def on_deactivate(self, state):
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state):
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state):
        self._free()
        self._state = FINALIZED
        return super().on_shutdown(state)

    def on_error(self, state):
        self._free()
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
        self._model_file = file_state(segmenter.model_path)

    def _publish_label_info(self):
        model = os.path.basename(str(self._segmenter.model_path))
        self._label_info.publish(self._served.label_map, model)

    def _value(self, name, camera):
        return self._values[_of_camera(camera, name)]

    @staticmethod
    def _settings(camera, values):
        own = {name: values[_of_camera(camera, name)] for name in CameraSettings.names()}
        try:
            return CameraSettings(**own)
        except UserError as error:
            raise UserError(f"{camera}.{error}" if camera else str(error)) from error

    def _prepare(self, steps):
        """On a thread of its own: load the models that these steps of parameters ask for."""
        values = self._values
        for parameters in steps:
            values = {**values, **{parameter.name: parameter.value for parameter in parameters}}
            named = {parameter.name for parameter in parameters}
            wanted = values["model"], values["num_threads"]
            if (
                self._segmenter is not None
                and wanted not in self._prepared
                and self._needs_model(wanted, named)
                and wanted[1] in range(int(NUM_THREADS.minimum), int(NUM_THREADS.maximum) + 1)
            ):
                with contextlib.suppress(Exception):  # told when the parameters are set
                    self._prepared[wanted] = open_warm(*wanted)

    def _needs_model(self, wanted, named):
        """Whether `wanted`, (model, threads), is not what is loaded; a file that was replaced is
        loaded again when `model` is among the `named` parameters."""
        if wanted != (self._values["model"], self._values["num_threads"]):
            return True
        return "model" in named and file_state(self._segmenter.model_path) != self._model_file

    def _change_parameters(self, parameters):
        """Take new values, or refuse them with the reason and leave all as it is."""
        given = {p.name: p.value for p in parameters if p.name in self._values}
        try:
            self._apply(given)
        except UserError as error:
            return SetParametersResult(successful=False, reason=" ".join(str(error).split()))
        except Exception as error:  # a value that nobody thought of must not end the node
            reason = f"{type(error).__name__}: {error}"
            self.get_logger().error(f"parameters {', '.join(given)} not changed: {reason}")
            return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _apply(self, given):
        changed = {name for name, value in given.items() if value != self._values[name]}
        named = list(filter(None, self._cameras))
        for name in changed:
            if named and name in PER_CAMERA:
                raise UserError(
                    f"{name}: each camera has its own; set {named[0]}.{name} (and so on)"
                )
        values = {**self._values, **given}
        settings = {
            camera: self._settings(camera, values)
            for camera in self._cameras
            if changed & {_of_camera(camera, name) for name in CameraSettings.names()}
        }
        segmenter, served, loaded = self._segmenter, self._served, False
        if segmenter is not None:  # configured
            wanted = values["model"], values["num_threads"]
            loaded = self._needs_model(wanted, given)
            if loaded:
                segmenter = self._prepared.pop(wanted, None) or open_warm(*wanted)
            if loaded or changed & {"remap", "probability_classes"}:
                served = ServedModel.of(segmenter, values["remap"], values["probability_classes"])
        with self._in_work:
            relabelled = served is not self._served
            self._values, self._segmenter, self._served = values, segmenter, served
            for camera, new in settings.items():
                if self._cameras[camera] is not None:
                    self._cameras[camera].settings = new
            if relabelled:
                for camera in self._cameras.values():
                    camera.outputs.serve(served)
        if loaded:
            self._model_file = file_state(segmenter.model_path)
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
            level, message = ERROR, self._failure
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


def _of_camera(camera, name):
    """The name of a camera's parameter."""
    return f"{camera}.{name}" if camera else name


def work(node):
    node.bring_up()
    rclpy.spin(node)


def main(args=None):
    return run_node(NODE_NAME, SegmentationNode, PARAMETERS, work, args=args)


if __name__ == "__main__":
    sys.exit(main())
