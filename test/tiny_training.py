"""Small trainings for tests: the real command in processes of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

#: Changes to camvid_basic that make 30 steps of it a matter of seconds.
TINY = (
    "model.depth_multiplier=0.5",
    "augmentation.crop=64x48",
    "optimization.batch_size=2",
    "optimization.epochs=10",
    "optimization.slow_start_steps=2",
    "optimization.ema_momentum=0.9",
    "optimization.auxiliary_layer=stage3_output",
    "optimization.auxiliary_weight=0.4",
    "optimization.batch_norm_batches=2",
    "data.synthetic_share=0",
)


_JAX_CACHE = tempfile.mkdtemp(prefix="jax-")
atexit.register(shutil.rmtree, _JAX_CACHE, ignore_errors=True)


def train_command(root, output, *more, recipe="camvid_basic", changes=TINY):
    """`shuffleseg train` with checkpoints every 5 steps."""
    settings = [part for change in changes for part in ("--set", change)]
    return [
        sys.executable, "-m", "shuffleseg_core.cli", "train", str(recipe), "--root", str(root),
        "--output", str(output), "--checkpoint-steps", "5", "--val-epochs", "5", *settings,
        *map(str, more),
    ]  # fmt: skip


def save_run(folder, label_map, seed=5, **options):
    """A run folder with random weights. Returns its Keras model."""
    import keras

    from shuffleseg_core.models.trained_network import TrainedNetwork
    from shuffleseg_core.trained_files import WEIGHTS

    keras.utils.set_random_seed(seed)
    options = {"architecture": "shufflenet_v2", "depth_multiplier": 0.5, **options}
    network = TrainedNetwork(options, label_map, (64, 48))
    folder.mkdir(parents=True)
    network.save_record(folder)
    model = network.build()
    model.save_weights(folder / WEIGHTS)
    return model


def run(command, backend="tensorflow", **options):
    """Run a command to its end, its words captured."""
    return subprocess.run(
        command, env=environment(backend), capture_output=True, text=True, timeout=300, **options
    )


def start(command, backend="tensorflow"):
    """Start a command; its words are thrown away."""
    return subprocess.Popen(
        command, env=environment(backend), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def environment(backend):
    """Of a training process; JAX compiles a graph once for all of them."""
    return {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_COMPILATION_CACHE_DIR": str(_JAX_CACHE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
    }


def stop_after_checkpoint(process, checkpoint, number):
    """Send a signal once `checkpoint` is new; returns the exit status."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    end = time.monotonic() + 200
    while not (checkpoint.exists() and checkpoint.stat().st_mtime_ns > before):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(number)
    return process.wait()


def weights_of(path):
    """name → array of a .weights.h5."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def assert_equal_weights(one, other):
    expected, found = weights_of(one), weights_of(other)
    assert expected.keys() == found.keys() and expected
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
