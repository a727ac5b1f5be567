"""Training: the run folder, and going on after a kill, a full disk, a vanished folder."""

import importlib.util
import json
import resource
import shutil
import signal
import threading
import time
from functools import cache

import numpy as np
import pytest

from conftest import requires_tensorflow
from tiny_camvid import make_camvid
from tiny_training import (
    assert_equal_weights,
    run,
    start,
    stop_after_checkpoint,
    train_command,
    weights_of,
)

pytest.importorskip("keras", exc_type=ImportError)
requires_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)
BACKENDS = [
    pytest.param("tensorflow", marks=requires_tensorflow),
    pytest.param("jax", marks=requires_jax),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp("data") / "camvid")


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    """A function: backend → run folder of a whole tiny training."""

    @cache
    def make(backend):
        folder = tmp_path_factory.mktemp(f"trained_{backend}") / "run"
        result = run(train_command(root, folder), backend)
        assert result.returncode == 0, result.stderr
        return folder

    return make


@pytest.fixture(scope="module")
def killed_runs(root, tmp_path_factory):
    """A function: backend → run folder of such a training that kill -9 ended in its midst."""

    @cache
    def make(backend):
        folder = tmp_path_factory.mktemp(f"killed_{backend}") / "run"
        process = start(train_command(root, folder), backend)
        status = stop_after_checkpoint(process, folder / "checkpoint.weights.h5", signal.SIGKILL)
        assert status == -signal.SIGKILL
        return folder

    return make


def test_poly_schedule_is_equation_2():
    from shuffleseg_training.poly_schedule import PolySchedule

    schedule = PolySchedule(1e-3, 1000, 0.9, slow_start_steps=10, slow_start_rate=1e-5)
    assert float(schedule(5)) == pytest.approx(1e-5)
    for step in (10, 400, 999):
        assert float(schedule(step)) == pytest.approx(1e-3 * (1 - step / 1000) ** 0.9, rel=1e-4)
    assert float(schedule(1000)) == 0


def test_l2_and_decoupled_decay_leave_depthwise_kernels_alone():
    """One step with a zero gradient moves what decays, and nothing else."""
    import keras

    from shuffleseg_core.models import build_model
    from shuffleseg_training.optimizer import make_optimizer
    from shuffleseg_training.recipe import OptimizationRecipe

    def decays(layer):
        return isinstance(layer, keras.layers.Conv2D) and not isinstance(
            layer, keras.layers.DepthwiseConv2D
        )

    for name in ("adam", "adamw"):
        model = build_model("shufflenet_v2", 3, input_size=(33, 33), depth_multiplier=0.5)
        settings = OptimizationRecipe(steps=10, optimizer=name, weight_decay=0.1)
        optimizer = make_optimizer(settings, 10, model)
        kernels = [layer.kernel for layer in model.layers if decays(layer)]
        squares = sum(float(keras.ops.sum(kernel**2)) for kernel in kernels)
        l2 = float(sum(model.losses)) if model.losses else 0.0
        assert l2 == pytest.approx(0.05 * squares if name == "adam" else 0.0, rel=1e-4)
        before = [v.numpy() for v in model.trainable_variables]
        optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables],
                        model.trainable_variables)  # fmt: skip
        for variable, value in zip(model.trainable_variables, before):
            moved = not np.array_equal(variable.numpy(), value)
            assert moved == (name == "adamw" and any(variable is kernel for kernel in kernels))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_averaged_weights_are_the_moving_average(name):
    import keras

    from shuffleseg_core.models import build_model
    from shuffleseg_training.optimizer import averaged_weights, make_optimizer
    from shuffleseg_training.recipe import OptimizationRecipe

    model = build_model("shufflenet_v2", 3, input_size=(33, 33), depth_multiplier=0.5)
    settings = OptimizationRecipe(steps=9, optimizer=name, ema_momentum=0.8)
    model.compile(make_optimizer(settings, 9, model))
    variables = model.trainable_variables
    average = None
    for step in range(3):
        model.optimizer.apply([keras.ops.full(v.shape, step + 1.0) for v in variables], variables)
        now = model.get_weights()
        average = now if average is None else [0.8 * a + 0.2 * b for a, b in zip(average, now)]
    for found, expected in zip(averaged_weights(model, model), average):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for found, expected in zip(model.get_weights(), now):
        np.testing.assert_array_equal(found, expected)


def test_the_gradient_of_all_weights_is_clipped():
    import keras

    from shuffleseg_training.optimizer import make_optimizer
    from shuffleseg_training.recipe import OptimizationRecipe

    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    gradients = [[[3.0], [0.0]], [4.0]]
    moments = []
    for clip_norm in (0.0, 10.0, 0.5):
        optimizer = make_optimizer(OptimizationRecipe(steps=9, clip_norm=clip_norm), 9, model)
        variables = model.trainable_variables
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        first = {v.path: np.asarray(v) for v in optimizer.variables if "momentum" in v.path}
        moments.append(sum((value**2).sum() for value in first.values()) ** 0.5)
    assert moments == pytest.approx([0.5, 0.5, 0.05])  # a tenth of the gradients' norm


def test_a_training_by_an_older_version_goes_on():
    """Keys that its recipe lacks have their defaults."""
    from shuffleseg_training.recipe import load_recipe, with_defaults

    (recipe,) = load_recipe("camvid_basic")
    kept = recipe.to_dict()
    del kept["augmentation"]["hue"], kept["data"]["paste_classes"]
    assert with_defaults(kept) == recipe.to_dict()


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_folder_holds_the_whole_story(backend, runs):
    folder = runs(backend)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "recipe.yaml", "model.json", "checkpoint.weights.h5", "model.weights.h5", "metrics.jsonl",
        "curves.png", "masks.png", "class_pixels.json", "sessions.jsonl", "tensorboard",
    }  # fmt: skip
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["step"] == 30 and 0 <= metrics[-1]["val_miou"] <= 1
    assert metrics[0]["images_per_second"] > 0
    (session,) = [json.loads(line) for line in (folder / "sessions.jsonl").open()]
    assert session["backend"] == backend and session["versions"]["keras"]
    assert {"git", "devices", "machine", "command"} <= session.keys()


@requires_tensorflow
def test_tensorboard_shows_scalars_and_masks(runs):
    """Read back by tensorboardX's own protocol buffers."""
    from tensorboardX.proto.event_pb2 import Event

    tags = {}
    for path in (runs("tensorflow") / "tensorboard").iterdir():
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + size])
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append((event.step, value))
            at += 16 + size
    assert {"train/loss", "train/learning_rate", "train/images_per_second", "val/mIoU"} <= set(tags)
    steps = [step for step, _ in tags["train/loss"]]
    assert steps == sorted(steps) and steps[-1] == 30
    step, value = tags["val/image_truth_labels/1"][-1]
    assert step == 30 and value.image.encoded_image_string.startswith(b"\x89PNG")
    assert (value.image.width, value.image.height) == (3 * 96, 64)


@pytest.mark.parametrize("backend", BACKENDS)
def test_interrupted_it_ends_with_the_same_weights(backend, runs, killed_runs, root, tmp_path):
    """kill -9, then Ctrl-C, then to the end."""
    whole = runs(backend)
    resumed = shutil.copytree(killed_runs(backend), tmp_path / "run")
    process = start(train_command(root, resumed), backend)
    assert stop_after_checkpoint(process, resumed / "checkpoint.weights.h5", signal.SIGINT) == 130
    result = run(train_command(root, resumed), backend)
    assert result.returncode == 0 and "going on from step" in result.stdout
    assert_equal_weights(whole / "model.weights.h5", resumed / "model.weights.h5")
    one, other = (folder / "metrics.jsonl" for folder in (whole, resumed))
    assert list(map(_without_rate, one.open())) == list(map(_without_rate, other.open()))
    assert len((resumed / "sessions.jsonl").read_text().splitlines()) == 3


def _without_rate(line):
    return {k: v for k, v in json.loads(line).items() if k != "images_per_second"}


@requires_tensorflow
def test_another_recipe_does_not_touch_a_training(runs, root, shuffleseg):
    folder = runs("tensorflow")
    before = (folder / "recipe.yaml").read_bytes()
    command = train_command(root, folder, "--set", "optimization.seed=9")
    status, _, err = shuffleseg(*command[3:])
    assert status == 2 and "another recipe" in err and "Traceback" not in err
    assert (folder / "recipe.yaml").read_bytes() == before


@requires_tensorflow
def test_a_folder_takes_one_training_at_a_time(root, tmp_path, shuffleseg):
    from shuffleseg_training.run_folder import RunFolder

    folder = tmp_path / "run"
    with RunFolder(folder).locked():
        status, _, err = shuffleseg(*train_command(root, folder)[3:])
    assert status == 2 and err.splitlines()[-1].startswith(f"shuffleseg train: {folder}: another")
    assert not list(folder.iterdir())
    with RunFolder(folder).locked():
        pass


@requires_tensorflow
def test_trained_weights_export_and_segment(runs, shuffleseg, tmp_path, street):
    from shuffleseg_core import Segmenter

    path = tmp_path / "model.tflite"
    status, out, _ = shuffleseg("export", runs("tensorflow"), "--output", path)
    assert status == 0 and "64x48" in out
    segmenter = Segmenter(path)
    assert segmenter.description.training["recipe"] == "camvid_basic"
    assert "CamVid" in segmenter.description.licence
    assert segmenter.segment(street).shape == street.shape[:2]


def _assert_one_line(result, words):
    assert result.returncode == 2
    assert words in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr


@requires_tensorflow
def test_loss_that_is_no_number_keeps_the_last_checkpoint(root, tmp_path):
    folder = tmp_path / "run"
    result = run(train_command(root, folder, "--set", "optimization.learning_rate=1.0e+30"))
    _assert_one_line(result, "learning_rate")
    checkpoint = folder / "checkpoint.weights.h5"
    for value in weights_of(checkpoint).values() if checkpoint.exists() else ():
        assert np.isfinite(value).all()


@requires_tensorflow
def test_vanished_data_folder_keeps_the_training(killed_runs, root, tmp_path):
    folder = shutil.copytree(killed_runs("tensorflow"), tmp_path / "run")
    copy = shutil.copytree(root, tmp_path / "data")
    checkpoint = folder / "checkpoint.weights.h5"
    before = checkpoint.stat().st_mtime_ns

    def vanish():
        while not checkpoint.stat().st_mtime_ns > before:
            time.sleep(0.002)
        (copy / "train").rename(tmp_path / "elsewhere")

    thread = threading.Thread(target=vanish)
    thread.start()
    result = run(train_command(copy, folder))
    thread.join()
    _assert_one_line(result, str(copy / "train"))
    assert _step(checkpoint) >= 10


def _step(checkpoint):
    import h5py

    with h5py.File(checkpoint) as file:
        return file.attrs["shuffleseg_step"]


@requires_tensorflow
def test_full_disk_keeps_the_last_checkpoint(killed_runs, root, tmp_path):
    """A limit on the size of files stands for the disk: writing fails half-way."""
    folder = shutil.copytree(killed_runs("tensorflow"), tmp_path / "run")
    checkpoint = folder / "checkpoint.weights.h5"
    before = checkpoint.read_bytes()
    limit = len(before) // 2
    result = run(
        train_command(root, folder),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _assert_one_line(result, "the last good one is kept")
    assert checkpoint.read_bytes() == before
    assert not list(folder.glob(".*")), "half a file is left"


@requires_tensorflow
@pytest.mark.parametrize(
    "more, words",
    [
        (("--stage", "fine"), "no stages"),
        (("--root", "kitti=/data"), "is no data set"),
        (("--start", "nowhere.pth"), "nowhere.pth"),
        (("--hosts", "localhost:1"), "together"),
        (("--workers", "0"), "--workers"),
        (("--set", "data.synthetic_share=0.5", "--set", "data.dataset=folder"), "dataset.yaml"),
    ],
)
def test_mistakes_are_one_line(root, tmp_path, more, words, shuffleseg):
    command = train_command(root, tmp_path / "run", *more)
    status, _, err = shuffleseg(*command[3:])
    assert status == 2 and words in err.splitlines()[-1] and "Traceback" not in err
