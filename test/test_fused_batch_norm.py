"""The compiled batch norm against Keras's own, and the training step that uses it."""

import numpy as np
import pytest

from conftest import requires_tensorflow

pytestmark = requires_tensorflow
keras = pytest.importorskip("keras", exc_type=ImportError)
tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("Keras runs on another backend", allow_module_level=True)

from shuffleseg_core.models.blocks import ChannelShuffle, ConvNormAct  # noqa: E402
from shuffleseg_training.batch_norm_statistics import freeze_batch_norms  # noqa: E402
from shuffleseg_training.cross_entropy import PixelCrossEntropy  # noqa: E402
from shuffleseg_training.engines import fused_batch_norm  # noqa: E402
from shuffleseg_training.engines.fused_batch_norm import (  # noqa: E402
    FusedBatchNorm,
    with_fused_batch_norms,
)
from shuffleseg_training.engines.tensorflow_engine import TensorFlowEngine  # noqa: E402

EPSILON = 1e-3


def one_norm(channels, rectify, rng):
    """(model, its batch norm with random scales and offsets)."""
    inputs = keras.Input((None, None, channels))
    norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)
    outputs = norm(inputs)
    if rectify:
        outputs = keras.layers.Activation("relu")(outputs)
    model = keras.Model(inputs, outputs)
    norm.gamma.assign(rng.normal(size=channels))
    norm.beta.assign(rng.normal(size=channels))
    return model, norm


def outputs_and_gradients(model, norm, x, slope):
    """[output, gradients of x, gamma and beta, moving mean, moving variance]."""
    before = norm.get_weights()
    x = tf.constant(x)

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = model(x, training=True)
        variables = [x, norm.gamma.value, norm.beta.value]
        return [out, *tape.gradient(out, variables, output_gradients=tf.constant(slope))]

    found = [np.asarray(value) for value in compute()] + norm.get_weights()[2:]
    norm.set_weights(before)
    return found


def reference(x, slope, norm, rectify):
    """The same in float64; the moving averages begin at 0 and 1."""
    x, slope = x.astype(np.float64), slope.astype(np.float64)
    gamma, beta = np.asarray(norm.gamma, np.float64), np.asarray(norm.beta, np.float64)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    deviation = np.sqrt(variance + EPSILON)
    unit = (x - mean) / deviation
    out = unit * gamma + beta
    if rectify:
        slope = np.where(out > 0, slope, 0)
        out = np.maximum(out, 0)
    product = (slope * unit).mean((0, 1, 2))
    x_slope = gamma / deviation * (slope - slope.mean((0, 1, 2)) - unit * product)
    sums = (slope * unit).sum((0, 1, 2)), slope.sum((0, 1, 2))
    return [out, x_slope, *sums, 0.1 * mean, 0.9 + 0.1 * variance]


def test_it_is_compiled_where_there_is_a_compiler():
    assert fused_batch_norm.IS_BUILT


@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 5), (2, 3, 4, 1), (3, 9, 11, 58), (2, 13, 8, 116), (4, 40, 30, 24),
              (1, 3, 5, 700)]
)  # fmt: skip
def test_it_is_kerass_to_rounding(shape, rectify, rng):
    model, norm = one_norm(shape[-1], rectify, rng)
    fused = with_fused_batch_norms(model)
    assert any(isinstance(layer, FusedBatchNorm) for layer in fused.layers)
    # Some channels are constant, others lie far from 0.
    x = rng.normal(size=shape) * (np.arange(shape[-1]) % 4 > 0) + np.arange(shape[-1]) % 3
    x, slope = x.astype(np.float32), rng.normal(size=shape).astype(np.float32)
    kerass = outputs_and_gradients(model, norm, x, slope)
    for found, of_keras, exact in zip(
        outputs_and_gradients(fused, norm, x, slope), kerass, reference(x, slope, norm, rectify)
    ):
        size = np.abs(exact).max() + 1e-3
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=5e-6 * size)
        np.testing.assert_allclose(found, of_keras, rtol=1e-4, atol=5e-6 * size)


def test_it_is_right_far_from_zero(rng):
    """Where the mean is a thousand deviations, and the difference of squares would be noise."""
    model, norm = one_norm(58, True, rng)
    x = (1000 + rng.normal(size=(2, 13, 8, 58))).astype(np.float32)
    slope = rng.normal(size=x.shape).astype(np.float32)
    found = outputs_and_gradients(with_fused_batch_norms(model), norm, x, slope)
    kerass = outputs_and_gradients(model, norm, x, slope)
    for one, of_keras, exact in zip(found, kerass, reference(x, slope, norm, True)):
        error = np.abs(one - exact).max()
        assert error <= 2e-4 * np.abs(exact).max()
        assert error <= 2 * np.abs(of_keras - exact).max() + 1e-6 * np.abs(exact).max()


def test_what_is_no_number_is_not_hidden(rng):
    model, norm = one_norm(3, True, rng)
    x = np.ones((1, 2, 2, 3), np.float32)
    x[0, 1, 1, 2] = np.nan
    out = outputs_and_gradients(with_fused_batch_norms(model), norm, x, x)[0]
    assert np.isnan(out[..., 2]).all() and np.isfinite(out[..., :2]).all()


@pytest.fixture
def network():
    """A unit as ShuffleNet V2's; one batch norm feeds its ReLU and something else."""
    keras.utils.set_random_seed(4)
    block = ConvNormAct(momentum=0.9)
    inputs = keras.Input((48, 64, 3))
    stem = block.conv(inputs, 8, 3, "stem", stride=2)
    x = block.depthwise(block.pointwise(stem, 8, "reduce"), "depthwise", activation=None)
    x = ChannelShuffle()(keras.layers.Concatenate()([x, block.pointwise(stem, 8, "other")]))
    shared = block.pointwise(x, 8, "shared")
    x = keras.layers.Add()([shared, keras.layers.Activation("relu")(block.norm(shared, "twice"))])
    norm = block.norm(x, "both")
    x = keras.layers.Add()([norm, keras.layers.Activation("relu", name="rectified")(norm)])
    x = keras.layers.Conv2D(5, 1, name="logits")(x)
    return keras.Model(inputs, keras.layers.UpSampling2D(2)(x))


def test_a_network_keeps_its_layers_and_weights(network, rng):
    fused = with_fused_batch_norms(network)
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert sum(isinstance(x, FusedBatchNorm) for x in fused.layers) == len(norms) == 7
    left = [x.name for x in fused.layers if isinstance(x, keras.layers.Activation)]
    assert left == ["rectified"]
    images = rng.uniform(0, 255, (2, 48, 64, 3)).astype(np.float32)
    for training in (False, True):
        expected = np.asarray(network(images, training=training))
        weights = network.get_weights()
        found = np.asarray(fused(images, training=training))
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert any((a != b).any() for a, b in zip(network.get_weights(), weights))  # moved averages


def test_what_it_cannot_do_stays_kerass(network, monkeypatch):
    monkeypatch.setattr(fused_batch_norm, "IS_BUILT", False)
    assert with_fused_batch_norms(network) is network
    monkeypatch.undo()
    freeze_batch_norms(network)
    assert with_fused_batch_norms(network) is network
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed, _ = one_norm(3, True, np.random.default_rng(1))
    finally:
        keras.config.set_dtype_policy("float32")
    assert with_fused_batch_norms(mixed) is mixed


def test_an_engine_trains_as_with_kerass(network, rng, monkeypatch):
    images = rng.uniform(0, 255, (4, 48, 64, 3)).astype(np.float32)
    labels = (images[..., 0] // 52).astype(np.uint8)
    start = network.get_weights()
    losses = {}
    for built in (True, False):
        monkeypatch.setattr(fused_batch_norm, "IS_BUILT", built)
        network.set_weights(start)
        network.compile(keras.optimizers.SGD(0.1))
        engine = TensorFlowEngine(None)
        engine.prepare(network, PixelCrossEntropy(5), seed=1)
        losses[built] = [
            engine.result(engine.step(step, images, labels, False))[0] for step in range(5)
        ]
        assert not any(np.array_equal(a, b) for a, b in zip(network.get_weights(), start))
    assert losses[True][0] > losses[True][-1]
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
