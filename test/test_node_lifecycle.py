"""The managed node: transitions, failed ones, and parameters that change while it runs."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import dataclasses
import threading
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from test_segmentation_node import MODULE, Camera, frame, ids

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
def camera(graph):
    return Camera(graph)


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
        process.wait_for_line(r"\[ERROR\].*not configured: .*none.tflite.*lifecycle set /segmen")
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
            assert status.message.startswith("not configured: ")
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


@pytest.fixture(scope="module")
def node(graph, camera, tiny_tflite):
    parameters = {"model": str(tiny_tflite), "num_threads": 1, "diagnostics_period": 0.1}
    with RosProcess(MODULE, parameters) as process:
        process.wait_for_line("labelling /image")
        yield process
        process.stop()


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
