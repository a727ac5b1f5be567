"""`shuffleseg evaluate` and `compare-masks`: scores, scales, submissions, pictures, mistakes."""

import copy
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, Segmenter
from shuffleseg_core.cityscapes_labels import ID_OF_TRAIN_ID
from shuffleseg_core.commands.compare_masks import _worst
from shuffleseg_core.datasets import open_dataset
from shuffleseg_core.evaluation.predictor import open_predictor
from shuffleseg_core.image_file import read_labels, read_rgb
from shuffleseg_core.metrics import ConfusionMatrix
from shuffleseg_core.model_description import read_description
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_core.tflite_file import TFLiteFile
from shuffleseg_core.upsampling import align_corners_matrix
from tiny_camvid import make_camvid
from tiny_datasets import (
    make_cityscapes_fine,
    make_coco,
    make_folder,
    make_voc2012,
    write_palette_png,
)


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory):
    """Three images in val, two in test, which has no labels."""
    root = tmp_path_factory.mktemp("cityscapes")
    return make_cityscapes_fine(root, size=(96, 64), train=0, val=3, test=2)


@pytest.fixture(scope="module")
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp("camvid"))


def _make_run(folder, label_map, **options):
    """A run folder with random weights, whose labels are spread over the classes."""
    import keras

    from shuffleseg_core.export.tflite_export import random_network
    from shuffleseg_core.trained_files import WEIGHTS

    keras.utils.set_random_seed(3)
    options = {"depth_multiplier": 0.5, **options}
    network = random_network(label_map, (64, 48), "shufflenet_v2", **options)
    model = network.build(input_size=(64, 48), upsample=False)
    drive = SyntheticDrive(seed=1, width=64, height=48)
    images = np.stack([drive.frame(40 * i)[0] for i in range(6)]).astype(np.float32)
    _spread_logits(model, np.asarray(model(images, training=False)))
    folder.mkdir()
    network.save_record(folder)
    model.save_weights(folder / WEIGHTS)
    return network


def _spread_logits(model, logits):
    """Change the last layer so that these logits get mean 0 and deviation 2 in every class.

    Returns the new logits.
    """
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    axes = tuple(range(logits.ndim - 1))
    mean, scale = logits.mean(axes), 2 / logits.std(axes)
    layer.set_weights([kernel * scale, (bias - mean) * scale])
    return (logits - mean) * scale


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder of run folders, each with a model.tflite: `camvid`, and `cityscapes`, which aligns."""
    pytest.importorskip("tensorflow", exc_type=ImportError)
    from shuffleseg_core.export.tflite_export import export_tflite
    from shuffleseg_core.trained_files import WEIGHTS

    folder = tmp_path_factory.mktemp("runs")
    for name, align_corners in (("camvid", False), ("cityscapes", True)):
        network = _make_run(folder / name, LabelMap.named(name), align_corners=align_corners)
        export_tflite(network, folder / name / "model.tflite", folder / name / WEIGHTS)
    return folder


@pytest.fixture
def evaluate(shuffleseg):
    """Evaluate and return the report."""

    def run(*arguments):
        status, out, err = shuffleseg("evaluate", *arguments, "--json", "-")
        assert status == 0, err
        return json.loads(out)

    return run


def _assert_mistake(result, words):
    status, out, err = result
    assert status == 2 and not out
    assert words in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_cityscapes_scores_are_those_of_the_benchmark(shuffleseg, runs, cityscapes, tmp_path):
    """From the model to the table: label ids, names and numbers."""
    benchmark = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
        reason="cityscapesscripts is not installed",
    )
    if not hasattr(np, "in1d"):  # numpy 2.4 removed what the benchmark calls
        np.in1d = np.isin
    status, out, err = shuffleseg(
        "evaluate", runs / "cityscapes" / "model.tflite",
        "--dataset", "cityscapes_fine", "--root", cityscapes, "--split", "val",
        "--submission", tmp_path / "sent", "--json", tmp_path / "scores.json",
    )  # fmt: skip
    assert status == 0, err
    report = json.loads((tmp_path / "scores.json").read_text())
    truths = sorted(map(str, cityscapes.rglob("val/*/*_gtFine_labelIds.png")))
    args = copy.copy(benchmark.args)
    args.quiet, args.JSONOutput, args.predictionPath = True, False, str(tmp_path / "sent")
    args.predictionWalk = None
    predictions = [benchmark.getPrediction(args, truth) for truth in truths]
    assert len(set(predictions)) == report["frames"] == 3
    theirs = benchmark.evaluateImgLists(predictions, truths, args)
    for ours, name in (
        ("miou", "averageScoreClasses"),
        ("miiou", "averageScoreInstClasses"),
        ("mcategory_iou", "averageScoreCategories"),
        ("mcategory_iiou", "averageScoreInstCategories"),
    ):
        assert report[ours] == pytest.approx(theirs[name], rel=0, abs=1e-9)
    for name, score in report["iou"].items():
        assert (np.nan if score is None else score) == pytest.approx(
            theirs["classScores"][name], rel=0, abs=1e-9, nan_ok=True
        )
    last = out.splitlines()[-1]
    assert [float(number) for number in last.split()[:4]] == [
        round(100 * report[key], 2) for key in ("miou", "miiou", "mcategory_iou", "mcategory_iiou")
    ]
    assert "Class iIoU" in out and "motorcycle" in out and "construction" in out
    # The ids in the files, and the folder scored as another program's predictions would be.
    image = next(cityscapes.rglob("val/*/lindau_000001*_leftImg8bit.png"))
    labels = Segmenter(runs / "cityscapes" / "model.tflite").segment(read_rgb(image))
    written = read_labels(tmp_path / "sent" / "lindau_000001_000019_pred_labelIds.png")
    np.testing.assert_array_equal(written, ID_OF_TRAIN_ID[labels])
    assert len(np.unique(written)) > 1
    status, out, _ = shuffleseg(
        "evaluate", "--predictions", tmp_path / "sent", "--dataset", "cityscapes_fine",
        "--root", cityscapes, "--split", "val", "--json", "-",
    )  # fmt: skip
    again = json.loads(out)
    assert {key: again[key] for key in again if key != "model"} == {
        key: report[key] for key in report if key != "model"
    }


def test_submission_of_a_split_without_labels(shuffleseg, runs, cityscapes, tmp_path):
    model = runs / "cityscapes" / "model.tflite"
    options = ("--dataset", "cityscapes_fine", "--root", cityscapes, "--split", "test")
    status, out, err = shuffleseg("evaluate", model, *options, "--submission", tmp_path / "sent")
    assert status == 0, err
    assert "no scores" in out
    assert {path.name for path in (tmp_path / "sent").iterdir()} == {
        "berlin_000000_000019_pred_labelIds.png",
        "bonn_000001_000019_pred_labelIds.png",
    }
    _assert_mistake(shuffleseg("evaluate", model, *options), "gtFine")
    _assert_mistake(
        shuffleseg(
            "evaluate", model, *options, "--submission", tmp_path / "sent",
            "--json", tmp_path / "scores.json",
        ),
        "no labels",
    )  # fmt: skip
    (tmp_path / "sent" / "berlin_000000_000019_old.png").write_bytes(b"")
    _assert_mistake(
        shuffleseg("evaluate", model, *options, "--submission", tmp_path / "sent"),
        "berlin_000000_000019_old.png",
    )


@pytest.mark.parametrize("run, options", [("camvid", ("--flip",)), ("cityscapes", ())])
def test_keras_weights_score_as_their_tflite(evaluate, runs, camvid, cityscapes, run, options):
    data = ("--root", camvid)
    if run == "cityscapes":
        data = ("--dataset", "cityscapes_fine", "--root", cityscapes)
    options = (*data, "--split", "val", *options)
    by_keras = evaluate(runs / run, *options, "--size", "64x48")
    by_tflite = evaluate(runs / run / "model.tflite", *options)
    for key in ("miou", "pixel_accuracy"):
        assert by_keras[key] == pytest.approx(by_tflite[key], abs=1e-3)
    assert by_keras["iou"] == {
        name: None if score is None else pytest.approx(score, abs=5e-3)
        for name, score in by_tflite["iou"].items()
    }


def _resize(logits, size, align_corners):
    """[h, w, C] → [H, W, C], written out."""
    if not align_corners:
        return cv2.resize(logits, size)
    rows = align_corners_matrix(size[1], logits.shape[0])
    columns = align_corners_matrix(size[0], logits.shape[1])
    return np.einsum("Hh,Ww,hwc->HWc", rows, columns, logits)


@pytest.mark.parametrize(
    "run, padded, sizes",
    [
        ("camvid", (90, 60), {0.5: (45, 30), 1: (90, 60), 1.5: (135, 90)}),
        ("cityscapes", (97, 65), {0.5: (49, 33), 1: (97, 65), 1.5: (145, 97)}),
    ],
)
def test_scales_and_flip_are_the_mean_of_the_softmax(runs, run, padded, sizes):
    from shuffleseg_core.evaluation.keras_predictor import KerasPredictor
    from shuffleseg_core.models.trained_network import TrainedNetwork
    from shuffleseg_core.trained_files import WEIGHTS

    network = TrainedNetwork.load_record(runs / run)
    model = network.build(upsample=False)
    network.load_weights(model, runs / run / WEIGHTS)
    image = SyntheticDrive(seed=2, width=90, height=60).frame(10)[0]
    aligned = run == "cityscapes"
    frame = image
    if aligned:
        frame = np.full((padded[1], padded[0], 3), 127.5, np.float32)
        frame[:60, :90] = image
    enlarged = []
    for scale, size in sizes.items():
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(frame, size, interpolation=how).astype(np.float32)
        for side in (1, -1):
            batch = np.ascontiguousarray(scaled[None, :, ::side])
            logits = np.asarray(model(batch, training=False))[0, :, ::side]
            enlarged.append(_resize(np.ascontiguousarray(logits), padded, aligned))
    exponential = np.exp(_spread_logits(model, np.array(enlarged)))
    expected = (exponential / exponential.sum(-1, keepdims=True)).mean(0)[:60, :90].argmax(-1)
    predictor = KerasPredictor(model, aligned, scales=(0.5, 1.0, 1.5), flip=True)
    labels = predictor.predict(image)
    assert labels.dtype == np.uint8 and labels.shape == (60, 90)
    assert np.mean(labels == expected) > 0.999
    assert len(np.unique(expected)) > 2
    assert np.mean(KerasPredictor(model, aligned).predict(image) == expected) < 0.99


def test_mirrored_tflite_is_the_mean_of_both(runs, street):
    from shuffleseg_core.evaluation.tflite_predictor import TFLitePredictor

    for run in ("camvid", "cityscapes"):
        path = runs / run / "model.tflite"
        segmenter = Segmenter(path)
        total = 0
        for side in (1, -1):
            segmenter.segment(np.ascontiguousarray(street[:, ::side]))
            logits = segmenter._interpreter.get_tensor(segmenter._output_index)[0]
            full = _resize(logits, (160, 90), run == "cityscapes")[:, ::side]
            exponential = np.exp(full - full.max(-1, keepdims=True))
            total = total + exponential / exponential.sum(-1, keepdims=True)
        labels = TFLitePredictor(path, flip=True).predict(street)
        assert np.mean(labels == total.argmax(-1)) > 0.999
        np.testing.assert_array_equal(
            TFLitePredictor(path).predict(street), segmenter.segment(street)
        )


def test_images_of_one_size_are_traced_once(runs, rng, monkeypatch):
    from shuffleseg_core.evaluation.predictor import open_predictor
    from shuffleseg_core.models.blocks import ResizeLike

    predictor = open_predictor(runs / "cityscapes", flip=True)
    traces = []
    call = ResizeLike.call
    monkeypatch.setattr(
        ResizeLike, "call", lambda self, inputs: (traces.append(self.name), call(self, inputs))[1]
    )
    for _ in range(3):
        predictor.predict(rng.integers(0, 256, (40, 50, 3), np.uint8))
    assert traces.count("enlarge") == 2  # once a side
    for height in range(4, 10):  # TensorFlow then takes any size
        predictor.predict(rng.integers(0, 256, (16 * height, 50, 3), np.uint8))
    assert traces.count("enlarge") <= 6


def test_other_weights_of_a_run_folder(runs, rng):
    """As the checkpoint of a training that goes on: of a compiled model, with its optimizer."""
    import keras

    from shuffleseg_core.evaluation.predictor import open_predictor
    from shuffleseg_core.models.trained_network import TrainedNetwork
    from shuffleseg_core.trained_files import WEIGHTS

    network = TrainedNetwork.load_record(runs / "camvid")
    model = network.build(input_size=(64, 48))
    network.load_weights(model, runs / "camvid" / WEIGHTS)
    layer = model.get_layer("logits")
    layer.set_weights([-array for array in layer.get_weights()])
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(runs / "camvid" / "checkpoint.weights.h5")
    image = SyntheticDrive(seed=2, width=64, height=48).frame(10)[0]
    expected = model.predict_on_batch(image[None].astype(np.float32))[0].argmax(-1)
    labels = open_predictor(runs / "camvid", weights="checkpoint.weights.h5").predict(image)
    assert np.mean(labels == expected) > 0.999


@requires_tensorflow
def test_jax_gives_the_same_scores(evaluate, runs, cityscapes):
    pytest.importorskip("jax", reason="JAX is not installed")
    options = (
        runs / "cityscapes", "--dataset", "cityscapes_fine", "--root", cityscapes,
        "--split", "val", "--flip",
    )  # fmt: skip
    by_tensorflow = evaluate(*options)
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "shuffleseg_core.cli",
            "evaluate",
            *map(str, options),
            "--json",
            "-",
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    by_jax = json.loads(result.stdout)
    for key in ("miou", "miiou", "mcategory_iou", "mcategory_iiou", "pixel_accuracy"):
        assert by_jax[key] == pytest.approx(by_tensorflow[key], abs=1e-3)


def test_predictions_of_another_program(evaluate, tiny_tflite, camvid, tmp_path):
    segmenter = Segmenter(tiny_tflite)
    for path in (camvid / "val" / "images").iterdir():
        cv2.imwrite(str(tmp_path / f"{path.stem}.png"), segmenter.segment(read_rgb(path)))
    options = ("--root", camvid, "--split", "val")
    by_model = evaluate(tiny_tflite, *options)
    by_files = evaluate("--predictions", tmp_path, *options)
    assert by_files["iou"] == by_model["iou"]


@pytest.mark.parametrize(
    "name, make",
    [("voc2012", make_voc2012), ("coco", make_coco), ("folder", make_folder)],
)
def test_the_truth_itself_scores_one_everywhere(evaluate, tmp_path, name, make):
    root = make(tmp_path / "data")
    dataset = open_dataset(name, root, "val")
    (tmp_path / "predictions").mkdir()
    for index in range(len(dataset)):
        labels = dataset.read_labels(index)
        labels[labels == dataset.label_map.ignore_id] = 0
        path = tmp_path / "predictions" / f"{dataset.sample_name(index)}.png"
        if name == "voc2012":  # VOC's own form: the palette's indices are the ids
            write_palette_png(path, labels, np.array(dataset.label_map.colors, np.uint8))
        else:
            cv2.imwrite(str(path), labels)
    report = evaluate(
        "--predictions", path.parent, "--dataset", name, "--root", root, "--split", "val"
    )
    assert report["miou"] == report["pixel_accuracy"] == 1
    assert set(report["iou"]) == set(dataset.label_map.names)
    assert "iiou" not in report


def test_predictions_that_are_wrong(shuffleseg, cityscapes, camvid, tmp_path):
    command = ("evaluate", "--predictions", tmp_path, "--split", "val")
    in_camvid = (*command, "--root", camvid)
    in_cityscapes = (*command, "--dataset", "cityscapes_fine", "--root", cityscapes)
    _assert_mistake(shuffleseg(*in_camvid), "no prediction for f100")
    for name, id_, size in (("f100", 3, (64, 96)), ("f101", 11, (64, 96))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(size, id_, np.uint8))
    _assert_mistake(shuffleseg(*in_camvid), "f101.png: id 11")
    cv2.imwrite(str(tmp_path / "f101.png"), np.full((10, 20), 3, np.uint8))
    _assert_mistake(shuffleseg(*in_camvid), "20x10")
    (tmp_path / "f101.png").write_bytes(b"no picture")
    _assert_mistake(shuffleseg(*in_camvid), "f101.png: not a readable image")
    for name in ("frankfurt_000000_000019", "lindau_000001_000019", "frankfurt_000002_000019"):
        cv2.imwrite(str(tmp_path / f"{name}_a.png"), np.full((64, 96), 255, np.uint8))
    _assert_mistake(shuffleseg(*in_cityscapes), "not trainIds")
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / f"{name}_b.png"), np.full((64, 96), 7, np.uint8))
    _assert_mistake(shuffleseg(*in_cityscapes), "a second prediction")


def test_cityscapes_needs_a_model_of_its_classes(shuffleseg, tiny_tflite, cityscapes, runs):
    options = ("--dataset", "cityscapes_fine", "--root", cityscapes, "--split", "val")
    for model in (tiny_tflite, runs / "camvid"):
        _assert_mistake(shuffleseg("evaluate", model, *options), "pavement")


def test_missing_instance_images(shuffleseg, runs, tmp_path):
    root = make_cityscapes_fine(tmp_path, train=0, instances=False)
    _assert_mistake(
        shuffleseg(
            "evaluate", runs / "cityscapes" / "model.tflite",
            "--dataset", "cityscapes_fine", "--root", root, "--split", "val",
        ),
        "instanceIds",
    )  # fmt: skip


def test_mistakes_are_one_line(shuffleseg, runs, tiny_models, camvid, tmp_path, monkeypatch):
    logits, labels = tiny_models / "logits.tflite", tiny_models / "labels.tflite"
    run = runs / "camvid"
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.json").write_bytes((run / "model.json").read_bytes())
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ((), "MODEL or --predictions"),
        ((logits, "--predictions", tmp_path), "MODEL or --predictions"),
        (("--predictions", tmp_path / "none"), "no such folder"),
        (("--predictions", tmp_path, "--flip"), "--flip needs a MODEL"),
        ((logits, "--scales", "0.5,1"), "give the run folder"),
        ((logits, "--size", "64x48"), "one input size"),
        ((logits, "--weights", "x"), "--weights"),
        ((labels, "--flip"), "--form logits"),
        ((run, "--scales", "0.5,x"), "--scales"),
        ((run, "--scales", "1,1"), "--scales"),
        ((run, "--scales", "nan"), "--scales"),
        ((run, "--size", "64"), "WIDTHxHEIGHT"),
        ((run, "--weights", "none.h5"), "none.h5: no such weights"),
        ((run / "model.weights.h5",), "give the folder"),
        ((tmp_path / "half",), "no such weights"),
        ((tmp_path,), "model.json"),
        ((logits, "--confusion", "x.jpg"), ".png"),
        ((logits, "--submission", tmp_path / "sent"), "segment"),
        ((logits, "--json", tmp_path / "file" / "x"), "cannot be written"),
    ):
        status, _, err = shuffleseg("evaluate", *arguments, "--root", camvid, "--split", "val")
        assert status == 2 and words in err, arguments
        assert len(err.strip().splitlines()) == 1, err
    monkeypatch.setitem(sys.modules, "keras", None)
    _assert_mistake(
        shuffleseg("evaluate", run, "--root", camvid, "--split", "val"), "make setup-dev"
    )


def test_interruption_leaves_no_half_file(shuffleseg, runs, cityscapes, tmp_path, monkeypatch):
    from shuffleseg_core.evaluation.tflite_predictor import TFLitePredictor

    predict, calls = TFLitePredictor.predict, []

    def interrupted(self, rgb):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(self, rgb)

    monkeypatch.setattr(TFLitePredictor, "predict", interrupted)
    status, _, _ = shuffleseg(
        "evaluate", runs / "cityscapes" / "model.tflite",
        "--dataset", "cityscapes_fine", "--root", cityscapes, "--split", "val",
        "--submission", tmp_path, "--json", tmp_path / "scores.json",
        "--confusion", tmp_path / "confusion.png",
    )  # fmt: skip
    assert status == 130
    files = sorted(tmp_path.iterdir())
    assert [path.name[:16] for path in files] == ["frankfurt_000000", "frankfurt_000002"]
    assert all(read_labels(path).shape == (64, 96) for path in files)


def test_confusion_matrix_counts_what_the_truth_does_not_ignore(rng):
    truth = rng.integers(0, 6, (20, 30), np.uint8)  # 5 is outside the classes, 3 is ignored
    prediction = rng.integers(0, 5, (20, 30), np.uint8)
    matrix = ConfusionMatrix(5, ignore_id=3)
    matrix.update(truth, prediction)
    expected = np.zeros((5, 5), int)
    for true, predicted in zip(truth.ravel(), prediction.ravel()):
        if true not in (3, 5):
            expected[true, predicted] += 1
    np.testing.assert_array_equal(matrix.counts, expected)
    matrix.update(truth.astype(np.int64), prediction.astype(np.int32))
    np.testing.assert_array_equal(matrix.counts, 2 * expected)
    for wrong in (5, 255, 256, -1):
        with pytest.raises(ValueError, match=str(wrong)):
            matrix.update(truth, np.full(truth.shape, wrong))


def test_confusion_picture(shuffleseg, tiny_tflite, camvid, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    target = tmp_path / "confusion.png"
    options = ("--root", camvid, "--split", "val", "--confusion", target)
    assert shuffleseg("evaluate", tiny_tflite, *options)[0] == 0
    assert min(read_rgb(target).shape[:2]) > 500


def test_compare_labels(shuffleseg, tiny_models, runs, camvid, tmp_path):
    options = ("--root", camvid, "--split", "train", "--json", "-")
    exported, other = runs / "camvid" / "model.tflite", tiny_models / "logits.tflite"
    status, out, err = shuffleseg("compare-labels", exported, other, *options)
    assert status == 0, err
    report = json.loads(out)
    dataset = open_dataset("camvid", camvid, "train")
    one, two = (open_predictor(str(path)) for path in (exported, other))
    shares = [
        np.mean(one.predict(image) == two.predict(image))
        for image in map(dataset.read_image, range(len(dataset)))
    ]
    assert report["alike"] == pytest.approx(np.mean(shares)) and report["alike"] < 0.99
    assert report["worst_frame"]["alike"] == pytest.approx(min(shares))
    # The image's size is the network's: nothing is resized, and the export is the same function.
    small = make_camvid(tmp_path / "small", size=read_description(TFLiteFile(exported)).input_size)
    options = ("--root", small, "--split", "train", "--at-least", "99")
    status, out, err = shuffleseg("compare-labels", runs / "camvid", exported, *options)
    assert status == 0, err
    assert "labelled alike" in out
    status, _, err = shuffleseg("compare-labels", exported, other, *options)
    assert status == 2 and "wanted are 99" in err and err.count("\n") == 1
    for arguments, words in (
        ((exported, other, "--root", camvid, "--split", "train", "--at-least", "101"), "0 to 100"),
        ((exported, tiny_models / "dpc_19.tflite", *options), "different classes"),
        ((exported, "/nothing.tflite", *options), "/nothing.tflite"),
    ):
        _assert_mistake(shuffleseg("compare-labels", *arguments), words)


def test_compare_masks(shuffleseg, tiny_models, runs, camvid, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    target = tmp_path / "figure.png"
    options = ("--root", camvid, "--split", "train")
    models = ("--model", f"a={tiny_models / 'logits.tflite'}", "--model", runs / "camvid")
    status, out, err = shuffleseg("compare-masks", *models, *options, "--output", target)
    assert status == 0, err
    assert "4 frames, 2 models" in out
    shown = {tuple(color) for color in np.unique(read_rgb(target).reshape(-1, 3), axis=0)}
    dataset = open_dataset("camvid", camvid, "train")
    labels = [dataset.read_labels(index) for index in range(len(dataset))]
    common = [id_ for id_ in range(11) if all((truth == id_).sum() > 200 for truth in labels)]
    assert len(common) > 3
    assert {dataset.label_map.colors[id_] for id_ in common} <= shown
    status, out, _ = shuffleseg(
        "compare-masks", *models[:2], *options, "--output", target, "--frames", "f003, f000"
    )
    assert status == 0 and "2 frames, 1 models" in out
    status, out, _ = shuffleseg(
        "compare-masks", *models[:2], *options, "--output", target, "--worst", 3
    )
    assert status == 0 and "3 frames, 1 models" in out
    for arguments, words in (
        ((*models, "--worst", "0", "--output", target), "--worst 0"),
        ((*models, "--worst", "1", "--frames", "f000", "--output", target), "--frames"),
        ((*models, "--frames", "f9", "--output", target), "f000"),
        ((*models, "--output", tmp_path / "x.jpg"), ".png"),
        (("--model", "a=/nothing.tflite", "--output", target), "/nothing.tflite"),
        (("--model", tiny_models / "dpc_19.tflite", "--output", target), "class_0"),
        ((*models[:2], "--output", tmp_path / "figure.png" / "x.png"), "cannot be written"),
    ):
        _assert_mistake(shuffleseg("compare-masks", *arguments, *options), words)


def test_worst_frames_come_first(camvid):
    dataset = open_dataset("camvid", camvid, "train")

    class RightButFor:
        """Labels frame f002 wrongly throughout and half of f001."""

        def predict(self, rgb):
            index = next(
                i for i in range(len(dataset)) if np.array_equal(dataset.read_image(i), rgb)
            )
            labels = dataset.read_labels(index)
            rows = {"f001": labels.shape[0] // 2, "f002": labels.shape[0]}
            labels[: rows.get(dataset.sample_name(index), 0)] = 0
            return labels

    worst = _worst(dataset, RightButFor(), 2)
    assert [dataset.sample_name(index) for index in worst] == ["f002", "f001"]


def test_compare_scores(shuffleseg, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    about = {"dataset": "camvid", "split": "val"}

    def file(name, **content):
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    first = file("a.json", iou={"sky": 0.9, "pole_$x": None}, **about)
    second = file("b.json", iou={"sky": 0.5, "pole_$x": 0.25}, **about)
    target = tmp_path / "bars.png"
    status, out, err = shuffleseg("compare-scores", f"first={first}", second, "--output", target)
    assert status == 0, err
    assert "2 models, 2 classes" in out and read_rgb(target).std() > 0
    alone = read_rgb(target)
    assert shuffleseg("compare-scores", second, "--output", target)[0] == 0
    assert read_rgb(target).shape != alone.shape or (read_rgb(target) != alone).any()
    other_split = file("c.json", iou={"sky": 0.9, "pole_$x": 1}, dataset="camvid", split="test")
    for arguments, words in (
        ((tmp_path / "none.json",), "none.json"),
        ((file("bad.json", iou=5),), "bad.json"),
        ((file("empty.json", iou={}),), "no classes"),
        ((first, file("classes.json", iou={"sky": 1}, **about)), "classes.json"),
        ((first, other_split), "different data"),
        ((first, first), "one name"),
    ):
        _assert_mistake(shuffleseg("compare-scores", *arguments, "--output", target), words)
    _assert_mistake(shuffleseg("compare-scores", first, "--output", tmp_path / "x.svg"), ".png")


def test_draw_drive(shuffleseg, tmp_path):
    root = tmp_path / "street"
    options = ("--output", root, "--seeds", "3-4", "--frames", 2, "--size", "96x64")
    status, out, err = shuffleseg("draw-drive", *options)
    assert status == 0 and "4 images of 2 drives" in out, err
    dataset = open_dataset("camvid", root, "test")
    assert len(dataset) == 4
    image, labels = dataset.read(3)
    drawn, truth = SyntheticDrive(4, 96, 64).frame(150)
    np.testing.assert_array_equal(image, drawn)
    np.testing.assert_array_equal(labels, truth)
    (tmp_path / "file").write_text("")
    for arguments, words in (
        (("--seeds", "9-3"), "--seeds 9-3"),
        (("--seeds", "x"), "--seeds x"),
        (("--frames", "0"), "--frames"),
        (("--size", "8x8"), "8x8"),
        (("--split", "../x"), "--split"),
        (("--split", ".."), "--split"),
        (("--output", root), "is there already"),
        (("--output", tmp_path / "file"), "cannot be written"),
    ):
        other = ("--output", tmp_path / "other")
        _assert_mistake(shuffleseg("draw-drive", *options, *other, *arguments), words)
