"""The losses against plain NumPy ones, on TensorFlow and on JAX, alone and on two replicas."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import requires_tensorflow

keras = pytest.importorskip("keras", exc_type=ImportError)
BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    pytestmark = requires_tensorflow
else:
    jax = pytest.importorskip("jax")

from shuffleseg_training.class_weights import enet_class_weights  # noqa: E402
from shuffleseg_training.loss import LOSSES  # noqa: E402
from shuffleseg_training.recipe import load_recipe  # noqa: E402

IGNORED = 11
WEIGHTS = np.array([1.0, 2.0, 3.0, 0.5])


def reference_cross_entropy(truth, logits, weights):
    ids, each = _counted(truth, logits, len(weights))
    return (each * weights[ids]).sum() / weights[ids].sum()


def reference_ohem(truth, logits, weights):
    ids, each = _counted(truth, logits, len(weights))
    order = np.argsort(-each)
    hardest = set(order[: int(np.ceil(0.25 * len(order)))])
    kept = [i for i in range(len(ids)) if i in hardest or np.exp(-each[i]) < 0.7]
    return (each[kept] * weights[ids[kept]]).sum() / weights[ids[kept]].sum()


def reference_lovasz(truth, logits, weights):
    """By definition: pixels join the wrong ones from the largest error down; 1 − IoU's growth."""
    flat = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    flat = flat[truth.ravel() < len(weights)]
    ids = truth[truth < len(weights)]
    probability = np.exp(flat) / np.exp(flat).sum(1, keepdims=True)
    total, norm = 0.0, 0.0
    for c in np.unique(ids):
        mine = {i for i in range(len(ids)) if ids[i] == c}
        errors = np.where(ids == c, 1 - probability[:, c], probability[:, c])
        wrong, before, loss = set(), 0.0, 0.0
        for i in np.argsort(-errors):
            wrong.add(i)
            jaccard = len(wrong) / len(mine | wrong)
            loss += errors[i] * (jaccard - before)
            before = jaccard
        total += weights[c] * loss
        norm += weights[c]
    return total / norm


def reference_both(truth, logits, weights):
    return reference_cross_entropy(truth, logits, weights) + reference_lovasz(
        truth, logits, weights
    )


def _counted(truth, logits, num_classes):
    """(ids, cross-entropies) of the labelled pixels."""
    logits = logits.astype(np.float64)
    log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ids = truth[truth < num_classes]
    return ids, -log_softmax[truth < num_classes][np.arange(ids.size), ids]


REFERENCES = {
    "cross_entropy": reference_cross_entropy,
    "ohem": reference_ohem,
    "lovasz": reference_lovasz,
    "cross_entropy_lovasz": reference_both,
}
by_name = pytest.mark.parametrize("name", LOSSES)


def labelled_logits(seed, spread=1.0):
    """(uint8 [2, 5, 6] truth of 4 classes with 11 for unlabelled, float32 [2, 5, 6, 4])."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (2, 5, 6)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.2] = IGNORED
    return truth, (spread * rng.normal(size=(*truth.shape, 4))).astype(np.float32)


def value_and_gradient(loss, truth, logits, compiled=True):
    """As a training step computes them, by XLA where `compiled`."""
    if BACKEND == "jax":
        value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(truth, x)))(logits)
    else:
        import tensorflow as tf

        @tf.function(jit_compile=compiled)
        def compute(truth, logits):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = loss(truth, logits)
            return value, tape.gradient(value, logits)

        value, gradient = compute(tf.constant(truth), tf.constant(logits))
    return np.asarray(value), np.asarray(gradient)


def test_every_loss_has_a_reference_and_can_be_asked_for():
    assert set(REFERENCES) == set(LOSSES)
    for name in LOSSES:
        load_recipe("camvid_basic", (f"optimization.loss={name}",))


@by_name
@pytest.mark.parametrize("spread, weights", [(0.3, None), (4.0, WEIGHTS)])
def test_values_are_the_references(name, spread, weights):
    loss = LOSSES[name](4, IGNORED, weights)
    if BACKEND == "jax":
        loss = jax.jit(loss)  # compiling once is quicker than operation by operation
    used = np.ones(4) if weights is None else weights
    for seed in range(4):
        truth, logits = labelled_logits(seed, spread)
        expected = REFERENCES[name](truth, logits, used)
        found = np.asarray(loss(truth, logits))
        assert found.shape == () and found.dtype == np.float32
        assert float(found) == pytest.approx(expected, rel=2e-5)


@by_name
@pytest.mark.parametrize("compiled", [True, False] if BACKEND == "tensorflow" else [True])
def test_gradients_are_the_references_slopes(name, compiled):
    truth, logits = labelled_logits(7, 2.0)
    loss = LOSSES[name](4, IGNORED, WEIGHTS)
    value, gradient = value_and_gradient(loss, truth, logits, compiled)
    assert float(value) == pytest.approx(REFERENCES[name](truth, logits, WEIGHTS), rel=2e-5)
    assert (gradient[truth == IGNORED] == 0).all()
    logits = logits.astype(np.float64)
    for place in [(0, 0, 0, 0), (0, 2, 3, 1), (1, 4, 5, 2), (1, 1, 1, 3), (1, 3, 0, 0)]:
        step = np.zeros_like(logits)
        step[place] = 1e-6
        sides = [REFERENCES[name](truth, logits + sign * step, WEIGHTS) for sign in (1, -1)]
        assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-3, abs=1e-6)


@pytest.mark.skipif(
    BACKEND != "jax" or len(jax.devices()) != 2, reason="is about JAX on two devices"
)
@by_name
def test_sharded_batches_values_are_the_references(name):
    mesh = jax.sharding.Mesh(jax.devices(), "batch")
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    truth, logits = labelled_logits(5, 2.0)
    truth[0, :4] = IGNORED  # the devices count different numbers of pixels
    shares = jax.device_put((truth, logits), sharding)
    value = jax.jit(LOSSES[name](4, IGNORED, WEIGHTS))(*shares)
    assert float(value) == pytest.approx(REFERENCES[name](truth, logits, WEIGHTS), rel=2e-5)


@by_name
def test_unlabelled_pixels_change_nothing(name):
    truth, logits = labelled_logits(3)
    other = logits.copy()
    other[truth == IGNORED] = np.random.default_rng(5).normal(scale=9, size=4)
    loss = LOSSES[name](4, IGNORED)
    assert float(loss(truth, other)) == pytest.approx(float(loss(truth, logits)), rel=1e-6)


@by_name
def test_an_image_without_labels_costs_nothing(name):
    truth, logits = labelled_logits(3)
    value, gradient = value_and_gradient(LOSSES[name](4), np.full_like(truth, 9), logits)
    assert value == 0 and (gradient == 0).all()


@by_name
def test_ignored_id_may_be_a_class_or_none(name):
    truth, logits = labelled_logits(3)
    as_class = np.where(truth == 1, 255, truth)
    assert float(LOSSES[name](4, 1)(truth, logits)) == pytest.approx(
        float(LOSSES[name](4, 255)(as_class, logits)), rel=1e-6
    )
    # 255 is what crops are padded with where the data set ignores no id.
    padded = np.where(truth == IGNORED, 255, truth)
    assert float(LOSSES[name](4, None)(padded, logits)) == pytest.approx(
        float(LOSSES[name](4, IGNORED)(truth, logits)), rel=1e-6
    )


@by_name
def test_half_precision_logits_are_computed_in_float32(name):
    truth, logits = labelled_logits(3, 4.0)
    half = keras.ops.cast(logits, "bfloat16")
    rounded = np.asarray(keras.ops.cast(half, "float32"))
    loss = LOSSES[name](4, IGNORED)
    found = loss(truth, half)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert float(found) == pytest.approx(REFERENCES[name](truth, rounded, np.ones(4)), rel=2e-5)


@by_name
def test_class_weights_have_no_scale(name):
    truth, logits = labelled_logits(3)
    values = [float(LOSSES[name](4, IGNORED, s * WEIGHTS)(truth, logits)) for s in (1, 1000)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_lovasz_of_certain_answers_is_one_minus_iou(rng):
    truth = rng.integers(0, 3, (2, 8, 8)).astype(np.uint8)
    answer = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 4, truth.shape))
    truth[0, 0] = IGNORED
    logits = 200 * np.eye(4, dtype=np.float32)[answer]
    counted = truth != IGNORED
    iou = [
        ((answer == c) & (truth == c))[counted].sum()
        / ((answer == c) | (truth == c))[counted].sum()
        for c in range(3)  # class 3 is answered, but not present
    ]
    loss = LOSSES["lovasz"](4, IGNORED)
    assert float(loss(truth, logits)) == pytest.approx(1 - np.mean(iou), rel=1e-5)
    assert float(loss(truth[counted], 200 * np.eye(4, dtype=np.float32)[truth[counted]])) == 0


def test_lovasz_keeps_its_precision_over_a_million_pixels(rng):
    truth = (rng.random((1, 1024, 1024)) < 0.9).astype(np.uint8)
    logits = rng.normal(size=(1, 1024, 1024, 2)).astype(np.float32)
    value, gradient = value_and_gradient(LOSSES["lovasz"](2), truth, logits, compiled=False)
    ids, wide = truth.ravel(), logits.reshape(-1, 2).astype(np.float64)
    probability = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    losses, slopes = [], np.zeros_like(wide)
    for c in range(2):  # the authors' own way, in float64
        errors = np.abs((ids == c) - probability[:, c])
        order = np.argsort(-errors)
        mine = (ids == c)[order]
        jaccard = 1 - (mine.sum() - mine.cumsum()) / (mine.sum() + (~mine).cumsum())
        slopes[order, c] = np.diff(jaccard, prepend=0)
        losses.append(errors @ slopes[:, c])
    assert float(value) == pytest.approx(np.mean(losses), rel=1e-5)
    by_probability = np.where(ids[:, None] == np.arange(2), -slopes, slopes) / 2
    mean = (by_probability * probability).sum(1, keepdims=True)
    expected = probability * (by_probability - mean)
    np.testing.assert_allclose(gradient.reshape(-1, 2), expected, rtol=2e-3, atol=1e-10)


def test_ohem_counts_all_hard_pixels_or_the_hardest_share():
    truth = np.zeros((1, 1, 8), np.uint8)
    probability = np.array([0.95, 0.1, 0.9, 0.6, 0.99, 0.8, 0.85, 0.5])
    logits = np.stack([np.log(probability / (1 - probability)), np.zeros(8)], -1)[None, None]
    logits = logits.astype(np.float32)

    def mean(*kept):
        return pytest.approx(-np.mean(np.log(kept)), rel=1e-5)

    make = LOSSES["ohem"]
    assert float(make(2)(truth, logits)) == mean(0.1, 0.5, 0.6)
    assert float(make(2, threshold=0.0)(truth, logits)) == mean(0.1, 0.5)
    assert float(make(2, keep_share=0.5)(truth, logits)) == mean(0.1, 0.5, 0.6, 0.8)


def test_rare_classes_weigh_more():
    weights = enet_class_weights(np.array([1000, 10, 0]))
    assert weights[0] < weights[1] < weights[2]


REPLICAS = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, sys.argv[1])
from test_losses import IGNORED, LOSSES, WEIGHTS, labelled_logits
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
truth, logits = labelled_logits(5, 2.0)
truth[0, :4] = IGNORED  # the replicas count different numbers of pixels
found = {}
for name in ("cross_entropy", "ohem", "lovasz"):
    loss = LOSSES[name](4, IGNORED, WEIGHTS)
    def step():
        me = tf.distribute.get_replica_context().replica_id_in_sync_group
        shares = [tf.constant(array) for array in (truth, logits)]
        mine, scores = (tf.gather(share, [me]) for share in shares)
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(mine, scores)
        return value, tape.gradient(value, scores)
    values, gradients = tf.function(lambda: strategy.run(step))()
    found[name] = [
        [float(v) for v in strategy.experimental_local_results(values)],
        [g.numpy().tolist() for g in strategy.experimental_local_results(gradients)],
    ]
print(json.dumps(found))
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="is about tf.distribute")
def test_mean_over_two_replicas_is_the_whole_batch_s():
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    truth, logits = labelled_logits(5, 2.0)
    truth[0, :4] = IGNORED
    value, gradient = value_and_gradient(
        LOSSES["cross_entropy"](4, IGNORED, WEIGHTS), truth, logits
    )
    values, gradients = found["cross_entropy"]
    assert np.mean(values) == pytest.approx(float(value), rel=1e-5)
    np.testing.assert_allclose(np.concatenate(gradients) / 2, gradient, rtol=1e-4, atol=1e-7)
    # Each replica's own pixels are sorted, so that these are near the whole batch's, not equal.
    by_replica = [
        LOSSES["lovasz"](4, IGNORED, WEIGHTS)(truth[i : i + 1], logits[i : i + 1]) for i in (0, 1)
    ]
    assert found["lovasz"][0] == pytest.approx([float(v) for v in by_replica], rel=1e-5)
    assert np.isfinite(found["ohem"][0]).all()


@pytest.mark.skipif(BACKEND == "jax", reason="this is the run on JAX")
def test_values_and_gradients_on_jax():
    pytest.importorskip("jax")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    result = subprocess.run(
        [*command, "-k", "are_the_references"],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["cross_entropy", "ohem", "cross_entropy_lovasz"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_label_smoothing_spreads_a_share_of_the_truth(name, weights):
    """By definition: cross-entropy with truth (1 - s) · one-hot + s / C."""
    truth, logits = labelled_logits(5)
    share = 0.1
    smooth, plain = (
        LOSSES[name](4, IGNORED, weights, label_smoothing=s)(truth, logits) for s in (share, 0.0)
    )
    counted = truth < 4
    ids, each = _counted(truth, logits, 4)
    by_class = np.stack([_counted(np.where(counted, c, truth), logits, 4)[1] for c in range(4)], 1)
    smoothed = (1 - share) * each + share * by_class.mean(1)
    w = (np.ones(4) if weights is None else weights)[ids]
    if name == "ohem":
        order = np.argsort(-each)
        hard = np.exp(-each) < 0.7
        hard[order[: int(np.ceil(0.25 * len(order)))]] = True
        w = w * hard
    difference = ((smoothed - each) * w).sum() / w.sum()
    assert float(smooth) - float(plain) == pytest.approx(difference, rel=1e-4)
