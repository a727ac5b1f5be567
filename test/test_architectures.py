"""What holds for every network of the registry."""

import subprocess
import sys

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, Segmenter
from shuffleseg_core.errors import UserError
from shuffleseg_core.tflite_file import TFLiteFile

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.export.tflite_export import export_tflite, random_network  # noqa: E402
from shuffleseg_core.import_weights import load_starting_weights  # noqa: E402
from shuffleseg_core.models import ARCHITECTURES, build_model  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402
from shuffleseg_core.models.weights_file import save_weights  # noqa: E402
from shuffleseg_core.trained_files import WEIGHTS  # noqa: E402
from shuffleseg_training.loss import LOSSES  # noqa: E402
from shuffleseg_training.optimizer import make_optimizer  # noqa: E402
from shuffleseg_training.recipe import load_recipe  # noqa: E402

pytestmark = requires_tensorflow
#: Their max unpooling compares and selects, which XNNPACK does not.
UNPOOLING = ("segnet", "enet")
architectures = pytest.mark.parametrize("name", ARCHITECTURES)


@architectures
def test_it_says_whose_it_is(name):
    architecture = ARCHITECTURES[name]
    assert architecture.title and any(c.isdigit() for c in architecture.source)
    # Its batch norms can be told how fast they forget.
    assert any(option.endswith("momentum") for option in architecture.defaults)


@architectures
def test_logits_of_any_image_have_its_size(name, rng):
    model = build_model(name, 5)
    for size in ((71, 33), (96, 64)):
        image = rng.uniform(0, 255, (1, size[1], size[0], 3)).astype(np.float32)
        assert model(image).shape == (1, size[1], size[0], 5)
    fixed = build_model(name, 5, input_size=(71, 33))
    assert fixed.output.shape == (None, 33, 71, 5)
    assert fixed.output.dtype == "float32"
    coarse = build_model(name, 5, input_size=(71, 33), upsample=False)
    assert coarse.get_layer("logits").output.shape[-1] == 5
    # The same weights, with or without the last resize and at any size.
    shapes = [[w.shape for w in m.weights] for m in (model, fixed, coarse)]
    assert shapes[0] == shapes[1] == shapes[2]


@architectures
def test_it_learns_by_the_shipped_recipes(name, rng):
    """Every weight has a gradient, and all are numbers after a step of the recipe's optimizer."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    (recipe,) = load_recipe("camvid_basic", (f"model.architecture={name}",))
    model = build_model(**recipe.model, num_classes=5, input_size=(64, 48))
    images = rng.uniform(0, 255, (2, 48, 64, 3)).astype(np.float32)
    labels = rng.integers(0, 5, (2, 48, 64)).astype(np.uint8)
    loss = LOSSES["cross_entropy_lovasz"](5, 255, None, 0.0)
    with tf.GradientTape() as tape:
        value = loss(labels, model(images, training=True))
    gradients = tape.gradient(value, model.trainable_variables)
    assert np.isfinite(value)
    for variable, gradient in zip(model.trainable_variables, gradients):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
    make_optimizer(recipe.optimization, 10, model).apply(gradients, model.trainable_variables)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@architectures
@pytest.mark.parametrize("size", [(96, 64), (71, 33)])
def test_its_file_has_builtin_operators_and_its_logits(name, size, rng, tmp_path):
    path, weights = tmp_path / "network.tflite", tmp_path / "network.weights.h5"
    network = random_network(LabelMap.named("camvid"), size, name)
    model = network.build(input_size=size, upsample=False)
    for variable in model.weights:  # as after a training, not as they begin
        if "moving_variance" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) == 1:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    model.save_weights(weights)
    export_tflite(network, path, weights_file=weights)
    assert TFLiteFile(path).custom_operators == ()
    image = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    expected = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    segmenter = Segmenter(path, num_threads=1)
    logits = segmenter.logits(image)
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()
    # XNNPACK has all of it in one piece.
    operators = [one["op_name"] for one in segmenter._interpreter._get_ops_details()]
    assert name in UNPOOLING or operators.count("DELEGATE") == 1


def test_counting_without_keras_gives_keras_counts():
    program = """
import sys
if sys.argv[1] == "without":
    sys.modules["keras"] = None
from shuffleseg_core.models import ARCHITECTURES, build_model, engine
from shuffleseg_core.models.statistics import model_statistics
assert engine.keras.__name__.startswith("shuffleseg_core") == (sys.argv[1] == "without")
for name in ARCHITECTURES:
    print(name, model_statistics(build_model(name, 7, input_size=(71, 33))))
"""
    counts = [
        subprocess.run([sys.executable, "-c", program, way], check=True, capture_output=True).stdout
        for way in ("with", "without")
    ]
    assert counts[0].splitlines() == counts[1].splitlines()
    assert counts[0].count(b"\n") == len(ARCHITECTURES)


@architectures
def test_more_classes_and_larger_images_cost_more(name):
    small, deep, large = (
        model_statistics(build_model(name, classes, input_size=size, upsample=False))
        for classes, size in ((5, (96, 64)), (19, (96, 64)), (5, (192, 128)))
    )
    assert small.parameters < deep.parameters and small.macs < deep.macs
    assert small.parameters == large.parameters
    assert 3 < large.macs / small.macs < 5


@architectures
def test_int8_throughout(name, rng, tmp_path):
    """Processors without a float unit run all of them."""
    path = tmp_path / "network.tflite"
    frames = list(rng.integers(0, 256, (2, 64, 96, 3), np.uint8))
    network = random_network(LabelMap.named("camvid"), (96, 64), name)
    export_tflite(network, path, input_dtype="uint8", calibration=frames)
    tensors = Segmenter(path, num_threads=1)._interpreter.get_tensor_details()
    assert not [t["name"] for t in tensors if np.dtype(t["dtype"]).kind == "f"]


def test_a_saved_model_comes_back_as_it_was(rng, tmp_path):
    """Layers of ours are registered under names of their own."""
    for name in ("enet", "skipnet_shufflenet", "pp_mobileseg_tiny"):
        model = build_model(name, 5, input_size=(71, 33))
        model.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras")
        assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
        image = rng.uniform(0, 255, (1, 33, 71, 3)).astype(np.float32)
        np.testing.assert_array_equal(loaded(image), model(image))


@architectures
def test_a_backbone_is_taken_alone_where_there_is_one(name, tmp_path):
    network = random_network(LabelMap.named("camvid"), (96, 64), name)
    network.save_record(tmp_path)
    save_weights(network.build(input_size=(96, 64)), tmp_path / WEIGHTS)
    model = build_model(name, 5, input_size=(96, 64))
    if ARCHITECTURES[name].has_backbone:
        report = load_starting_weights(model, tmp_path, head="none")
        assert len(report.placed) > 20 and "logits" not in report.placed
    else:
        with pytest.raises(UserError, match="no backbone"):
            load_starting_weights(model, tmp_path, head="none")


@architectures
def test_momenta_out_of_range_are_named(name):
    for option in ARCHITECTURES[name].defaults:
        if option.endswith("momentum"):
            with pytest.raises(UserError, match="momentum of 2"):
                build_model(name, 5, **{option: 2})


@architectures
def test_options_that_it_lacks_are_named(name):
    with pytest.raises(UserError, match="widht"):
        build_model(name, 5, widht=3)
