"""Several processes and several devices train as one does."""

import importlib.util
import json
import socket
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from conftest import requires_tensorflow
from tiny_camvid import make_camvid
from tiny_training import run, start, train_command, weights_of

pytest.importorskip("keras", exc_type=ImportError)
requires_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)

CHANGES = (
    "model.depth_multiplier=0.5",
    "optimization.batch_size=4",
    "optimization.epochs=null",
    "optimization.steps=6",
    "optimization.slow_start_steps=0",
    "optimization.ema_momentum=0.9",
    "data.synthetic_share=0",
)
# Adam makes what a processor's kernels round grow from step to step: a low rate keeps it small (at
# 2e-3 AVX2 and AVX-512 part by 4e-9 of a loss even in float64), and in float32 views large enough
# for batch norms (at 64×48 3e-5 shows on an AMD EPYC).
LOW_RATE = "optimization.learning_rate=1.0e-5"
FLOAT32 = ("augmentation.crop=128x96", LOW_RATE)
FLOAT64 = ("augmentation.crop=64x48", LOW_RATE)
# tf.distribute draws each replica's dropout by itself, which one process cannot repeat.
NO_DROPOUT = ("model.dropout=0",)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp("data") / "camvid", train=4, val=3)


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    """A function: backend → run folder of one process with one device."""

    @cache
    def make(backend):
        folder = tmp_path_factory.mktemp(f"alone_{backend}") / "run"
        result = run(_command(backend, root, folder), backend)
        assert result.returncode == 0, result.stderr
        return folder

    return make


def _command(backend, root, folder, *more):
    """JAX trains in float64, whose rounding stays below the tolerance on every processor."""
    if backend == "tensorflow":
        return train_command(root, folder, *more, changes=(*CHANGES, *FLOAT32, *NO_DROPOUT))
    python, _, _, *arguments = train_command(root, folder, *more, changes=(*CHANGES, *FLOAT64))
    return [python, str(Path(__file__).with_name("float64.py")), *arguments]


def _losses(folder):
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [m["loss"] for m in metrics if "loss" in m]


def _val_miou(folder):
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [m["val_miou"] for m in metrics if "val_miou" in m]


def _assert_trained_alike(folder, alone):
    """Losses, and what the steps left: weights, batch norms' statistics, Adam's moments."""
    assert len(_losses(alone)) == 6
    assert _losses(folder) == pytest.approx(_losses(alone), rel=1e-9)
    expected, found = (weights_of(run / "checkpoint.weights.h5") for run in (alone, folder))
    assert expected.keys() == found.keys() and len(expected) > 500
    for name, value in expected.items():
        # What is not shared shows at 1e-2; a gradient's scale, which Adam hides, in its moments.
        scale = 1e-6 * np.abs(value).max(initial=0) + 1e-9
        np.testing.assert_allclose(found[name], value, rtol=0, atol=scale, err_msg=name)


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("jax", marks=requires_jax),
        pytest.param("tensorflow", marks=requires_tensorflow),
    ],
)
def test_two_processes_train_as_one(backend, alone, root, tmp_path):
    together = tmp_path / "together"
    hosts = ",".join(f"localhost:{port}" for port in _free_ports(2))
    commands = [
        _command(backend, root, together, "--hosts", hosts, "--host-index", index)
        for index in (0, 1)
    ]
    other = start(commands[1], backend)
    result = run(commands[0], backend)
    assert result.returncode == 0, result.stderr
    assert other.wait(timeout=60) == 0
    if backend == "jax":
        _assert_trained_alike(together, alone(backend))
    else:
        assert _losses(together) == pytest.approx(_losses(alone(backend)), rel=1e-3)
    # Each process scored its part of the images, and the sum is all of them.
    assert _val_miou(together) == pytest.approx(_val_miou(alone(backend)), abs=0.01)


@requires_jax
def test_two_devices_of_one_process_train_as_one(alone, root, tmp_path):
    both = tmp_path / "both"
    two_devices = "XLA_FLAGS=--xla_force_host_platform_device_count=2"
    result = run(["env", two_devices, *_command("jax", root, both)], "jax")
    assert result.returncode == 0, result.stderr
    assert len(json.loads((both / "sessions.jsonl").read_text())["devices"]) == 2
    _assert_trained_alike(both, alone("jax"))


@requires_tensorflow
def test_two_devices_of_one_process_with_tensorflow(alone, root, tmp_path):
    both = tmp_path / "both"
    command = _command("tensorflow", root, both)
    split_cpu = (
        "import sys, tensorflow as tf\n"
        "one = tf.config.LogicalDeviceConfiguration()\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [one, one])\n"
        "from shuffleseg_core.cli import main; sys.exit(main())"
    )
    result = run([command[0], "-c", split_cpu, *command[3:]])
    assert result.returncode == 0, result.stderr
    assert _losses(both) == pytest.approx(_losses(alone("tensorflow")), rel=1e-3)


@requires_tensorflow
def test_two_devices_clip_the_whole_batchs_gradient():
    """Not each device's share of it, and with scaled losses, too."""
    program = """
import keras, numpy as np, tensorflow as tf
from shuffleseg_training.cross_entropy import PixelCrossEntropy
from shuffleseg_training.engines import open_engine

one = tf.config.LogicalDeviceConfiguration()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [one, one])
rng = np.random.default_rng(1)
images = rng.normal(size=(4, 4, 4, 3)).astype(np.float32) * [[[[9]]], [[[9]]], [[[1]]], [[[1]]]]
labels = rng.integers(0, 5, (4, 4, 4)).astype(np.uint8)
engine = open_engine()
for policy in ("float32", "mixed_float16"):
    with engine.scope():
        inputs = keras.Input((4, 4, 3))
        x = keras.layers.Conv2D(4, 3, padding="same", dtype=policy)(inputs)
        model = keras.Model(inputs, keras.layers.Conv2D(5, 1)(x))
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.1)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0)
        model.compile(optimizer)
        optimizer.build(model.trainable_variables)
        engine.prepare(model, PixelCrossEntropy(5), 1)
    before = model.get_weights()
    engine.result(engine.step(0, images.astype(np.float32), labels, False))
    moved = [a - b for a, b in zip(model.get_weights(), before)]
    print(engine.replicas, round(float(sum((m**2).sum() for m in moved)) ** 0.5, 4))
"""
    result = run([sys.executable, "-c", program])
    assert result.stdout.split() == ["2", "0.1", "2", "0.1"], result.stderr


@requires_jax
def test_batch_that_does_not_divide_is_named(root, tmp_path):
    command = train_command(root, tmp_path / "run", "--set", "optimization.batch_size=3")
    flags = "XLA_FLAGS=--xla_force_host_platform_device_count=2"
    result = run(["env", flags, *command], "jax")
    assert result.returncode == 2 and "does not divide over 2 devices" in result.stderr


@requires_jax
def test_two_processes_train_stage_after_stage(root, tmp_path):
    """The second stage of both begins with the weights that the first process wrote."""
    recipe = tmp_path / "two.yaml"
    recipe.write_text(
        "model: {architecture: shufflenet_v2, head: basic, depth_multiplier: 0.5}\n"
        "augmentation: {crop: 64x48}\n"
        "data: {dataset: camvid}\n"
        "optimization: {batch_size: 4, steps: 2}\n"
        "stages: {one: {}, two: {}}\n"
    )
    hosts = ",".join(f"localhost:{port}" for port in _free_ports(2))
    commands = [
        train_command(
            root, tmp_path / "run", "--hosts", hosts, "--host-index", n, recipe=recipe, changes=()
        )
        for n in (0, 1)
    ]
    other = start(commands[1], "jax")
    result = run(commands[0], "jax")
    assert result.returncode == 0, result.stderr
    assert other.wait(timeout=60) == 0
    record = json.loads((tmp_path / "run" / "two" / "model.json").read_text())
    assert record["training"]["start"] == "one"
    # A mistake that only one of them meets ends both, each with a line.
    wrong = train_command(
        tmp_path / "nowhere", tmp_path / "run2", "--hosts", hosts, "--host-index", 1,
        recipe=recipe, changes=(),
    )  # fmt: skip
    right = [part.replace(str(tmp_path / "run"), str(tmp_path / "run2")) for part in commands[0]]
    other = start(wrong, "jax")
    result = run(right, "jax")
    assert result.returncode == 2 and "another process" in result.stderr.splitlines()[-1]
    assert other.wait(timeout=60) == 2
