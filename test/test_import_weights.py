"""Weights from elsewhere: every variable placed, the same function, bad files refused."""

import functools
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import requires_tensorflow
from reference_networks import (
    megvii_features,
    megvii_variables,
    official_forward,
    official_variables,
    torchvision_features,
    torchvision_stem,
    torchvision_variables,
)
from shuffleseg_core.errors import UserError
from shuffleseg_core.import_weights.pytorch_file import read_state_dict
from torch_files import TorchFile, ordered_dict, save_state_dict, string

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.import_weights import load_starting_weights  # noqa: E402
from shuffleseg_core.import_weights.starting_weights import read_weights  # noqa: E402
from shuffleseg_core.label_map import LabelMap  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.trained_network import TrainedNetwork  # noqa: E402
from shuffleseg_core.trained_files import RECORD, WEIGHTS  # noqa: E402

pytestmark = requires_tensorflow

CITYSCAPES = LabelMap.named("cityscapes").names


def save_tf1_checkpoint(prefix, variables):
    """PREFIX.index and PREFIX.data-00000-of-00001, as tf.train.Saver writes them."""
    import tensorflow as tf

    names = sorted(variables)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(variables[name]) for name in names],
    )
    return prefix


def network(head="basic", classes=19, **options):
    return build_model("shufflenet_v2", classes, head=head, upsample=False, **options)


@functools.cache
def half_network(**options):
    """One that tests share which only see files refused."""
    return network(depth_multiplier=0.5, **options)


def snapshot(model):
    return [array.copy() for array in model.get_weights()]


def assert_untouched(model, before):
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Official checkpoints: basic and DPC."""
    folder = tmp_path_factory.mktemp("official")
    return {
        head: save_tf1_checkpoint(folder / head / "model.ckpt-120000", official_variables(head))
        for head in ("basic", "dpc")
    }


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """State dicts of torchvision and of ShuffleNet's authors."""
    folder = tmp_path_factory.mktemp("imagenet")
    return {
        "torchvision": save_state_dict(
            folder / "shufflenetv2_x1-5666bf0f80.pth", torchvision_variables(), "legacy"
        ),
        "megvii": save_state_dict(
            folder / "ShuffleNetV2.1.0x.pth.tar",
            {f"module.{name}": array for name, array in megvii_variables().items()},
        ),
    }


# --- the same function


@pytest.mark.parametrize(
    "head, size",
    # Large enough that every rate of the DPC meets the image; even sizes pad at the end alone.
    [("basic", (65, 81)), ("basic", (48, 64)), ("dpc", (305, 353))],
)
def test_official_checkpoint_gives_the_official_function(checkpoints, head, size, rng):
    image = rng.integers(0, 256, (*size, 3)).astype(np.float32)
    model = network(head, stage4_rate_1=True)
    report = load_starting_weights(model, checkpoints[head], CITYSCAPES)
    assert set(report.placed) == {layer.name for layer in model.layers if layer.weights}
    assert report.fresh == () and report.dropped == {}
    assert report.unused == ("global_step", "optimizer state")
    logits = np.asarray(model(image[None]))[0]
    expected = official_forward(official_variables(head), image, head)
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


def test_torchvision_weights_give_torchvisions_function(imagenet, rng):
    image = rng.integers(0, 256, (65, 97, 3)).astype(np.float32)
    model = network(unit_variant="torchvision", output_stride=32)
    report = load_starting_weights(model, imagenet["torchvision"])
    features = keras.Model(model.input, model.get_layer("stage4_output").output)
    ours = np.asarray(features(image[None]))[0]
    theirs = torchvision_features(torchvision_variables(), image, border=127.5)
    # It shuffles once more behind the last unit; the mirror of what is before is ours.
    joined = np.concatenate([theirs[..., 0::2], theirs[..., 1::2]], axis=2)
    np.testing.assert_allclose(ours, joined[..., ::-1], atol=1e-4 * theirs.max())
    assert {name.split("_")[0] for name in report.placed} == {"stem", "stage2", "stage3", "stage4"}
    assert report.unused == ("conv5", "fc")
    assert str(report) == (
        "ShuffleNet V2 in torchvision's names, a classifier of 1000 classes, of "
        "shufflenetv2_x1-5666bf0f80.pth: 110 layers placed; "
        "fresh: head, classifier; in the file but not used: conv5, fc"
    )


def test_authors_weights_give_the_authors_function(imagenet, rng):
    image = rng.integers(0, 256, (65, 97, 3)).astype(np.float32)
    model = network(unit_variant="megvii", output_stride=32)
    report = load_starting_weights(model, imagenet["megvii"])
    features = keras.Model(model.input, model.get_layer("stage4_output").output)
    ours = np.asarray(features(image[None]))[0]
    theirs = megvii_features(megvii_variables(), image, border=127.5)
    np.testing.assert_allclose(ours, theirs[..., ::-1], atol=1e-4 * theirs.max())
    assert report.unused == ("classifier", "conv_last")


@pytest.mark.parametrize("variant", ["torchvision", "megvii"])
def test_half_width_backbones(variant, tmp_path, rng):
    variables = {"torchvision": torchvision_variables, "megvii": megvii_variables}[variant](0.5)
    features_of = {"torchvision": torchvision_features, "megvii": megvii_features}[variant]
    path = save_state_dict(tmp_path / "half.pth", variables)
    model = network(unit_variant=variant, output_stride=32, depth_multiplier=0.5)
    load_starting_weights(model, path)
    image = rng.integers(0, 256, (33, 33, 3)).astype(np.float32)
    features = keras.Model(model.input, model.get_layer("stage4_output").output)
    ours = np.sort(np.asarray(features(image[None]))[0], axis=2)
    theirs = np.sort(features_of(variables, image, border=127.5), axis=2)
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * theirs.max())


def test_only_the_border_feels_the_padding_of_normalised_images(imagenet, rng):
    """The stem's inner outputs are the file's own; its rim sees grey instead of the mean."""
    variables = torchvision_variables()
    image = rng.integers(0, 256, (33, 33, 3)).astype(np.float32)
    model = network(unit_variant="torchvision")
    load_starting_weights(model, imagenet["torchvision"])
    stem = keras.Model(model.input, model.get_layer("stem_pool").output)
    ours = np.asarray(stem(image[None]))[0]
    theirs = torchvision_stem(variables, image)
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-4 * theirs.max())
    assert np.abs(ours - theirs)[0].max() > 1e-3


def test_same_weights_on_jax(imagenet, tmp_path, rng):
    pytest.importorskip("jax")
    image = rng.integers(0, 256, (33, 33, 3)).astype(np.float32)
    np.save(tmp_path / "image.npy", image)
    program = """
import sys
import keras, numpy as np
from shuffleseg_core.import_weights import load_starting_weights
from shuffleseg_core.models import build_model
folder, weights = sys.argv[1:]
assert keras.backend.backend() == "jax"
model = build_model("shufflenet_v2", 5, output_stride=32, unit_variant="megvii",
                    input_size=(33, 33))
load_starting_weights(model, weights)
features = keras.Model(model.input, model.get_layer("stage4_output").output)
image = np.load(f"{folder}/image.npy")
np.save(f"{folder}/features.npy", features.predict(image[None], verbose=0)[0])
"""
    subprocess.run(
        [sys.executable, "-c", program, tmp_path, imagenet["megvii"]],
        check=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    theirs = megvii_features(megvii_variables(), image, border=127.5)
    np.testing.assert_allclose(
        np.load(tmp_path / "features.npy"), theirs[..., ::-1], atol=1e-4 * theirs.max()
    )


# --- what is placed, what is refused


def test_backbone_of_a_tf1_checkpoint(tmp_path):
    variables = official_variables(None)
    variables["Conv5/weights"] = np.zeros((1, 1, 464, 1024), np.float32)
    variables["classifier/weights"] = np.zeros((1024, 1000), np.float32)
    prefix = save_tf1_checkpoint(tmp_path / "model.ckpt-1", variables)
    report = load_starting_weights(network("dpc"), prefix)
    assert len(report.placed) == 110
    assert "logits" in report.fresh and "dpc0_depthwise" in report.fresh
    assert report.unused == ("ImageNet classifier", "global_step", "optimizer state")


def test_classifier_stays_only_with_the_same_classes(checkpoints):
    other = ("street", *CITYSCAPES[1:])
    models = {19: network(), 11: network(classes=11)}
    for classes, count, kept in ((CITYSCAPES, 19, True), (None, 19, True), (other, 19, False),
                                 (None, 11, False)):  # fmt: skip
        report = load_starting_weights(models[count], checkpoints["basic"], classes)
        assert ("logits" in report.placed) == kept
        assert ("logits" in report.dropped) != kept
        assert report.fresh == (() if kept else ("logits",))
    assert "fresh: classifier (19 classes in the file, 11 in the model)" in str(report)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"head": "dpc"}, "set model.head to basic"),
        ({"depth_multiplier": 0.5}, "set model.depth_multiplier to 1.0"),
        ({"unit_variant": "megvii"}, "set model.unit_variant to mobile_segmentation"),
    ],
)
def test_another_network_is_told_by_its_option(checkpoints, options, words):
    model = network(**options)
    before = snapshot(model)
    with pytest.raises(UserError, match=words) as error:
        load_starting_weights(model, checkpoints["basic"])
    one_line(error)
    assert_untouched(model, before)


def test_imagenet_weights_name_the_variant_that_they_need(imagenet):
    model = network()
    for variant, path in imagenet.items():
        with pytest.raises(UserError, match=f"set model.unit_variant to {variant}"):
            load_starting_weights(model, path)


def change(variables, remove=(), **add):
    return {**{n: a for n, a in variables.items() if n not in remove}, **add}


@pytest.mark.parametrize(
    "remove, add, words",
    [
        ((), {"aspp1_depthwise/depthwise_weights": np.zeros((3, 3, 464, 1), "f4")}, "aspp1_depth"),
        (("aspp0/weights",), {}, "aspp0_conv1x1 is missing"),
        (("aspp0/BatchNorm/beta",), {}, "has 3 of its 4"),
        (("logits/semantic/biases",), {}, "has 1 of its 2"),
        ((), {"ShuffleNetV2/Conv1/weights": np.zeros((3, 3, 4, 24), "f4")}, "3×3×4×24"),
        ((), {"ShuffleNetV2/Conv1/weights": np.full((3, 3, 3, 24), np.nan, "f4")}, "finite"),
        ((), {"logits/semantic/biases": np.float32(0)}, "layer logits has"),
        ((), {"ShuffleNetV2/Conv1/weights": np.array([b"no"], object)}, "where numbers belong"),
    ],
)
def test_wrong_checkpoints_are_refused(tmp_path, remove, add, words):
    variables = change(official_variables("basic", 0.5, optimizer=False), remove, **add)
    prefix = save_tf1_checkpoint(tmp_path / "model.ckpt", variables)
    model = half_network()
    before = snapshot(model)
    with pytest.raises(UserError, match=words) as error:
        load_starting_weights(model, prefix)
    assert str(tmp_path) in one_line(error)
    assert_untouched(model, before)


@pytest.mark.parametrize(
    "remove, add, words",
    [
        ((), {"conv6.weight": np.zeros(3, "f4")}, "conv6.weight"),
        ((), {"stage2.0.branch1.7.weight": np.zeros(3, "f4")}, "branch1.7"),
        ((), {"conv1.0.bias": np.zeros(24, "f4")}, "conv1.0.bias"),
        (("conv1.1.bias",), {}, "has 3 of its 4"),
        (("stage3.2.branch2.5.weight",), {}, "stage3_unit3_conv1x1_after"),
        ((), {"conv1.0.weight": np.zeros(24, "f4")}, "1 axes instead of 4"),
        ((), {"conv1.0.weight": np.zeros((24, 2, 3, 3), "f4")}, "do not fit together"),
        ((), {"conv1.0.weight": np.zeros((30, 3, 3, 3), "f4")}, "stem|fit together"),
        ((), {"stage2.1.branch2.0.weight": np.zeros((24, 20, 1, 1), "f4")}, "needs 1×1×24×24"),
    ],
)
def test_wrong_state_dicts_are_refused(tmp_path, remove, add, words):
    variables = {**change(torchvision_variables(0.5), remove), **add}
    path = save_state_dict(tmp_path / "weights.pth", variables)
    model = half_network(unit_variant="torchvision")
    before = snapshot(model)
    with pytest.raises(UserError, match=words) as error:
        load_starting_weights(model, path)
    assert str(path) in one_line(error)
    assert_untouched(model, before)


# --- files


def test_a_folder_stands_for_its_latest_checkpoint(tmp_path, checkpoints):
    variables = official_variables("basic", 0.5, optimizer=False)
    first = save_tf1_checkpoint(tmp_path / "model.ckpt-1", variables)
    model = half_network()
    assert load_starting_weights(model, tmp_path).fresh == ()
    assert load_starting_weights(model, f"{first}.index").fresh == ()
    variables["logits/semantic/biases"] = np.full(19, 7, np.float32)
    save_tf1_checkpoint(tmp_path / "model.ckpt-20", variables)
    with pytest.raises(UserError, match="give one of model.ckpt-1, model.ckpt-20"):
        load_starting_weights(model, tmp_path)
    # As on the machine that trained it.
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "/home/x/logs/model.ckpt-20"\n'
        'all_model_checkpoint_paths: "/home/x/logs/model.ckpt-1"\n'
    )
    load_starting_weights(model, tmp_path)
    assert (model.get_layer("logits").get_weights()[1] == 7).all()


def test_broken_checkpoints_are_refused(tmp_path):
    variables = official_variables("basic", 0.5, optimizer=False)
    prefix = save_tf1_checkpoint(tmp_path / "model.ckpt", variables)
    index, data = (Path(f"{prefix}{end}") for end in (".index", ".data-00000-of-00001"))
    whole = index.read_bytes(), data.read_bytes()
    model = half_network()

    def refused(words):
        with pytest.raises(UserError, match=words) as error:
            load_starting_weights(model, prefix)
        one_line(error)

    data.write_bytes(whole[1][: len(whole[1]) // 2])
    refused("not a whole")
    data.write_bytes(bytes([whole[1][0] ^ 255]) + whole[1][1:])
    refused("not a whole")
    data.unlink()
    refused("data file is missing")
    data.write_bytes(whole[1])
    index.write_bytes(whole[0][: len(whole[0]) // 2])
    refused("not a whole")
    index.unlink()
    refused("cannot be read")
    with pytest.raises(UserError, match="model.ckpt.index is not beside it"):
        load_starting_weights(model, data)


def test_checkpoints_need_tensorflow(checkpoints, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match="needs TensorFlow.*make setup-dev") as error:
        read_weights(checkpoints["basic"])
    one_line(error)


def torch_file(kind):
    file = TorchFile(kind)
    numbers = np.arange(60, dtype=np.float32)
    shared = file.storage(numbers.tobytes(), "FloatStorage", 60)
    half = file.storage((numbers.view(np.uint32) >> 16).astype("<u2").tobytes(),
                        "BFloat16Storage", 60)  # fmt: skip
    tensors = [
        ("transposed", file.view(shared, 0, (20, 3), (1, 20))),
        ("part", file.view(shared, 10, (3, 2), (4, 2))),
        ("bfloat16", file.view(half, 0, (60,), (1,))),
        ("half", file.tensor(np.arange(3, dtype=np.float16))),
        ("scalar", file.tensor(np.int64(7))),
        ("empty", file.tensor(np.zeros((0, 3), np.float32))),
    ]
    names = ordered_dict((f"module.{name}", tensor) for name, tensor in tensors)
    return file.to_bytes(ordered_dict([("epoch", b"K\x05"), ("state_dict", names)]))


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_tensors_are_what_they_show_of_their_storage(kind, tmp_path):
    path = tmp_path / "checkpoint.pth.tar"
    path.write_bytes(torch_file(kind))
    tensors = read_state_dict(path)
    numbers = np.arange(60, dtype=np.float32)
    assert list(tensors) == ["transposed", "part", "bfloat16", "half", "scalar", "empty"]
    assert (tensors["transposed"] == numbers.reshape(3, 20).T).all()
    assert tensors["part"].tolist() == [[10, 12], [14, 16], [18, 20]]
    assert (tensors["bfloat16"] == numbers).all() and tensors["bfloat16"].dtype == np.float32
    assert tensors["half"].tolist() == [0, 1, 2]
    assert tensors["scalar"].shape == () and tensors["scalar"] == 7
    assert tensors["empty"].shape == (0, 3)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", ["zip", "legacy", "bare"])
def test_nothing_in_a_file_is_run(kind, protocol, tmp_path):
    trace = tmp_path / "trace"
    code = pickle.dumps({"conv1.0.weight": Malicious(trace)}, protocol)
    path = tmp_path / "weights.pth"
    if kind == "bare":
        path.write_bytes(code)
    else:
        path.write_bytes(TorchFile(kind).to_bytes(code.removeprefix(b"\x80\x02")[:-1]))
    with pytest.raises(UserError, match="system.*nothing was run") as error:
        read_state_dict(path)
    one_line(error)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n" + string("1") + b"\x85R",
        b"ctorch\nFloatStorage\n)R",  # a name of the table that is no function
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR",
        b"(iposix\nsystem\n",
        b"ccollections\nOrderedDict\n)\x81",
        b"]K\x01s",
        b"N",
        b"}",
        b"K\x01Q",
        b"(" * 1000,
        b"h\x05",
        b"0",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_no_state_dict(kind, content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(TorchFile(kind).to_bytes(content))
    with pytest.raises(UserError) as error:
        read_state_dict(path)
    assert str(path) in one_line(error)


def test_tensors_beyond_their_storage_are_refused(tmp_path):
    for size, stride, offset in (((61,), (1,), 0), ((2, 30), (31, 1), 0), ((3,), (1,), 58),
                                 ((1000, 1000), (0, 0), 0)):  # fmt: skip
        file = TorchFile("zip")
        storage = file.storage(bytes(240), "FloatStorage", 60)
        content = ordered_dict([("x", file.view(storage, offset, size, stride))])
        path = tmp_path / "weights.pth"
        path.write_bytes(file.to_bytes(content))
        with pytest.raises(UserError, match="beyond its storage"):
            read_state_dict(path)


def test_other_files_are_refused(tmp_path):
    def refused(content, words):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        with pytest.raises(UserError, match=words) as error:
            load_starting_weights(half_network(), path)
        one_line(error)

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02}.")
        file.writestr("archive/data/0", bytes(10**6))
    refused(archive.getvalue(), "compressed")
    refused(b"", "not a whole PyTorch")
    refused(b"<html>404</html>", "not a whole PyTorch")
    refused(b"\x89HDF\r\n\x1a\nrest", "no model.json beside it")
    with pytest.raises(UserError, match="neither a run folder"):
        load_starting_weights(half_network(), tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        load_starting_weights(half_network(), tmp_path / "none.pth")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["zip", "legacy"]))
def test_damaged_files_never_end_in_a_traceback(data, kind, tmp_path):
    content = bytearray(torch_file(kind))
    if data.draw(st.booleans(), "cut"):
        del content[data.draw(st.integers(0, len(content) - 1), "length") :]
    for _ in range(data.draw(st.integers(0, 3), "changes")):
        if content:
            place = data.draw(st.integers(0, len(content) - 1), "place")
            content[place] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    try:
        read_state_dict(path)
    except UserError as error:
        assert "\n" not in str(error)


# --- own run folders


def run_folder(path, **options):
    """A run folder with random weights. Returns its model."""
    label_map = LabelMap.named("camvid")
    model_options = {"architecture": "shufflenet_v2", "depth_multiplier": 0.5, **options}
    network = TrainedNetwork(model_options, label_map, (64, 48))
    path.mkdir(parents=True)
    model = network.build()
    model.set_weights([w + np.float32(0.01) for w in model.get_weights()])
    model.save_weights(path / WEIGHTS)
    network.save_record(path)
    return model


def test_own_run_folder(tmp_path, rng):
    source = run_folder(tmp_path / "run", head="dpc", unit_variant="torchvision")
    image = rng.uniform(0, 255, (1, 33, 49, 3)).astype(np.float32)
    classes = LabelMap.named("camvid").names
    model = build_model("shufflenet_v2", 11, head="dpc", depth_multiplier=0.5,
                        unit_variant="torchvision", output_stride=16)  # fmt: skip
    report = load_starting_weights(model, tmp_path / "run", classes)
    assert report.fresh == ()
    np.testing.assert_array_equal(np.asarray(model(image)), np.asarray(source(image)))

    report = load_starting_weights(model, tmp_path / "run" / WEIGHTS, classes[::-1])
    assert report.dropped == {"logits": "the file has other classes"}
    with pytest.raises(UserError, match="set model.unit_variant to torchvision"):
        load_starting_weights(half_network(head="dpc"), tmp_path / "run")


def test_backbone_of_a_network_with_another_head(tmp_path):
    source = run_folder(tmp_path / "run", head="dpc")
    model = network(head="basic", depth_multiplier=0.5)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    with pytest.raises(UserError, match="set model.head to dpc, .*--backbone-only"):
        load_starting_weights(model, tmp_path / "run")

    report = load_starting_weights(model, tmp_path / "run", head="none")
    assert "backbone of the weights of run" in str(report) and "fresh: head, classifier" in str(
        report
    )
    for layer in model.layers:
        of_backbone = layer.name.startswith(("stem", "stage"))
        expected = source.get_layer(layer.name).get_weights() if of_backbone else before[layer.name]
        for weights, wanted in zip(layer.get_weights(), expected):
            np.testing.assert_array_equal(weights, wanted)


def test_a_head_is_taken_if_it_fits(tmp_path):
    source = run_folder(tmp_path / "run", head="dpc")
    # Neither option changes the weights.
    same = network(head="dpc", depth_multiplier=0.5, output_stride=8, dropout=0.3)
    report = load_starting_weights(same, tmp_path / "run", head="if_it_fits")
    assert not report.backbone_alone
    for layer in filter(lambda layer: layer.weights, source.layers):
        for weights, wanted in zip(same.get_layer(layer.name).get_weights(), layer.get_weights()):
            if layer.name != "logits":
                np.testing.assert_array_equal(weights, wanted)
    for options in ({"head": "basic"}, {"head": "dpc", "head_width": 64}):
        report = load_starting_weights(
            network(depth_multiplier=0.5, **options), tmp_path / "run", head="if_it_fits"
        )
        assert report.backbone_alone


def test_broken_run_folders_are_refused(tmp_path):
    run = tmp_path / "run"
    run_folder(run)
    model = half_network()
    weights, record = run / WEIGHTS, run / RECORD

    def refused(words):
        with pytest.raises(UserError, match=words) as error:
            load_starting_weights(model, run)
        one_line(error)

    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused("not whole weights")
    weights.unlink()
    refused("is the training finished")
    weights.write_bytes(whole)
    content = json.loads(record.read_text())
    del content["version"]
    record.write_text(json.dumps(content))
    refused("another version")
    record.write_text("[]")
    refused("train anew")


# --- the command


def test_command_makes_a_run_folder(checkpoints, tmp_path, shuffleseg, rng):
    run = tmp_path / "run"
    status, out, err = shuffleseg("import-weights", checkpoints["dpc"].parent, "--output", run)
    assert status == 0, err
    assert "dpc head, depth multiplier 1, 19 classes" in out
    network = TrainedNetwork.load_record(run)
    assert network.label_map == LabelMap.named("cityscapes")
    assert network.model["align_corners"] and network.model["stage4_rate_1"]
    model = network.build(upsample=False)
    network.load_weights(model, run / WEIGHTS)
    image = rng.integers(0, 256, (65, 65, 3)).astype(np.float32)
    expected = official_forward(official_variables("dpc"), image, "dpc")
    logits = np.asarray(model(image[None]))[0]
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())

    status, _, err = shuffleseg("import-weights", checkpoints["dpc"], "--output", run)
    assert status == 2 and "give another --output" in err


def test_command_takes_other_classes(tmp_path, shuffleseg):
    variables = official_variables("basic", 0.5, classes=10, optimizer=False)
    prefix = save_tf1_checkpoint(tmp_path / "model.ckpt", variables)
    status, _, err = shuffleseg(
        "import-weights", prefix, "--output", tmp_path / "no", "--label-map", "camvid"
    )
    assert status == 2 and "10 classes, but the label map has 11" in err
    status, _, err = shuffleseg(
        "import-weights", prefix, "--output", tmp_path / "run", "--label-map", "coco",
        "--stage4-rate", 2, "--size", "641x369",
    )  # fmt: skip
    assert status == 0, err
    network = TrainedNetwork.load_record(tmp_path / "run")
    assert network.label_map == LabelMap.named("coco") and network.input_size == (641, 369)
    assert network.model["depth_multiplier"] == 0.5 and not network.model["stage4_rate_1"]


def test_command_refuses_other_weights(imagenet, tmp_path, shuffleseg):
    for path in (imagenet["torchvision"], tmp_path / "none"):
        status, _, err = shuffleseg("import-weights", path, "--output", tmp_path / "run")
        assert status == 2 and "shuffleseg train --start" in err and err.count("\n") == 1
    backbone = save_tf1_checkpoint(tmp_path / "model.ckpt", official_variables(None))
    status, _, err = shuffleseg("import-weights", backbone, "--output", tmp_path / "run")
    assert status == 2 and "not a whole segmentation network" in err
    assert not (tmp_path / "run").exists()
