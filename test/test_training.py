"""Training: augmentation, schedule, loss, recipes, and going on after a kill."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import requires_tensorflow
from shuffleseg_core.errors import UserError
from tiny_camvid import make_camvid

pytest.importorskip("keras", exc_type=ImportError)
pytestmark = requires_tensorflow

from shuffleseg_training.augmentation import PAD_VALUE, Augmentation  # noqa: E402
from shuffleseg_training.loss import PixelCrossEntropy, enet_class_weights  # noqa: E402
from shuffleseg_training.poly_schedule import PolySchedule  # noqa: E402
from shuffleseg_training.recipe import load_recipe, recipe_names  # noqa: E402

TINY = (
    "model.depth_multiplier=0.5",
    "augmentation.crop=64x48",
    "optimization.batch_size=2",
    "optimization.epochs=20",
    "optimization.slow_start_steps=2",
    "data.synthetic_share=0",
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(8, 60), st.integers(8, 60)),
    crop=st.tuples(st.integers(4, 70), st.integers(4, 70)),
)
def test_augmented_pixels_keep_their_labels(seed, size, crop):
    """Every pixel's colour tells its label, before and after."""
    rng = np.random.default_rng(seed)
    labels = np.full(size[::-1], rng.integers(0, 10), np.uint8)
    image = np.repeat((labels * 20)[:, :, None], 3, axis=2)
    view, ids = Augmentation(crop)(image, labels, 255, rng)
    assert view.shape == (crop[1], crop[0], 3) and view.dtype == np.float32
    assert ids.shape == (crop[1], crop[0]) and ids.dtype == np.uint8
    outside = ids == 255
    assert (view[outside] == PAD_VALUE).all()
    assert (view[~outside] == ids[~outside][:, None] * 20).all()
    assert (~outside).any()


def test_augmentation_draws_every_scale_and_flip(rng):
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 100
    labels = (image[:, :, 0] // 100).astype(np.uint8)
    augmentation = Augmentation((100, 100))
    widths, flipped = set(), set()
    for _ in range(300):
        view, ids = augmentation(image, labels, 255, rng)
        inside = ids != 255
        widths.add(int(inside.any(axis=0).sum()))
        row = ids[inside.any(axis=1)][0]
        row = row[row != 255]
        flipped.add(bool(row[0] > row[-1]))
    assert widths == {20, 30, 40, 50, 60, 70, 80}
    assert flipped == {True, False}


def test_poly_schedule_is_equation_2():
    schedule = PolySchedule(1e-3, 1000, 0.9, slow_start_steps=10, slow_start_rate=1e-5)
    assert float(schedule(5)) == pytest.approx(1e-5)
    for step in (10, 400, 999):
        assert float(schedule(step)) == pytest.approx(1e-3 * (1 - step / 1000) ** 0.9, rel=1e-4)
    assert float(schedule(1000)) == 0


def test_loss_counts_labelled_pixels_alone(rng):
    logits = rng.normal(size=(2, 5, 6, 4)).astype(np.float32)
    truth = rng.integers(0, 4, (2, 5, 6)).astype(np.uint8)
    truth[0, :3] = 11
    weights = np.array([1.0, 2.0, 3.0, 0.5])
    log_softmax = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counted = truth < 4
    ids = truth[counted]
    each = -log_softmax[counted][np.arange(ids.size), ids]
    expected = (each * weights[ids]).sum() / weights[ids].sum()
    assert float(PixelCrossEntropy(4, 11, weights)(truth, logits)) == pytest.approx(expected, 1e-5)
    assert float(PixelCrossEntropy(4, 11)(truth, logits)) == pytest.approx(each.mean(), 1e-5)
    assert float(PixelCrossEntropy(4)(np.full_like(truth, 9), logits)) == 0


def test_rare_classes_weigh_more():
    weights = enet_class_weights(np.array([1000, 10, 0]))
    assert weights[0] < weights[1] < weights[2]


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load(name):
    assert load_recipe(name).model["architecture"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("model: [", "YAML"),
        ("3", "mapping"),
        ("model: {}", "data"),
        ("model: {}\ndata: {dataset: camvid}\naugmentation: {crop: 4x4}", "architecture"),
        ("models: {}", "models"),
        (
            "model: {architecture: a}\ndata: {dataset: camvid}\naugmentation: {crop: 4x4}\n"
            "optimization: 5",
            "optimization",
        ),
        ("{a: !!python/object/apply:os.system [ls]}", "YAML"),
    ],
)
def test_recipes_that_are_none(tmp_path, text, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_recipe(str(path))


def test_rates_as_people_write_them():
    for text in ("2e-3", "0.002", "2.0e-3"):
        recipe = load_recipe("camvid_basic", (f"optimization.learning_rate={text}",))
        assert recipe.optimization.learning_rate == 0.002
    with pytest.raises(UserError, match="learning_rate"):
        load_recipe("camvid_basic", ("optimization.learning_rate=fast",))


@pytest.mark.parametrize(
    "override, words",
    [
        ("optimization.epoch=3", "epoch"),
        ("optimization.epochs=many", "epochs"),
        ("optimization.epochs=0", "epochs >= 1"),
        ("augmentation.crop=12x", "WIDTHxHEIGHT"),
        ("data.synthetic_share=1.5", "synthetic_share"),
        ("optimization.seed=-1", "seed >= 0"),
        ("model.upsample=false", "upsample"),
        ("model.architecture=[1]", "architecture"),
    ],
)
def test_wrong_recipe_values_are_named(override, words):
    with pytest.raises(UserError, match=words):
        load_recipe("camvid_basic", (override,))


def _command(root, output, *more):
    settings = [part for override in TINY for part in ("--set", override)]
    return [
        sys.executable, "-m", "shuffleseg_core.cli", "train", "camvid_basic", "--root", str(root),
        "--output", str(output), "--checkpoint-steps", "5", "--val-epochs", "3", *settings, *more,
    ]  # fmt: skip


def _weights(path):
    import h5py

    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(data root, run folder) of a whole tiny training."""
    folder = tmp_path_factory.mktemp("training")
    root = make_camvid(folder / "data")
    run = folder / "run"
    subprocess.run(_command(root, run), check=True)
    return root, run


def test_run_folder_holds_the_whole_story(trained):
    _, run = trained
    names = {path.name for path in run.iterdir()}
    assert names == {
        "recipe.yaml", "model.json", "checkpoint.weights.h5", "model.weights.h5", "metrics.jsonl",
        "curves.png",
    }  # fmt: skip
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["step"] == 60 and 0 <= metrics[-1]["val_miou"] <= 1
    assert any("loss" in line for line in metrics)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_training_ends_with_the_same_weights(trained, tmp_path, how):
    root, run = trained
    resumed = tmp_path / "run"
    process = subprocess.Popen(_command(root, resumed))
    checkpoint = resumed / "checkpoint.weights.h5"
    end = time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(how)
    assert process.wait() == (130 if how == signal.SIGINT else -how)
    result = subprocess.run(_command(root, resumed), check=True, capture_output=True, text=True)
    assert "going on from step" in result.stdout
    expected, found = _weights(run / "model.weights.h5"), _weights(resumed / "model.weights.h5")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert [json.loads(line)["step"] for line in (resumed / "metrics.jsonl").open()] == [
        json.loads(line)["step"] for line in (run / "metrics.jsonl").open()
    ]


def test_another_recipe_does_not_touch_a_training(trained):
    root, run = trained
    before = (run / "recipe.yaml").read_bytes()
    result = subprocess.run(
        _command(root, run, "--set", "optimization.seed=9"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "another recipe" in result.stderr and "Traceback" not in result.stderr
    assert (run / "recipe.yaml").read_bytes() == before


def test_trained_weights_export_and_segment(trained, shuffleseg, tmp_path, street):
    from shuffleseg_core import Segmenter

    _, run = trained
    for form in ("logits", "labels"):
        path = tmp_path / f"{form}.tflite"
        status, out, _ = shuffleseg("export", run, "--output", path, "--form", form)
        assert status == 0 and "64x48" in out
        segmenter = Segmenter(path)
        assert segmenter.description.training["recipe"] == "camvid_basic"
        assert "CamVid" in segmenter.description.licence
        assert segmenter.segment(street).shape == street.shape[:2]


def test_loss_that_is_no_number_keeps_the_last_checkpoint(trained, tmp_path):
    root, _ = trained
    run = tmp_path / "run"
    result = subprocess.run(
        _command(root, run, "--set", "optimization.learning_rate=1.0e+30"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "the loss is" in result.stderr.splitlines()[-1] and "Traceback" not in result.stderr
    for value in (
        _weights(run / "checkpoint.weights.h5").values()
        if (run / "checkpoint.weights.h5").exists()
        else ()
    ):
        assert np.isfinite(value).all()
