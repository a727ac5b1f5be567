"""The managed node: transitions, failed ones, and parameters that change while it runs."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import dataclasses
import shutil
import threading
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService
from test_segmentation_node import MODULE, camera, frame, ids, node, own_node

from ros_graph import TIMEOUT, RosProcess, graph, wait_until
from shuffleseg_core.export.description_writer import with_description
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.model_description import read_description
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_core.tflite_file import TFLiteFile
from shuffleseg_ros import segmentation_node
from shuffleseg_ros.image_conversion import to_rgb

NODE = "/segmentation"


@pytest.fixture(scope="module")
def other_model(tiny_models):
    """Of the same 11 classes as tiny_tflite, with other labels."""
    return tiny_models / "logits_align_corners.tflite"


def topics(graph):
    return {
        name for name, _ in graph.node.get_publisher_names_and_types_by_node("segmentation", "/")
    }


def subscribes(graph):
    found = graph.node.get_subscriptions_info_by_topic("/image")
    return any(info.node_name == "segmentation" for info in found)


def test_each_transition_does_its_part(graph, camera, tiny_tflite):
    parameters = {"model": str(tiny_tflite), "autostart": False, "diagnostics_period": 0.1}
    expected = Segmenter(tiny_tflite).segment(to_rgb(frame()))
    with RosProcess(MODULE, parameters) as process:
        status = camera.status(lambda s: s.message == "unconfigured", task="process")
        assert status.level == b"\x01"
        assert graph.state(NODE) == "unconfigured" and not graph.change_state(NODE, "activate")
        for _ in range(2):
            assert graph.change_state(NODE, "configure")
            camera.status(lambda s: s.message == "inactive", task="process")
            wait_until(lambda: "/segmentation/labels" in topics(graph))
            assert not subscribes(graph)
            for _ in range(2):
                assert graph.change_state(NODE, "activate")
                assert np.array_equal(ids(camera.label(frame())), expected)
                camera.status(lambda s: s.message == "active", task="process")
                assert graph.change_state(NODE, "deactivate")
                wait_until(lambda: not subscribes(graph))
            assert graph.change_state(NODE, "cleanup")
            wait_until(lambda: "/segmentation/labels" not in topics(graph))
        assert graph.change_state(NODE, "configure") and graph.change_state(NODE, "activate")
        camera.label(frame())
        assert graph.change_state(NODE, "shutdown")
        assert graph.state(NODE) == "finalized"
        process.assert_clean_end(process.stop())


def mismatched_model(model, path):
    """A copy of a model whose description names more classes than the network has."""
    description = read_description(TFLiteFile(model))
    description = dataclasses.replace(description, label_map=LabelMap.anonymous(13))
    path.write_bytes(with_description(Path(model).read_bytes(), description))


def test_a_failed_configure_tells_why_and_can_be_retried(graph, camera, tmp_path, tiny_tflite):
    data = Path(tiny_tflite).read_bytes()
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "text.tflite").write_text("This is no model. " * 100)
    (tmp_path / "cut.tflite").write_bytes(data[: len(data) // 2])
    mismatched_model(tiny_tflite, tmp_path / "mismatched.tflite")
    parameters = {"model": str(tmp_path / "none.tflite"), "diagnostics_period": 0.1}
    with RosProcess(MODULE, parameters) as process:
        process.wait_for_line(r"\[ERROR\].*cannot configure: .*none.tflite.*lifecycle set /segmen")
        for model, words in (
            (tmp_path / "none.tflite", "none.tflite"),
            (tmp_path, tmp_path.name),
            (tmp_path / "empty.tflite", "empty.tflite"),
            (tmp_path / "text.tflite", "text.tflite"),
            (tmp_path / "cut.tflite", "cut.tflite"),
            (tmp_path / "mismatched.tflite", "13"),
        ):
            assert graph.set_parameters(NODE, model=str(model)) == [""]
            assert not graph.change_state(NODE, "configure")
            status = camera.status(
                lambda s, w=words: s.level == b"\x02" and w in s.message, task="process"
            )
            assert status.message.startswith("cannot configure: ")
            assert graph.state(NODE) == "unconfigured"
        assert graph.set_parameters(NODE, model=str(tiny_tflite)) == [""]
        assert graph.set_parameters(NODE, remap=["free=roda"]) == [""]
        assert not graph.change_state(NODE, "configure")
        camera.status(lambda s: "did you mean 'road'" in s.message, task="process")
        assert graph.set_parameters(NODE, remap=[""]) == [""]
        assert graph.change_state(NODE, "configure") and graph.change_state(NODE, "activate")
        camera.label(frame())
        camera.status(lambda s: s.level == b"\x00", task="process")
        assert process.stop() == 0
        assert not any("Traceback" in line for line in process.lines)


def test_the_model_is_swapped_while_frames_come(
    graph, camera, node, tiny_tflite, other_model, tmp_path
):
    sent = frame(seed=4)
    both = [Segmenter(model).segment(to_rgb(sent)) for model in (tiny_tflite, other_model)]
    assert not np.array_equal(*both)
    for model, expected in ((other_model, both[1]), (tiny_tflite, both[0])):
        assert graph.set_parameters(NODE, model=str(model)) == [""]
        assert np.array_equal(ids(camera.label(sent)), expected)
        camera.status(lambda s, m=model: s.hardware_id == m.name, task="process")
    (tmp_path / "text.tflite").write_text("This is no model. " * 100)
    for bad in ("none.tflite", "text.tflite"):
        (reason,) = graph.set_parameters(NODE, model=str(tmp_path / bad))
        assert bad in reason
        assert np.array_equal(ids(camera.label(sent)), both[0])
    assert graph.set_parameters(NODE, num_threads=2) == [""]
    node.wait_for_line("now labelling with logits.tflite: 11 classes, 2 threads")
    assert np.array_equal(ids(camera.label(sent)), both[0])
    assert graph.set_parameters(NODE, num_threads=1) == [""]


def test_the_old_model_labels_until_the_new_one_is_warm(
    graph, tiny_tflite, other_model, monkeypatch
):
    warm, loading, real = threading.Event(), threading.Event(), segmentation_node.open_warm

    def slowly(model, num_threads):
        segmenter = real(model, num_threads)
        loading.set()
        assert warm.wait(TIMEOUT)
        return segmenter

    values = {"model": str(tiny_tflite), "num_threads": 1}
    node = segmentation_node.SegmentationNode(
        context=graph.context,
        namespace="swapped",
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    node.bring_up()
    monkeypatch.setattr(segmentation_node, "open_warm", slowly)
    executor = segmentation_node.rclpy.executors.SingleThreadedExecutor(context=graph.context)
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    labels, publisher = (
        graph.inbox("/swapped/segmentation/labels"),
        graph.publisher("/swapped/image"),
    )
    sent = frame(seed=4)

    def label():
        graph.stamp(sent)

        def arrived():
            publisher.publish(sent)
            return labels.wait_for(lambda m: m.header.stamp == sent.header.stamp, timeout=0.2)

        wait_until(arrived)
        return ids(arrived())

    try:
        expected = [Segmenter(model).segment(to_rgb(sent)) for model in (tiny_tflite, other_model)]
        assert np.array_equal(label(), expected[0])
        answers = []
        swap = threading.Thread(
            target=lambda: answers.append(
                graph.set_parameters("/swapped/segmentation", model=str(other_model))
            )
        )
        swap.start()
        assert loading.wait(TIMEOUT)
        for _ in range(3):
            assert np.array_equal(label(), expected[0])
        assert answers == []
        warm.set()
        swap.join(TIMEOUT)
        assert answers == [[""]]
        assert np.array_equal(label(), expected[1])
    finally:
        warm.set()
        executor.shutdown()
        spinning.join(TIMEOUT)
        node.close()
        labels.close()
        graph.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("num_threads", 17, "num_threads"),
        ("overlay_opacity", -0.1, "overlay_opacity"),
        ("roi", "a,b", "roi: 'a,b' is not x,y,width,height"),
        ("roi", "0,0,10,0", "roi"),
        ("ego_mask", "/nothing/here.png", "/nothing/here.png"),
        ("output_size", "0x5", "output_size"),
        ("output_size", "99999x99999", "output_size"),
        ("remap", ["free=roda"], "did you mean 'road'"),
        ("remap", ["a=road", "b=road"], "road"),
        ("probability_classes", ["street"], "no class 'street' is published"),
        ("autostart", False, ""),
        ("cameras", ["front"], ""),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(
    graph, camera, node, tiny_tflite, name, value, reason
):
    request = {name: value}
    (told,) = graph.set_parameters(NODE, **request)
    assert told and reason in told
    sent = frame(seed=6)
    assert np.array_equal(ids(camera.label(sent)), Segmenter(tiny_tflite).segment(to_rgb(sent)))


def test_the_rate_limit_is_the_mean_rate(graph, camera, node):
    assert graph.set_parameters(NODE, rate_limit=2.0) == [""]
    before = camera.status(lambda _: True)
    status = camera.status(
        lambda s: "frames dropped: rate limit" in {pair.key for pair in s.values},
        keep_sending=frame(),
    )
    assert status.message != before.message or status.values
    assert graph.set_parameters(NODE, rate_limit=0.0) == [""]
    camera.label(frame())


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("roi", "1,2,3", "roi: '1,2,3' is not x,y,width,height"),
        ("output_size", "big", "output_size: camera, network or WIDTHxHEIGHT"),
        ("ego_mask", "/nothing/here.png", "ego_mask: /nothing/here.png"),
        ("probability_classes", ["street"], "no class 'street' is published"),
    ],
)
def test_a_value_that_cannot_be_configured_can_be_mended(graph, tiny_tflite, name, value, reason):
    node = own_node(graph, "mended", tiny_tflite, **{name: value})
    try:
        assert node._process_status().message.startswith("cannot configure: ")
        assert reason in node._process_status().message
        plain = [""] if isinstance(value, list) else "camera" if name == "output_size" else ""
        assert node.set_parameters([Parameter(name, value=plain)])[0].successful
        node.bring_up()
        assert node._process_status().message == "active"
    finally:
        node.close()


def test_an_unexpected_error_in_a_transition_leaves_a_reason(graph, tiny_tflite, monkeypatch):
    monkeypatch.setattr(segmentation_node, "LabelInfoPublisher", None)
    node = own_node(graph, "unexpected", tiny_tflite)
    try:
        assert "cannot configure: TypeError" in node._process_status().message
        monkeypatch.undo()
        node.bring_up()
        assert node._process_status().message == "active"
    finally:
        node.close()


def test_a_transition_that_is_not_allowed_does_not_end_the_node(graph, tiny_tflite, monkeypatch):
    """Up to Jazzy rclpy lets the error through."""

    def refuse(self, transition):
        raise RuntimeError("Failed to trigger transition")

    node = own_node(graph, "refusing", tiny_tflite)
    try:
        monkeypatch.setattr(
            segmentation_node.LifecycleNode, "_LifecycleNodeMixin__change_state", refuse
        )
        assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    finally:
        node.close()


def test_a_request_of_an_unknown_type_is_refused(graph, camera, node, tiny_tflite):
    value = ParameterValue(type=99)
    request = SetParameters.Request(parameters=[ParameterMessage(name="model", value=value)])
    (result,) = graph.call(SetParameters, f"{NODE}/set_parameters", request).results
    assert not result.successful and "99" in result.reason
    camera.label(frame())


def test_models_are_loaded_once_and_none_is_kept(graph, tiny_tflite, other_model, monkeypatch):
    """Whatever else is in the request, and also where it is refused."""
    loaded, real = [], segmentation_node.open_warm
    node = own_node(graph, "loading", tiny_tflite)
    service = node._parameter_services
    monkeypatch.setattr(
        segmentation_node, "open_warm", lambda *wanted: loaded.append(wanted) or real(*wanted)
    )
    try:
        for values, expected in (
            ({"overlay_opacity": 0.2, "model": str(other_model)}, [(str(other_model), 1)]),
            ({"num_threads": 2, "lazy": False}, [(str(other_model), 2)]),
            ({"num_threads": 40}, []),
            ({"lazy": True}, []),
        ):
            parameters = [Parameter(name, value=value) for name, value in values.items()]
            loaded.clear()
            node._prepare([[parameter] for parameter in parameters])
            request = SetParameters.Request(parameters=[p.to_parameter_msg() for p in parameters])
            ParameterService._set_parameters_callback(service, request, SetParameters.Response())
            service._done()
            assert loaded == expected and node._prepared == {}
    finally:
        node.close()


def test_a_replaced_file_is_loaded_when_its_path_is_set_again(
    graph, tiny_tflite, other_model, tmp_path
):
    model = tmp_path / "model.tflite"
    shutil.copy(tiny_tflite, model)
    node = own_node(graph, "replaced", model)
    try:
        before = node._segmenter
        same = [Parameter("model", value=str(model))]
        assert node.set_parameters(same)[0].successful and node._segmenter is before
        shutil.copy(other_model, model)
        assert node.set_parameters([Parameter("lazy", value=False)])[0].successful
        assert node._segmenter is before
        assert node.set_parameters(same)[0].successful and node._segmenter is not before
        sent = to_rgb(frame(seed=4))
        expected = Segmenter(other_model).segment(sent)
        assert np.array_equal(node._segmenter.segment(sent), expected)
    finally:
        node.close()


def test_classes_that_would_share_a_topic_are_refused(graph, tiny_tflite):
    rules = {"remap": ["a b=road", "a-b=car"], "probability_classes": ["a b", "a-b"]}
    node = own_node(graph, "sharing", tiny_tflite, **rules)
    try:
        assert "would share the topic a_b" in node._process_status().message
    finally:
        node.close()
