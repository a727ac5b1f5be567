"""Batch norms' statistics of the final weights."""

import numpy as np
import pytest

pytest.importorskip("keras", exc_type=ImportError)

import keras  # noqa: E402

from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_training.batch_norm_statistics import estimate_batch_norms  # noqa: E402


@pytest.fixture
def model():
    keras.utils.set_random_seed(2)
    return build_model(
        "shufflenet_v2", 5, input_size=(64, 48), depth_multiplier=0.5, decoder_stride=4
    )


@pytest.fixture
def batches(rng):
    return [rng.uniform(0, 255, (4, 48, 64, 3)).astype(np.float32) for _ in range(3)]


def test_inference_does_what_training_did_on_the_same_batch(model, batches):
    before = {layer.name: getattr(layer, "momentum", getattr(layer, "rate", None))
              for layer in model.layers}  # fmt: skip
    estimate_batch_norms(model, batches[:1])
    after = {layer.name: getattr(layer, "momentum", getattr(layer, "rate", None))
             for layer in model.layers}  # fmt: skip
    assert after == before
    inferred = np.asarray(model(batches[0], training=False))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
    trained = np.asarray(model(batches[0], training=True))
    np.testing.assert_allclose(inferred, trained, atol=2e-3 * np.abs(trained).max())


def test_statistics_are_those_of_all_batches_together(model, batches):
    kept = [v.value + 0 for v in model.trainable_variables]
    estimate_batch_norms(model, iter(batches))
    norm = model.get_layer("stem_norm")
    inputs = keras.Model(model.input, model.get_layer("stem").output)(np.concatenate(batches))
    inputs = np.asarray(inputs, np.float64)
    np.testing.assert_allclose(np.asarray(norm.moving_mean), inputs.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(np.asarray(norm.moving_variance), inputs.var((0, 1, 2)), rtol=1e-3)
    for variable, value in zip(model.trainable_variables, kept):
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(value))
