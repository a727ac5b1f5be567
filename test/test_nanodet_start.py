"""NanoDet-m's ncnn files as a start: the same function, batch norms measured, bad files refused."""

import json

import numpy as np
import pytest

from conftest import CAMVID, requires_tensorflow
from ncnn_files import nanodet_layers, save_nanodet
from reference_networks import torchvision_variables
from shuffleseg_core.errors import UserError
from tiny_camvid import make_camvid
from tiny_training import TINY, train_command
from torch_files import save_state_dict

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.import_weights import load_starting_weights  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_training.batch_norm_statistics import unfold_batch_norms  # noqa: E402

pytestmark = requires_tensorflow

WEIGHTS = CAMVID.parent / "weights"


def network(multiplier=0.5, variant="torchvision"):
    return build_model("shufflenet_v2", 5, depth_multiplier=multiplier, unit_variant=variant,
                       input_size=(64, 48))  # fmt: skip


def features(model, images):
    outputs = [model.get_layer(f"stage{stage}_output").output for stage in (2, 3, 4)]
    return keras.Model(model.input, outputs).predict_on_batch(images)


def norms(model):
    return [
        layer.name
        for layer in model.layers
        if layer.name.endswith("_norm") and layer.name.startswith(("stem", "stage"))
    ]


def images(rng, count=2):
    return rng.integers(0, 256, (count, 48, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def variables():
    return torchvision_variables(0.5)


@pytest.fixture(scope="module")
def layers(variables):
    return list(nanodet_layers(variables))


def assert_near(found, expected, tolerance):
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("dtype, tolerance", [("<f2", 5e-3), ("<f4", 1e-5)])
def test_file_gives_the_function_of_what_was_folded(
    dtype, tolerance, variables, layers, tmp_path, rng
):
    batch = images(rng)
    model, expected = network(), network()
    report = load_starting_weights(model, save_nanodet(tmp_path, layers, dtype))
    load_starting_weights(expected, save_state_dict(tmp_path / "same.pth", variables))
    assert_near(features(model, batch), features(expected, batch), tolerance)
    assert str(report) == (
        "NanoDet-m's ncnn backbone, from COCO, of nanodet_m.bin: 110 layers placed; fresh: head, "
        "classifier; in the file but not used: the detector's neck and heads"
    )
    # The .param names the same network.
    other = network()
    load_starting_weights(other, tmp_path / "nanodet_m.param")
    for one, same in zip(features(model, batch), features(other, batch)):
        np.testing.assert_array_equal(one, same)


def test_unfolding_measures_and_keeps_the_function(layers, tmp_path, rng):
    dead = [
        (name, weights * (np.arange(len(weights)) != 0)[:, None, None, None], *rest)
        for name, weights, *rest in layers
    ]  # each layer's first channel puts out its bias alone
    model = network()
    load_starting_weights(model, save_nanodet(tmp_path, dead))
    batches = [images(rng, 4), images(rng, 4)]
    before = features(model, batches[0])
    names = norms(model)
    assert len(names) == 55
    unfold_batch_norms(model, names, batches)
    assert_near(features(model, batches[0]), before, 1e-5)

    for name in names:
        layer = model.get_layer(name)
        seen = keras.Model(model.input, layer.input).predict_on_batch(np.concatenate(batches))
        gamma, _, mean, variance = layer.get_weights()
        size = np.abs(seen).max()
        np.testing.assert_allclose(mean, seen.mean((0, 1, 2)), atol=1e-4 * size)
        np.testing.assert_allclose(variance, seen.var((0, 1, 2)), rtol=1e-3, atol=1e-4 * size**2)
        # Dead channels: a scale that multiplies a woken channel by no more than the file's own.
        assert np.abs(gamma[variance < 1e-6]).max(initial=0) < 0.04
    assert any((model.get_layer(name).get_weights()[3] < 1e-6).any() for name in names)


def test_training_begins_with_the_measured_statistics(layers, tmp_path, shuffleseg):
    root = make_camvid(tmp_path / "camvid", train=4, val=1)
    start = save_nanodet(tmp_path, layers)
    run = tmp_path / "run"
    command = train_command(
        root, run, "--start", start,
        changes=(*TINY, "model.unit_variant=torchvision", "optimization.epochs=null",
                 "optimization.steps=1", "optimization.learning_rate=1e-12"),
    )  # fmt: skip
    status, out, err = shuffleseg(*command[3:])
    assert status == 0, err
    assert "NanoDet-m's ncnn backbone, from COCO, of nanodet_m.bin: 110 layers placed" in out
    record = json.loads((run / "model.json").read_text())
    assert record["training"]["start"] == "backbone of NanoDet-m (COCO)"


@pytest.mark.skipif(
    not (WEIGHTS / "nanodet_m.bin").is_file(),
    reason="NanoDet-m is not beside the checkout (../shared/weights)",
)
def test_published_files(rng):
    model, expected = network(1.0), network(1.0)
    report = load_starting_weights(model, WEIGHTS / "nanodet_m.bin")
    assert len(report.placed) == 110 and report.folded_norms
    # The same backbone, converted once by hand.
    other = load_starting_weights(expected, WEIGHTS / "shufflenetv2_x1_coco.pth")
    assert "ShuffleNet V2 in torchvision's names, no classifier, of shufflenetv2" in str(other)
    batch = images(rng)
    assert_near(features(model, batch), features(expected, batch), 1e-5)


# --- bad files


def refused(path, words, **options):
    model = network(**options)
    before = model.get_weights()
    with pytest.raises(UserError, match=words) as error:
        load_starting_weights(model, path)
    assert "\n" not in str(error.value) and str(path.parent) in str(error.value)
    for one, same in zip(before, model.get_weights()):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: data[: len(data) // 2], "ends within layer stage"),
        (lambda data: data[:-1], "ends within layer neck"),
        (lambda data: data + b"\0", "1 bytes behind"),
        (lambda data: b"", "ends within layer conv1.0"),
        (lambda data: b"\x38\x4b\x0d\x00" + data[4:], "neither float16 nor float32"),
        (lambda data: data[:4] + b"\x00\x7e" + data[6:], "not finite"),
    ],
)
def test_damaged_bin(change, words, layers, tmp_path):
    path = save_nanodet(tmp_path, layers)
    path.write_bytes(change(path.read_bytes()))
    refused(path, words)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda text: text.replace("7767517", "7767518"), "does not begin with 7767517"),
        (lambda text: "", "does not begin with"),
        (lambda text: text[: len(text) // 2].rpartition("\n")[0], "of its 57 layers"),
        (lambda text: text.replace("3=2", "3=1"), "is not conv1.0 of NanoDet-m"),
        (lambda text: text.replace("6=", "6=1"), "do not fit together"),
        (lambda text: text.replace("6=", "6=x"), "do not fit together"),
        (lambda text: text.replace(" 0=", " zero="), "not a whole .param"),
        (lambda text: text.replace("Input", "InnerProduct"), "is a InnerProduct"),
    ],
)
def test_damaged_param(change, words, layers, tmp_path):
    path = save_nanodet(tmp_path, layers)
    param = path.with_suffix(".param")
    param.write_text(change(param.read_text()))
    refused(path, words)


def test_missing_files(layers, tmp_path):
    path = save_nanodet(tmp_path, layers)
    path.with_suffix(".param").rename(tmp_path / "other.param")
    refused(path, "nanodet_m.param: no such file")
    path.unlink()
    refused(path, "cannot be read")
    refused(tmp_path / "other.param", "other.bin: no such file")


def test_other_networks(layers, tmp_path):
    path = save_nanodet(tmp_path, layers)
    refused(path, "set model.depth_multiplier to 0.5", multiplier=1.0)
    refused(path, "set model.unit_variant to torchvision", variant="megvii")
    refused(save_nanodet(tmp_path, layers[:20]), "20 convolutions, and NanoDet-m's backbone")
    swapped = [layers[0], layers[2], layers[1], *layers[3:]]
    refused(save_nanodet(tmp_path, swapped), "its layer stage2.0.branch1.2 is not")
    narrow = [(n, w[: len(w) // 2], b[: len(b) // 2], s, max(g // 2, 1))
              for n, w, b, s, g in layers]  # fmt: skip
    refused(save_nanodet(tmp_path, narrow), "stem|stage|fit together")
