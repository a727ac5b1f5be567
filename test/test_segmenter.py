"""The runtime: sizes, timings, inputs that are none."""

import subprocess
import sys
import tracemalloc

import cv2
import numpy as np
import pytest
from test_label_upsampling import resize_all

from shuffleseg_core import LabelMap, Segmenter, UserError
from shuffleseg_core.tflite_file import TFLiteFile


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (200, 100), (1, 1), (7, 301)])
def test_ids_at_the_images_own_size(tiny_models, rng, size):
    for name in ("logits", "labels"):
        labels = Segmenter(tiny_models / f"{name}.tflite").segment(
            rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
        )
        assert labels.shape == (size[1], size[0])
        assert labels.dtype == np.uint8
        assert labels.max() < 11


def test_frames_do_not_share_memory(tiny_tflite, rng):
    segmenter = Segmenter(tiny_tflite)
    first = segmenter.segment(rng.integers(0, 256, (48, 64, 3), np.uint8))
    kept = first.copy()
    segmenter.segment(np.zeros((48, 64, 3), np.uint8))
    np.testing.assert_array_equal(first, kept)


def test_labels_are_written_where_they_are_wanted(tiny_models, rng):
    rgb = rng.integers(0, 256, (50, 70, 3), np.uint8)
    for name in ("logits", "labels"):
        segmenter = Segmenter(tiny_models / f"{name}.tflite")
        out = np.full((50, 70), 255, np.uint8)
        assert segmenter.segment(rgb, out) is out
        np.testing.assert_array_equal(out, segmenter.segment(rgb))
        for wrong in (np.empty((70, 50), np.uint8), np.empty((50, 70)), out[:, ::-1]):
            with pytest.raises(ValueError, match="out is"):
                segmenter.segment(rgb, wrong)


@pytest.mark.parametrize("name", ["logits", "logits_uint8"])
@pytest.mark.parametrize("size", [(64, 48), (200, 100)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_feeding_allocates_nothing_from_frame_to_frame(tiny_models, name, size, order, rng):
    segmenter = Segmenter(tiny_models / f"{name}.tflite")
    rgb = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    out = np.empty(rgb.shape[:2], np.uint8)
    segmenter.segment(rgb, out)
    tracemalloc.start()
    try:
        for feed, at_no_time in (
            (lambda: segmenter._input.feed(rgb, order), True),
            (lambda: segmenter.segment(rgb, out, order=order), False),
        ):
            feed()
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            feed()
            now, peak = tracemalloc.get_traced_memory()
            assert now - before < 1000  # what tracemalloc itself and the timings take
            if at_no_time:
                assert peak - before < 1000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["logits", "labels", "logits_int8", "labels_int8"])
@pytest.mark.parametrize("size", [(64, 48), (31, 77), (128, 96)])
def test_labels_of_a_size_that_is_wanted(tiny_models, rng, name, size):
    segmenter = Segmenter(tiny_models / f"{name}.tflite")
    image = rng.integers(0, 256, (50, 70, 3), np.uint8)
    labels = segmenter.segment(image, size=size)
    assert labels.shape == size[::-1]
    out = np.full(size[::-1], 255, np.uint8)
    assert segmenter.segment(image, out, size=size) is out
    np.testing.assert_array_equal(out, labels)
    with pytest.raises(ValueError, match="out is"):
        segmenter.segment(image, out)
    if size == segmenter.input_size:  # the camera's size plays no part but for the input
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        assert np.mean(segmenter.segment(small) == labels) > 0.95


@pytest.mark.parametrize("name", ["logits", "labels", "logits_uint8", "logits_int8", "ranged"])
@pytest.mark.parametrize("size", [(64, 48), (128, 96), (200, 100), (40, 30)])
def test_a_bgr_image_has_the_labels_of_its_rgb_image(tiny_models, tmp_path, rng, name, size):
    segmenter = Segmenter(tiny_models / f"{name.replace('ranged', 'logits')}.tflite")
    if name == "ranged":  # inputs that pixels are looked up for
        segmenter._input._table = np.linspace(-1, 1, 256, dtype=np.float32)
    for padding in (0, 3):
        bgr = rng.integers(0, 256, (size[1], size[0] + padding, 3), np.uint8)[:, : size[0]]
        bgr.flags.writeable = False
        before = bgr.copy()
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        labels = segmenter.segment(bgr, order="bgr")
        fed = segmenter._interpreter.get_tensor(segmenter._input._index)
        np.testing.assert_array_equal(bgr, before)
        np.testing.assert_array_equal(labels, segmenter.segment(rgb))
        again = segmenter._interpreter.get_tensor(segmenter._input._index)
        np.testing.assert_array_equal(fed, again)


@pytest.mark.parametrize("wrong", [{"order": "gbr"}, {"size": (0, 4)}, {"size": (4, -1)}])
def test_a_size_or_an_order_that_is_none(tiny_tflite, wrong):
    with pytest.raises(ValueError, match="give"):
        Segmenter(tiny_tflite).segment(np.zeros((4, 4, 3), np.uint8), **wrong)


def test_the_file_may_change_under_a_running_segmenter(tiny_tflite, tmp_path):
    """In a process of its own: one that had mapped the file would end with SIGBUS."""
    program = f"""
import os, sys, numpy
from pathlib import Path
from shuffleseg_core import Segmenter
path = Path(sys.argv[1])
path.write_bytes(Path({str(tiny_tflite)!r}).read_bytes())
segmenter = Segmenter(path, num_threads=1)
image = numpy.random.default_rng(0).integers(0, 256, (48, 64, 3), numpy.uint8)
labels = segmenter.segment(image)
def check():
    for _ in range(3):
        assert numpy.array_equal(segmenter.segment(image), labels)
    assert Segmenter({str(tiny_tflite)!r}, num_threads=2).segment(image).shape == (48, 64)
os.truncate(path, 0)
check()
path.write_bytes(b"TFL3" * 1000)
check()
other = path.with_name("other")
other.write_bytes(b"no model")
os.replace(other, path)
check()
path.unlink()
check()
print(len(numpy.unique(labels)))
"""
    path = tmp_path / "model.tflite"
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 1


def test_a_model_that_the_interpreter_refuses_is_named(tiny_tflite, tmp_path):
    data = bytearray(tiny_tflite.read_bytes())
    file = TFLiteFile(tiny_tflite)
    # An operator's code that no interpreter has: the first table of operator_codes' table.
    code = next(iter(file._tables(file._model, 1)))
    data[code.Pos + file._slot(code, 3)] = 250
    data[code.Pos + file._slot(code, 0)] = 127
    path = tmp_path / "strange.tflite"
    path.write_bytes(data)
    with pytest.raises(UserError, match="strange.tflite: the interpreter refuses it"):
        Segmenter(path)


def softmax_at(logits, size, align_corners):
    planes = resize_all(logits, size, align_corners).astype(float)
    planes = np.exp(planes - planes.max(0))
    return planes / planes.sum(0)


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("logits", (16, 12)),
        ("logits_align_corners", (16, 12)),
        ("decoder", (16, 12)),
        ("logits_int8", (16, 12)),
        ("dpc_19", (16, 12)),
    ],
)
def test_probabilities_are_the_softmax_of_the_logits(tiny_models, rng, name, grid):
    segmenter = Segmenter(tiny_models / f"{name}.tflite")
    image = rng.integers(0, 256, (50, 70, 3), np.uint8)
    logits = segmenter.logits(image)
    assert name != "logits" or logits.shape[1::-1] < grid  # the coarse case is among them
    segmenter.segment(image)
    found = segmenter.probabilities()
    assert found.dtype == np.float32 and found.shape == (*grid[::-1], logits.shape[2])
    align_corners = segmenter.description.align_corners
    expected = softmax_at(logits, grid, align_corners)
    np.testing.assert_allclose(found.transpose(2, 0, 1), expected, atol=2e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    # Those of earlier frames stay what they were.
    kept = found.copy()
    segmenter.segment(np.zeros_like(image))
    assert not np.array_equal(segmenter.probabilities(), kept)
    np.testing.assert_array_equal(found, kept)


@pytest.mark.parametrize("name", ["logits", "logits_align_corners", "logits_int8"])
@pytest.mark.parametrize("size", [(16, 12), (160, 120), (71, 53)])
def test_confidence_and_probability_as_images(tiny_models, rng, name, size):
    segmenter = Segmenter(tiny_models / f"{name}.tflite")
    segmenter.segment(rng.integers(0, 256, (50, 70, 3), np.uint8))
    planes = segmenter.probabilities()
    align_corners = segmenter.description.align_corners
    for found, plane in (
        (segmenter.confidence(size), planes.max(-1)),
        (segmenter.probability(3, size), planes[..., 3]),
    ):
        assert found.dtype == np.uint8 and found.shape == size[::-1]
        expected = 255 * resize_all(plane[..., None], size, align_corners)[0]
        np.testing.assert_allclose(found, expected, atol=1.1)
    out = np.empty(size[::-1], np.uint8)
    assert segmenter.confidence(size, out) is out
    np.testing.assert_array_equal(out, segmenter.confidence(size))
    assert segmenter.probability(10, size, out) is out
    for wrong in (np.empty(size, np.uint8), np.empty(size[::-1])):
        if wrong.shape != out.shape or wrong.dtype != out.dtype:
            with pytest.raises(ValueError, match="out is"):
                segmenter.confidence(size, wrong)
    for class_id in (-1, 11):
        with pytest.raises(ValueError, match="0 to 10"):
            segmenter.probability(class_id, size)


def test_probabilities_of_a_model_that_gives_labels(tiny_models, street):
    segmenter = Segmenter(tiny_models / "labels.tflite")
    segmenter.segment(street)
    for ask in (
        segmenter.probabilities,
        lambda: segmenter.confidence((4, 4)),
        lambda: segmenter.probability(0, (4, 4)),
    ):
        with pytest.raises(UserError, match="labels.tflite: gives labels.*--form logits"):
            ask()


def test_probabilities_before_the_first_frame(tiny_tflite):
    with pytest.raises(ValueError, match="no frame"):
        Segmenter(tiny_tflite).probabilities()


def test_padded_and_read_only_images(tiny_tflite, rng):
    segmenter = Segmenter(tiny_tflite)
    padded = rng.integers(0, 256, (48, 80, 3), np.uint8)
    view = padded[:, :64]
    view.flags.writeable = False
    np.testing.assert_array_equal(segmenter.segment(view), segmenter.segment(view.copy()))


def test_timings_of_each_stage(tiny_tflite, street):
    segmenter = Segmenter(tiny_tflite)
    assert segmenter.timings is None
    segmenter.segment(street)
    stages = segmenter.timings
    assert min(stages.preprocess, stages.inference, stages.postprocess) > 0
    assert stages.total == stages.preprocess + stages.inference + stages.postprocess


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_image(tiny_tflite, image):
    with pytest.raises(ValueError, match="uint8"):
        Segmenter(tiny_tflite).segment(image)


def test_thread_count_out_of_range(tiny_tflite):
    with pytest.raises(UserError, match="num_threads"):
        Segmenter(tiny_tflite, num_threads=0)


def test_runtime_imports_neither_tensorflow_nor_ros(tiny_tflite):
    program = f"""
import sys, numpy
from shuffleseg_core import Segmenter
Segmenter({str(tiny_tflite)!r}).segment(numpy.zeros((5, 6, 3), numpy.uint8))
heavy = {{"tensorflow", "keras", "rclpy", "matplotlib", "shuffleseg_ros", "shuffleseg_training"}}
print(sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert result.stdout.strip() == b"[]", result.stderr


@pytest.mark.parametrize("stand_in", ["tflite_runtime", "tensorflow"])
def test_other_interpreters_serve_as_well(tiny_tflite, tmp_path, stand_in):
    """Where LiteRT is missing: tflite_runtime has its interface, tf.lite is real."""
    if stand_in == "tensorflow":
        pytest.importorskip("tensorflow", exc_type=ImportError)
    program = f"""
import sys, numpy
if {stand_in!r} == "tflite_runtime":
    import ai_edge_litert.interpreter, types
    sys.modules["tflite_runtime"] = types.ModuleType("tflite_runtime")
    sys.modules["tflite_runtime.interpreter"] = sys.modules["ai_edge_litert.interpreter"]
sys.modules["ai_edge_litert.interpreter"] = None
from shuffleseg_core import Segmenter
rgb = numpy.random.default_rng(0).integers(0, 256, (48, 64, 3), numpy.uint8)
numpy.save(sys.argv[1], Segmenter({str(tiny_tflite)!r}).segment(rgb))
"""
    target = tmp_path / "labels.npy"
    subprocess.run([sys.executable, "-c", program, target], check=True, capture_output=True)
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    np.testing.assert_array_equal(np.load(target), Segmenter(tiny_tflite).segment(rgb))


def test_no_interpreter_at_all(tiny_tflite, monkeypatch):
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="ai-edge-litert"):
        Segmenter(tiny_tflite)


@pytest.mark.parametrize("name", LabelMap.known())
def test_label_map_survives_json(name):
    label_map = LabelMap.named(name)
    assert LabelMap.from_dict(label_map.to_dict()) == label_map
    assert len(set(label_map.colors)) == len(label_map)


def test_anonymous_colours_differ():
    assert len(set(LabelMap.anonymous(255).colors)) == 255
