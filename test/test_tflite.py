"""Exported files: operators, forms, the description inside, and what damage does."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from shuffleseg_core import LabelMap, Segmenter
from shuffleseg_core.errors import UserError
from shuffleseg_core.model_description import METADATA_NAME, ModelDescription, read_description
from shuffleseg_core.tflite_file import TFLiteFile


def test_only_builtin_operators(tiny_models):
    for path in tiny_models.glob("*.tflite"):
        assert TFLiteFile(path).custom_operators == ()


def test_file_describes_itself_without_tensorflow(tiny_tflite):
    program = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = sys.modules["rclpy"] = None
from shuffleseg_core.model_description import read_description
from shuffleseg_core.tflite_file import TFLiteFile
print(read_description(TFLiteFile({str(tiny_tflite)!r})).to_json())
"""
    text = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    description = ModelDescription.from_json(text)
    assert description.label_map == LabelMap.named("camvid")
    assert description.input_size == (64, 48)
    assert description.input_range == (0, 255)
    assert description.architecture["head"] == "basic"
    assert description.training and description.parameters > 100_000
    assert json.loads(text)["label_map"]["ignore_id"] == 11


def test_labels_inside_equal_labels_outside(tiny_models, rng):
    """Resize + argmax in the graph and in the runtime are the same function."""
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    for suffix in ("", "_align_corners"):
        inside = Segmenter(tiny_models / f"labels{suffix}.tflite").segment(image)
        outside = Segmenter(tiny_models / f"logits{suffix}.tflite").segment(image)
        # Two float implementations may break near-ties apart.
        assert np.mean(inside == outside) > 0.999


def test_uint8_input_gives_the_same(tiny_models, rng):
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    by_float = Segmenter(tiny_models / "logits.tflite").segment(image)
    by_uint8 = Segmenter(tiny_models / "logits_uint8.tflite").segment(image)
    np.testing.assert_array_equal(by_float, by_uint8)


def _logits(segmenter, image):
    """float32 logits as the network means them."""
    segmenter.segment(image)
    raw = segmenter._interpreter.get_tensor(segmenter._output_index).astype(np.float32)
    scale, zero = segmenter._interpreter.get_output_details()[0]["quantization"]
    return (raw - zero) * scale if scale else raw


def test_int8_file_is_int8_throughout_and_follows_the_float_one(tiny_models, rng):
    by_float, by_int8 = (
        Segmenter(tiny_models / f"{name}.tflite") for name in ("decoder", "logits_int8")
    )
    tensors = by_int8._interpreter.get_tensor_details()
    assert not [t["name"] for t in tensors if np.dtype(t["dtype"]).kind == "f"]
    assert by_int8._interpreter.get_input_details()[0]["dtype"] == np.uint8
    assert (
        by_int8._input._table is None
    )  # pixels are fed as they are, though calibrated by dark frames
    assert by_int8.description.training["quantized_by"] == "8 frames"
    assert by_int8.model_path.stat().st_size < 0.45 * by_float.model_path.stat().st_size
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    expected, found = (_logits(segmenter, image) for segmenter in (by_float, by_int8))
    assert expected.shape == found.shape == (1, 12, 16, 11)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.98


def test_int8_ids_inside_are_those_outside(tiny_models, rng):
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    inside = Segmenter(tiny_models / "labels_int8.tflite").segment(image)
    outside = Segmenter(tiny_models / "logits_int8.tflite").segment(image)
    # Inside, interpolated logits are rounded to 8 bits once more.
    assert np.mean(inside == outside) > 0.9


def test_file_equals_keras_model(tiny_models, rng):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    from shuffleseg_core.models import build_model

    keras.utils.set_random_seed(3)
    model = build_model(
        "shufflenet_v2", 11, depth_multiplier=0.5, input_size=(64, 48), upsample=False
    )
    image = rng.integers(0, 256, (1, 48, 64, 3)).astype(np.float32)
    expected = np.asarray(model(image, training=False))
    segmenter = Segmenter(tiny_models / "logits.tflite")
    segmenter.segment(image[0].astype(np.uint8))
    output = segmenter._interpreter.get_tensor(segmenter._output_index)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def _edited(path, target, edit):
    """A copy of a .tflite after edit(model), which gets the schema's object."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return target


def _with_metadata(path, target, text):
    """A copy with another description, or (None) without any."""

    def edit(model):
        for entry in model.metadata:
            if entry.name == METADATA_NAME.encode():
                if text is None:
                    entry.name = b"something_else"
                else:
                    model.buffers[entry.buffer].data = list(text.encode())

    return _edited(path, target, edit)


def test_file_without_description_still_runs(tiny_models, tmp_path, street):
    for name in ("logits", "labels"):
        source = tiny_models / f"{name}.tflite"
        bare = _with_metadata(source, tmp_path / f"{name}.tflite", None)
        segmenter = Segmenter(bare)
        assert segmenter.description is None
        assert segmenter.label_map.names[:2] == ("class_0", "class_1")
        assert len(segmenter.label_map) == 11
        np.testing.assert_array_equal(segmenter.segment(street), Segmenter(source).segment(street))


@pytest.mark.parametrize("name", ["logits", "labels"])
def test_class_count_that_disagrees_with_the_description(tiny_models, tmp_path, name):
    source = tiny_models / f"{name}.tflite"
    description = read_description(TFLiteFile(source))
    other = ModelDescription(LabelMap.anonymous(4), description.input_size, description.output)
    wrong = _with_metadata(source, tmp_path / "wrong.tflite", other.to_json())
    with pytest.raises(UserError, match="11 classes but its description names 4"):
        Segmenter(wrong)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"label_map": 3}', "\x00"])
def test_description_that_is_none(tiny_tflite, tmp_path, text):
    wrong = _with_metadata(tiny_tflite, tmp_path / "wrong.tflite", text)
    with pytest.raises(UserError, match="description"):
        Segmenter(wrong)


def test_description_that_disagrees_with_the_graph(tiny_models, tmp_path):
    source = tiny_models / "logits.tflite"
    description = read_description(TFLiteFile(source))
    for change in ({"input_size": (32, 32)}, {"output": "labels"}):
        other = dataclasses.replace(description, **change)
        wrong = _with_metadata(source, tmp_path / "wrong.tflite", other.to_json())
        with pytest.raises(UserError, match="description says"):
            Segmenter(wrong)


def test_described_input_range_is_fed(tiny_models, tmp_path, rng):
    """With the range turned round, a negative is labelled as its positive was."""
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    source = tiny_models / "logits.tflite"
    description = read_description(TFLiteFile(source))
    turned = dataclasses.replace(description, input_range=(255.0, 0.0))
    path = _with_metadata(source, tmp_path / "turned.tflite", turned.to_json())
    np.testing.assert_array_equal(
        Segmenter(path).segment(255 - image), Segmenter(source).segment(image)
    )


def test_model_of_no_fixed_size(tiny_models, tmp_path):
    def edit(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shapeSignature = [1, -1, -1, 3]

    path = _edited(tiny_models / "logits.tflite", tmp_path / "any.tflite", edit)
    with pytest.raises(UserError, match="one size"):
        Segmenter(path)


def test_no_model_at_all(tmp_path):
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "text.tflite").write_text("this is no model " * 10)
    for path in (tmp_path / "missing.tflite", tmp_path, *tmp_path.iterdir()):
        with pytest.raises(UserError, match="model .*: "):
            Segmenter(path)


def test_truncated_model(tiny_tflite, tmp_path):
    """Every cut ends in one clear line, never in a crash of the interpreter."""
    whole = tiny_tflite.read_bytes()
    cuts = [9, 16, 100, 1000, len(whole) // 3, len(whole) // 2, len(whole) - 1]
    program = """
import sys
from shuffleseg_core import Segmenter, UserError
for path in sys.argv[1:]:
    try:
        Segmenter(path)
    except UserError as error:
        print(error)
"""
    for cut in cuts:
        (tmp_path / f"{cut}.tflite").write_bytes(whole[:cut])
    result = subprocess.run(
        [sys.executable, "-c", program, *sorted(tmp_path.glob("*.tflite"))],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(cuts)


def test_not_a_segmentation_model(tmp_path, tiny_models):
    def edit(model):
        graph = model.subgraphs[0]
        graph.outputs = [graph.operators[2].outputs[0], graph.outputs[0]]

    path = _edited(tiny_models / "logits.tflite", tmp_path / "two.tflite", edit)
    with pytest.raises(UserError, match="a segmentation model gives"):
        Segmenter(path)
