"""Several processes and several devices train as one does."""

import importlib.util
import json
import socket
import sys
from functools import cache

import pytest

from conftest import requires_tensorflow
from tiny_camvid import make_camvid
from tiny_training import run, start, train_command

pytest.importorskip("keras", exc_type=ImportError)
requires_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)

# A low rate: Adam divides by a gradient's size, so that rounding grows with every step.
CHANGES = (
    "model.depth_multiplier=0.5",
    # At 64×48 batch norms see so few values that rounding shows (3e-5 on an AMD EPYC).
    "augmentation.crop=128x96",
    "optimization.batch_size=4",
    "optimization.epochs=null",
    "optimization.steps=6",
    "optimization.learning_rate=1.0e-5",
    "optimization.slow_start_steps=0",
    "optimization.ema_momentum=0.9",
    "data.synthetic_share=0",
)
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
        result = run(train_command(root, folder, changes=_changes(backend)), backend)
        assert result.returncode == 0, result.stderr
        return folder

    return make


def _changes(backend):
    return (*CHANGES, *NO_DROPOUT) if backend == "tensorflow" else CHANGES


def _losses(folder):
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [m["loss"] for m in metrics if "loss" in m]


def _val_miou(folder):
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [m["val_miou"] for m in metrics if "val_miou" in m]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.parametrize(
    "backend, tolerance",
    [
        pytest.param("jax", 1e-5, marks=requires_jax),
        pytest.param("tensorflow", 1e-3, marks=requires_tensorflow),
    ],
)
def test_two_processes_train_as_one(backend, tolerance, alone, root, tmp_path):
    together = tmp_path / "together"
    hosts = ",".join(f"localhost:{port}" for port in _free_ports(2))
    commands = [
        train_command(
            root, together, "--hosts", hosts, "--host-index", index, changes=_changes(backend)
        )
        for index in (0, 1)
    ]
    other = start(commands[1], backend)
    result = run(commands[0], backend)
    assert result.returncode == 0, result.stderr
    assert other.wait(timeout=60) == 0
    assert len(_losses(alone(backend))) == 6
    assert _losses(together) == pytest.approx(_losses(alone(backend)), rel=tolerance)
    # Each process scored its part of the images, and the sum is all of them.
    assert _val_miou(together) == pytest.approx(_val_miou(alone(backend)), abs=0.01)


@requires_jax
def test_two_devices_of_one_process_train_as_one(alone, root, tmp_path):
    both = tmp_path / "both"
    command = train_command(root, both, changes=CHANGES)
    two_devices = "--xla_force_host_platform_device_count=2"
    result = run(["env", f"XLA_FLAGS={two_devices}", *command], "jax")
    assert result.returncode == 0, result.stderr
    assert len(json.loads((both / "sessions.jsonl").read_text())["devices"]) == 2
    assert _losses(both) == pytest.approx(_losses(alone("jax")), rel=1e-5)


@requires_tensorflow
def test_two_devices_of_one_process_with_tensorflow(alone, root, tmp_path):
    both = tmp_path / "both"
    command = train_command(root, both, changes=_changes("tensorflow"))
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
