"""ENet and SegNet against their papers, and the max unpooling that both are built upon."""

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, Segmenter
from shuffleseg_core.errors import UserError
from shuffleseg_core.tflite_file import TFLiteFile

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.export.tflite_export import export_tflite, random_network  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.max_unpooling import MaxUnpooling2D  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = ("enet", "segnet")


def windows(source):
    """Pool and positions by loops: the first maximum of each 2×2 window, rows before columns."""
    batch, height, width, depth = source.shape
    maxima = np.zeros((batch, -(-height // 2), -(-width // 2), depth), source.dtype)
    positions = {}
    for index in np.ndindex(maxima.shape):
        image, row, column, channel = index
        window = [
            (image, i, j, channel)
            for i in range(2 * row, min(2 * row + 2, height))
            for j in range(2 * column, min(2 * column + 2, width))
        ]
        positions[index] = max(window, key=lambda place: source[place])  # the first of equal ones
        maxima[index] = source[positions[index]]
    return maxima, positions


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 5, 7, 2), (2, 4, 3, 1), (1, 1, 1, 4)])
def test_values_go_where_the_first_maximum_was(shape, fixed, rng):
    source = rng.integers(-1, 2, shape).astype(np.float32)  # of three values: many ties
    maxima, positions = windows(source)
    values = rng.normal(size=maxima.shape).astype(np.float32)
    expected = np.zeros(shape, np.float32)
    for index, place in positions.items():
        expected[place] = values[index]
    size = shape[1:3] if fixed else (None, None)
    image = keras.Input((*size, shape[3]))
    features = keras.Input((*(maxima.shape[1:3] if fixed else size), shape[3]))
    pooled = keras.layers.MaxPooling2D(2, padding="same")(image)
    model = keras.Model([features, image], [pooled, MaxUnpooling2D()([features, image, pooled])])
    found_maxima, found = model([values, source])
    np.testing.assert_array_equal(found_maxima, maxima)
    np.testing.assert_array_equal(found, expected)


def test_gradients_go_to_the_values_alone(rng):
    import tensorflow as tf

    source = tf.constant(rng.integers(-1, 2, (1, 5, 4, 2)), tf.float32)
    values = tf.constant(rng.normal(size=(1, 3, 2, 2)), tf.float32)
    weights = rng.normal(size=source.shape).astype(np.float32)
    maxima, positions = windows(source.numpy())
    maxima = tf.constant(maxima)
    with tf.GradientTape() as tape:
        tape.watch([values, source, maxima])
        value = tf.reduce_sum(MaxUnpooling2D()([values, source, maxima]) * weights)
    found, *others = tape.gradient(value, [values, source, maxima])
    assert others == [None, None]
    for index, place in positions.items():
        assert found[index] == weights[place]


@pytest.mark.parametrize(
    "name, classes, parameters, trainable, published",
    [
        # Paszke et al., hardware requirements: 0.37 M and 29.46 M. The moving statistics of batch
        # norm are among them, or they were 0.36 M and 29.45 M.
        ("enet", 19, 371_970, 363_618, 0.37),
        ("enet", 20, 372_035, 363_683, 0.37),
        ("segnet", 19, 29_461_907, 29_446_035, 29.46),
        ("segnet", 20, 29_462_484, 29_446_612, 29.46),
    ],
)
def test_published_parameters(name, classes, parameters, trainable, published):
    model = build_model(name, classes)
    assert model.count_params() == parameters
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == trainable
    assert round(parameters / 1e6, 2) == published


@pytest.mark.parametrize(
    "name, size, gmac",
    [
        ("enet", (224, 224), 0.3754),
        # 3.447 GFLOPs. The paper's 3.83 are of more than its text and its code tell, see enet.py.
        ("enet", (640, 360), 1.7236),
        ("segnet", (224, 224), 31.1557),
        ("segnet", (640, 360), 143.3449),
    ],
)
def test_costs(name, size, gmac):
    assert round(model_statistics(build_model(name, 19, input_size=size)).gmac, 4) == gmac


def test_segnet_is_that_of_286_03_gflops():
    """Of 20 classes, with a ReLU and a bias counted as one operation each."""
    model = build_model("segnet", 20, input_size=(640, 360), upsample=False)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    operations = 0
    for layer in convolutions:
        _, rows, columns, width = layer.output.shape
        # Pooling rounds down there: 45 rows become 22, here 23, in the deepest stage.
        rows = 22 if rows == 23 else rows
        kernel = int(np.prod(layer.kernel.shape))
        ones = 1 if layer.name == "logits" else 2
        operations += rows * columns * (2 * kernel + ones * width)
    assert len(convolutions) == 26
    assert round(operations / 1e9, 2) == 286.03


def test_enet_is_as_in_table_1():
    model = build_model("enet", 12, input_size=(512, 512), upsample=False)
    shapes = {
        "initial_activation": (256, 16),
        "bottleneck1_4_output": (128, 64),
        "bottleneck2_8_output": (64, 128),
        "bottleneck3_8_output": (64, 128),
        "bottleneck4_2_output": (128, 64),
        "bottleneck5_1_output": (256, 16),
        "logits": (512, 12),
    }
    for name, (size, width) in shapes.items():
        assert model.get_layer(name).output.shape == (None, size, size, width)
    for stage in (2, 3):
        rates = [
            model.get_layer(f"bottleneck{stage}_{unit}_conv").dilation_rate[0]
            for unit in range(1, 9)
        ]
        assert rates == [1, 2, 1, 4, 1, 8, 1, 16]
        for unit in (3, 7):
            name = f"bottleneck{stage}_{unit}_conv"
            assert model.get_layer(f"{name}_rows").kernel_size == (5, 1)
            assert model.get_layer(name).kernel_size == (1, 5)


@pytest.mark.parametrize("dropout, rates", [(0.1, {0.1, 0.01}), (0.0, set())])
def test_enet_drops_less_in_stage_1(dropout, rates):
    model = build_model("enet", 5, dropout=dropout)
    found = {
        layer.name: layer.rate
        for layer in model.layers
        if isinstance(layer, keras.layers.SpatialDropout2D)
    }
    assert {round(rate, 6) for rate in found.values()} == rates
    if dropout:
        assert [name for name in found if found[name] < 0.1] == [
            f"bottleneck1_{unit}_dropout" for unit in range(5)
        ]
        assert len(found) == 5 + 17


def test_option_out_of_range():
    with pytest.raises(UserError, match="dropout 1.0 "):
        build_model("enet", 5, dropout=1.0)


@pytest.mark.parametrize("name", NETWORKS)
def test_momentum_is_that_of_all_batch_norms(name):
    model = build_model(name, 5, batch_norm_momentum=0.9)
    momenta = {layer.momentum for layer in model.layers if hasattr(layer, "moving_variance")}
    assert momenta == {0.9}


def test_enet_converts_to_int8_throughout(rng, tmp_path):
    path = tmp_path / "network.tflite"
    frames = rng.integers(5, 200, (4, 64, 96, 3), np.uint8)
    network = random_network(LabelMap.named("camvid"), (96, 64), "enet")
    export_tflite(network, path, input_dtype="uint8", calibration=frames)
    assert TFLiteFile(path).custom_operators == ()
    tensors = Segmenter(path)._interpreter.get_tensor_details()
    assert not [t["name"] for t in tensors if np.dtype(t["dtype"]).kind == "f"]
