"""The runtime: sizes, timings, inputs that are none."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from shuffleseg_core import LabelMap, Segmenter, UserError, colorize, overlay


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
def test_feeding_allocates_nothing_from_frame_to_frame(tiny_models, name, size, rng):
    segmenter = Segmenter(tiny_models / f"{name}.tflite")
    rgb = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    out = np.empty(rgb.shape[:2], np.uint8)
    segmenter.segment(rgb, out)
    tracemalloc.start()
    try:
        for feed in (segmenter._input.feed, lambda rgb: segmenter.segment(rgb, out)):
            feed(rgb)
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            feed(rgb)
            now, peak = tracemalloc.get_traced_memory()
            assert now - before < 1000  # what tracemalloc itself and the timings take
            if feed == segmenter._input.feed:
                assert peak - before < 1000
    finally:
        tracemalloc.stop()


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


def test_colours_are_the_label_maps(rng):
    label_map = LabelMap.named("camvid")
    labels = rng.integers(0, 11, (6, 7), np.uint8)
    painted = colorize(labels, label_map)
    np.testing.assert_array_equal(painted, np.array(label_map.colors, np.uint8)[labels])
    assert colorize(np.full((1, 1), 200, np.uint8), label_map).max() == 0
    image = rng.integers(0, 256, (6, 7, 3), np.uint8)
    np.testing.assert_array_equal(overlay(image, labels, label_map, 0.0), image)
    np.testing.assert_array_equal(overlay(image, labels, label_map, 1.0), painted)


@pytest.mark.parametrize("name", LabelMap.known())
def test_label_map_survives_json(name):
    label_map = LabelMap.named(name)
    assert LabelMap.from_dict(label_map.to_dict()) == label_map
    assert len(set(label_map.colors)) == len(label_map)


def test_anonymous_colours_differ():
    assert len(set(LabelMap.anonymous(255).colors)) == 255
