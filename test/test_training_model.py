"""Deep supervision and distillation: further losses of a training, not a part of its result."""

import json

import numpy as np
import pytest

pytest.importorskip("keras", exc_type=ImportError)

import keras  # noqa: E402

from conftest import requires_tensorflow  # noqa: E402
from shuffleseg_core.errors import UserError  # noqa: E402
from shuffleseg_core.label_map import LabelMap  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_training.batch_norm_statistics import freeze_batch_norms  # noqa: E402
from shuffleseg_training.checkpoint import Checkpoint  # noqa: E402
from shuffleseg_training.cross_entropy import PixelCrossEntropy  # noqa: E402
from shuffleseg_training.optimizer import make_optimizer  # noqa: E402
from shuffleseg_training.recipe import OptimizationRecipe, load_recipe  # noqa: E402
from shuffleseg_training.teacher import load_teacher  # noqa: E402
from shuffleseg_training.training_model import TrainingLoss, quarter, training_model  # noqa: E402
from tiny_camvid import make_camvid  # noqa: E402
from tiny_training import save_run, train_command, weights_of  # noqa: E402

CAMVID = LabelMap.named("camvid")
BOTH = OptimizationRecipe(
    auxiliary_layer="stage3_output", auxiliary_weight=0.4, teacher="t", distillation_weight=2.0
)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return build_model("shufflenet_v2", len(CAMVID), input_size=(64, 48), depth_multiplier=0.5)


def test_a_network_that_learns_from_labels_alone_is_trained_itself(network, rng):
    assert training_model(network, OptimizationRecipe()) is network
    loss = PixelCrossEntropy(5)
    labels = rng.integers(0, 5, (2, 6, 7)).astype(np.uint8)
    logits = rng.normal(size=(2, 6, 7, 5)).astype(np.float32)
    assert float(TrainingLoss(loss, OptimizationRecipe())(labels, logits)) == float(
        loss(labels, logits)
    )


def test_the_loss_is_the_sum_of_its_parts(rng):
    loss = PixelCrossEntropy(5)
    labels = rng.integers(0, 5, (2, 6, 7)).astype(np.uint8)
    logits, auxiliary, teacher = rng.normal(size=(3, 2, 6, 7, 5)).astype(np.float32) * 3
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (teacher, logits))
    divergence = (p * np.log(p / q)).sum(-1).mean()
    assert divergence > 0.1
    expected = float(loss(labels, logits)) + 0.4 * float(loss(labels, auxiliary)) + 2 * divergence
    found = float(TrainingLoss(loss, BOTH)(labels, [logits, auxiliary, teacher]))
    assert found == pytest.approx(expected, rel=1e-5)
    alike = float(TrainingLoss(loss, BOTH)(labels, [logits, auxiliary, logits]))
    assert alike == pytest.approx(expected - 2 * divergence, rel=1e-5)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_quarters_of_four_images_make_one_whole(size, rng):
    image = rng.normal(size=(*size, 3)).astype(np.float32)
    quarters = np.asarray(quarter(keras.ops.convert_to_tensor(np.stack([image] * 5))))
    height, width = size[0] // 2, size[1] // 2
    assert quarters.shape == (5, height, width, 3)
    whole = np.zeros((height * 2, width * 2, 3))
    for k, part in enumerate(quarters[:4]):
        whole[k // 2 :: 2, k % 2 :: 2] = part
    np.testing.assert_array_equal(whole, image[: height * 2, : width * 2])
    np.testing.assert_array_equal(quarters[4], quarters[0])


def test_all_parts_of_the_loss_take_the_same_quarter(rng):
    from dataclasses import replace

    loss = PixelCrossEntropy(5)
    labels = keras.ops.convert_to_tensor(rng.integers(0, 5, (2, 6, 8)).astype(np.uint8))
    outputs = [
        keras.ops.convert_to_tensor(x) for x in rng.normal(size=(3, 2, 6, 8, 5)).astype(np.float32)
    ]
    found = TrainingLoss(loss, replace(BOTH, loss_pixels="quarter"))(labels, outputs)
    expected = TrainingLoss(loss, BOTH)(quarter(labels), [quarter(x) for x in outputs])
    assert float(found) == float(expected)


def test_the_teacher_is_as_in_inference_and_does_not_learn(network, tmp_path, rng):
    whole = save_run(tmp_path / "teacher", CAMVID, dropout=0.5)
    teacher = load_teacher(str(tmp_path / "teacher"), CAMVID, (64, 48))
    model = training_model(network, BOTH, teacher=teacher)
    images = rng.uniform(0, 255, (2, 48, 64, 3)).astype(np.float32)
    expected = np.asarray(whole(images, training=False))
    for training in (False, True):
        logits, auxiliary, of_teacher = (np.asarray(x) for x in model(images, training=training))
        assert logits.shape == auxiliary.shape == of_teacher.shape == (2, 48, 64, len(CAMVID))
        np.testing.assert_allclose(of_teacher, expected, atol=1e-4)
    # The network's own variables, and those of the auxiliary classifier.
    assert len(model.trainable_variables) == len(network.trainable_variables) + 5


def test_a_checkpoint_holds_all_that_is_trained(tmp_path, rng):
    """A resumed training loads its teacher anew, and has it from the checkpoint as well."""
    save_run(tmp_path / "teacher", CAMVID)

    def model(seed):
        keras.utils.set_random_seed(seed)
        network = build_model(
            "shufflenet_v2", len(CAMVID), input_size=(64, 48), depth_multiplier=0.5
        )
        freeze_batch_norms(network)
        whole = training_model(
            network, BOTH, teacher=load_teacher(str(tmp_path / "teacher"), CAMVID, (64, 48))
        )
        whole.compile(make_optimizer(OptimizationRecipe(ema_momentum=0.9), 9, whole))
        return whole

    first, second = model(1), model(2)
    checkpoint = Checkpoint(tmp_path / "checkpoint.weights.h5", first)
    assert checkpoint.restore() == (0, [])
    first.optimizer.apply(
        [keras.ops.convert_to_tensor(rng.normal(size=v.shape), "float32")
         for v in first.trainable_variables],
        first.trainable_variables,
    )  # fmt: skip
    checkpoint.save(7, [0.5])
    assert Checkpoint(checkpoint.path, second).restore() == (7, [0.5])
    for one, other in zip(first.weights, second.weights):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), one.path)
    for one, other in zip(first.optimizer.variables, second.optimizer.variables):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), one.path)


def test_what_cannot_be_learnt_from_is_named(network, tmp_path):
    for layer in ("stage9_output", "image_", "preprocess"):
        settings = OptimizationRecipe(auxiliary_layer=layer, auxiliary_weight=1.0)
        with pytest.raises(UserError, match=f"no layer '{layer}'.*stage3_output"):
            training_model(network, settings)
    save_run(tmp_path / "street", LabelMap.named("cityscapes"))
    with pytest.raises(UserError, match="street: this teacher's classes are not"):
        load_teacher(str(tmp_path / "street"), CAMVID, (64, 48))
    with pytest.raises(UserError, match="nothing"):
        load_teacher(str(tmp_path / "nothing"), CAMVID, (64, 48))
    for change in ("teacher=a", "distillation_weight=1", "auxiliary_weight=1", "auxiliary_layer=a"):
        with pytest.raises(UserError, match="come together"):
            load_recipe("camvid_basic", (f"optimization.{change}",))


@requires_tensorflow
def test_a_training_leaves_the_network_alone(tmp_path, shuffleseg):
    """With an auxiliary classifier (of tiny_training) and a teacher."""
    root, output = make_camvid(tmp_path / "camvid"), tmp_path / "run"
    save_run(tmp_path / "teacher", CAMVID)
    settings = (
        "model.depth_multiplier=0.5",
        "augmentation.crop=64x48",
        "data.synthetic_share=0",
        "optimization.batch_size=2",
        "optimization.epochs=null",
        "optimization.steps=6",
        "optimization.auxiliary_layer=stage3_output",
        "optimization.auxiliary_weight=0.4",
        f"optimization.teacher={tmp_path / 'teacher'}",
        "optimization.distillation_weight=1",
    )
    command = train_command(root, output, changes=settings)
    status, _, err = shuffleseg(*command[3:])
    assert status == 0, err
    assert np.isfinite(json.loads((output / "metrics.jsonl").read_text().splitlines()[0])["loss"])
    teacher = weights_of(tmp_path / "teacher" / "model.weights.h5")
    assert weights_of(output / "model.weights.h5").keys() == teacher.keys()
    assert any("auxiliary" in name or "teacher" in name for name in _names(output))


def _names(output):
    """Of the checkpoint's weights, as Keras names them in the file."""
    import h5py

    with h5py.File(output / "checkpoint.weights.h5") as file:
        found = []
        file.visititems(lambda name, item: found.append(f"{name} {item.attrs.get('name', '')}"))
    return found
