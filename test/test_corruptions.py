"""Scores under changes of the picture, and whether labels stay with what they label."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import LabelMap
from shuffleseg_core.datasets import Dataset, open_dataset
from shuffleseg_core.evaluation.corruption_scores import (
    corruption_table,
    num_passes,
    score_corruptions,
)
from shuffleseg_core.evaluation.corruptions import CAMERA, GROUPS, KINDS, UNSEEN, choose_kinds
from shuffleseg_core.evaluation.stability import (
    SHIFT_PASSES,
    drive_stability,
    shift_stability,
)
from shuffleseg_core.metrics import ConfusionMatrix
from shuffleseg_core.synthetic_dataset import FIRST_TRAINING_SEED
from shuffleseg_core.synthetic_drive import SyntheticDrive
from tiny_camvid import make_camvid
from tiny_datasets import make_cityscapes_fine

BY_GROUP = {group: [k for k in KINDS.values() if k.group == group] for group in GROUPS}


@pytest.fixture(scope="module")
def frame():
    """uint8 [360, 480, 3], the size that the constants are for."""
    return SyntheticDrive(seed=1, width=480, height=360).frame(10)[0]


def _severities(kind):
    return (1, 2, 3, 4, 5) if kind.graded else (1,)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_change_is_a_function_of_seed_severity_and_frame(kind, frame):
    before = frame.copy()
    for severity in _severities(kind):
        changed = kind(frame, severity, 3, 7)
        assert changed.shape == frame.shape and changed.dtype == np.uint8
        np.testing.assert_array_equal(changed, kind(frame, severity, 3, 7))
        assert np.any(changed != frame)
        for other in ((4, 7), (3, 8)):
            assert np.any(changed != kind(frame, severity, *other)) == kind.drawn
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=8, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2**40),
    st.sampled_from((1, 3, 5)),
)
def test_any_size(kind, size, seed, severity):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    changed = kind(image, severity if kind.graded else 1, seed)
    assert changed.shape == image.shape and changed.dtype == np.uint8


def test_higher_severities_keep_less(frame):
    """Of every graded kind, as distance from the frame; two of the paper's grades go otherwise."""
    for kind in BY_GROUP["hendrycks"] + BY_GROUP[UNSEEN]:
        if kind.name in ("saturate", "spatter"):  # less colour, then more; water, then mud
            continue
        first, last = (np.abs(kind(frame, s).astype(int) - frame).mean() for s in (1, 5))
        assert last > 1.2 * first, kind.name


def test_the_nine_changes_of_a_camera_by_hand(frame):
    values = frame.astype(np.float64)
    expected = {
        "warm": values * [1.2, 1, 0.75],
        "fog": 0.6 * values + 0.4 * 230,
        "low_contrast": 0.4 * (values - 127.5) + 127.5,
        "dark": 255 * 0.6 * (values / 255) ** 2.2,
        "bright": 1.5 * values + 30,
        "motion": cv2.blur(values, (15, 1), borderType=cv2.BORDER_REPLICATE),
        "defocus": cv2.GaussianBlur(values, (0, 0), 2.2),
    }
    assert {kind.name for kind in BY_GROUP[CAMERA]} == {*expected, "noise", "jpeg"}
    for name, result in expected.items():
        changed = KINDS[name](frame)
        np.testing.assert_allclose(changed, np.clip(result, 0, 255), atol=1.01, err_msg=name)
    grey = np.full_like(frame, 128)
    noise = KINDS["noise"](grey, 1, 5, 2).astype(float) - 128
    assert abs(noise.mean()) < 0.1 and noise.std() == pytest.approx(18, abs=0.1)
    file = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 12])[1]
    np.testing.assert_array_equal(KINDS["jpeg"](frame), cv2.imdecode(file, 1)[:, :, ::-1])


def test_lengths_grow_with_the_picture():
    point = np.zeros((720, 960, 3), np.uint8)
    point[360, 480] = 255
    line = KINDS["motion"](point)[360, :, 0]
    assert np.count_nonzero(line) == pytest.approx(30, abs=1)


def test_values_of_the_noises(rng):
    grey = np.full((200, 200, 3), 100, np.uint8)
    shot = KINDS["shot_noise"](grey, 1).astype(float)  # 60 photons in white
    assert shot.mean() == pytest.approx(100, abs=1)
    assert shot.std() == pytest.approx(255 / 60 * np.sqrt(60 * 100 / 255), rel=0.05)
    speckle = KINDS["speckle_noise"](grey, 1).astype(float)
    assert speckle.std() == pytest.approx(15, rel=0.05)
    impulse = KINDS["impulse_noise"](grey, 5)
    for value in (0, 255):
        assert np.mean(impulse == value) == pytest.approx(0.135, abs=0.01)
    assert np.mean(impulse == 100) == pytest.approx(0.73, abs=0.01)


def test_blurs_leave_things_in_their_place():
    """A dot in the middle stays there on average, so its labels stay true."""
    dot = np.zeros((361, 481, 3), np.uint8)
    dot[170:191, 230:251] = 255
    for name in ("glass_blur", "zoom_blur", "motion_blur", "defocus_blur", "gaussian_blur"):
        for severity in (1, 3, 5):
            weight = KINDS[name](dot, severity)[..., 0].astype(float)
            rows, columns = np.indices(weight.shape)
            centre = [np.average(places, weights=weight) for places in (rows, columns)]
            np.testing.assert_allclose(centre, (180, 240), atol=0.8, err_msg=name)


def test_choice_of_kinds():
    assert choose_kinds("all") == list(KINDS.values())
    assert [kind.name for kind in choose_kinds(" snow , warm")] == ["warm", "snow"]
    assert choose_kinds("unseen") == BY_GROUP[UNSEEN]
    names = {kind.name for kind in BY_GROUP[UNSEEN]}
    assert names == {"impulse_noise", "glass_blur", "zoom_blur", "snow", "spatter"}
    assert len(BY_GROUP[CAMERA]) == 9 and not set(KINDS) & {*GROUPS, "all"}


class Halves(Dataset):
    """Frames that are dark (class 0) on the left and bright (class 1) on the right."""

    name = "halves"
    label_map = LabelMap(("dark", "bright"), ((0, 0, 0), (255, 255, 255)), 255)

    def __len__(self):
        return 3

    def sample_name(self, index):
        return f"half{index}"

    def read_image(self, index):
        image = np.full((36, 48, 3), 70, np.uint8)
        image[:, 24:] = 150
        return image

    def read_labels(self, index):
        labels = np.repeat(np.arange(2, dtype=np.uint8), 24)[None].repeat(36, 0)
        labels[0] = 255
        return labels

    def labels_source(self, index):
        return "here"


def _threshold(image):
    return (image[..., 1] > 100).astype(np.uint8)


def test_scores_and_shares_by_hand():
    """With a predictor that is right on clean frames, and wrong by what a change does to grey."""
    dataset, steps = Halves(), []
    kinds = choose_kinds("warm,fog,low_contrast,brightness")
    report = score_corruptions(
        _threshold, dataset, [0, 2], kinds, (1, 5), 0, 0.8, lambda: steps.append(1)
    )
    assert len(steps) == 2 * num_passes(kinds, (1, 5)) == 2 * (3 + 2)
    assert report["seed"] == 0 and report["severities"] == [1, 5]
    found = report["kinds"]
    assert found["warm"]["miou"] == 1 and found["warm"]["kept"] == pytest.approx(1 / 0.8)
    # Fog (0.6 · 70 + 92) and low contrast make both halves bright: IoU 0 and one half.
    for name in ("fog", "low_contrast"):
        assert found[name]["iou"] == {"dark": 0, "bright": 0.5}
        assert found[name]["kept"] == pytest.approx(0.25 / 0.8)
        assert "by_severity" not in found[name]
    # Brightness adds 25.5 (right) and 127.5 (wrong).
    graded = found["brightness"]
    assert [graded["by_severity"][s]["miou"] for s in ("1", "5")] == [1, 0.25]
    assert graded["miou"] == pytest.approx(0.625) and graded["iou"]["bright"] == 0.75
    camera = report["groups"]["camera"]
    assert camera["kinds"] == 3 and camera["worst"] == "fog"
    assert camera["miou"] == pytest.approx((1 + 0.25 + 0.25) / 3)
    assert camera["kept"] == pytest.approx((1 + 0.25 + 0.25) / 3 / 0.8)
    assert set(report["groups"]) == {"camera", "hendrycks"}
    table = corruption_table(report)
    assert "mean of severities 1, 5" in table and "worst: fog (31.25)" in table


def test_noise_of_a_frame_does_not_depend_on_the_others(rng):
    seen = []

    def look(image):
        seen.append(image)
        return _threshold(image)

    for indices in ([0, 1, 2], [2]):
        score_corruptions(look, Halves(), indices, choose_kinds("noise"), (1,), 0, 1.0)
    np.testing.assert_array_equal(seen[2], seen[3])
    assert np.any(seen[0] != seen[1])


def test_labels_that_move_with_the_picture_are_stable(rng):
    images = [rng.integers(0, 256, (20, 30, 3), np.uint8) for _ in range(2)]
    steps = []
    report = shift_stability(_threshold, images, lambda: steps.append(1))
    assert report == {"changed_by_shift": dict.fromkeys("1234", 0.0), "changed": 0.0}
    assert len(steps) == 2 * SHIFT_PASSES


def test_labels_that_stay_where_they_are_change(rng):
    """Stripes of columns, whatever the picture: a shift right by 2 of 4 changes all, down none."""

    def stripes(image):
        height, width = image.shape[:2]
        return np.tile((np.arange(width) % 4 // 2).astype(np.uint8), (height, 1))

    report = shift_stability(stripes, [np.zeros((40, 40, 3), np.uint8)])
    shares = report["changed_by_shift"]
    assert shares["2"] == pytest.approx(0.5) and shares["4"] == 0
    assert shares["1"] == pytest.approx(20 / 39 / 2, abs=0.02)
    assert report["changed"] == pytest.approx(np.mean(list(shares.values())))


def test_only_pixels_whose_truth_stays_count_on_the_drive(monkeypatch):
    from shuffleseg_core.evaluation import stability

    monkeypatch.setattr(stability, "DRIVE_FRAMES", 4)
    monkeypatch.setattr(stability, "DRIVE_SIZE", (64, 48))
    drive = SyntheticDrive(stability.DRIVE_SEED, 64, 48, num_frames=4)
    truths = [drive.frame(index)[1] for index in range(4)]
    the_truth = iter(truths)
    report = drive_stability(lambda image: next(the_truth))
    assert report == {"changed": 0.0, "seed": stability.DRIVE_SEED, "frames": 4, "size": [64, 48]}
    blinking = iter((truth + number % 2) % 11 for number, truth in enumerate(truths))
    assert drive_stability(lambda image: next(blinking))["changed"] == 1
    assert stability.DRIVE_SEED < FIRST_TRAINING_SEED


@pytest.fixture(scope="module")
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp("camvid"), val=3)


def test_the_command_writes_everything(shuffleseg, tiny_tflite, camvid, tmp_path, monkeypatch):
    from shuffleseg_core.evaluation import stability

    monkeypatch.setattr(stability, "DRIVE_FRAMES", 4)
    monkeypatch.setattr(stability, "DRIVE_SIZE", (96, 64))
    command = ("evaluate", tiny_tflite, "--root", camvid, "--split", "val")
    options = ("--corruptions", "noise,dark,snow", "--seed", 5, "--severities", "2", "--stability")
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file in files:
        status, out, err = shuffleseg(
            *command, *options, "--corruptions-picture", tmp_path / "a.png", "--json", file
        )
        assert status == 0, err
    report = json.loads(files[0].read_text())
    assert report == json.loads(files[1].read_text())
    assert "everyday changes of a camera" in out and "kept out of training" in out
    assert "moved back" in out and "4 frames" in out
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] > 500
    found = report["corruptions"]
    assert found["seed"] == 5 and list(found["kinds"]) == ["noise", "dark", "snow"]
    # The whole way by hand.
    from shuffleseg_core.evaluation.predictor import open_predictor

    dataset, predictor = open_dataset("camvid", camvid, "val"), open_predictor(str(tiny_tflite))
    matrix = ConfusionMatrix(11, 11)
    for index in range(3):
        image = KINDS["snow"](dataset.read_image(index), 2, 5, index)
        matrix.update(dataset.read_labels(index), predictor.predict(image))
    assert found["kinds"]["snow"]["miou"] == pytest.approx(matrix.miou())
    assert found["kinds"]["snow"]["kept"] == pytest.approx(matrix.miou() / report["miou"])
    assert set(found["kinds"]["snow"]["iou"]) == set(report["iou"])
    assert 0 <= report["stability"]["shift"]["changed"] <= 1
    assert report["stability"]["drive"]["frames"] == 4


def test_every_nth_frame(shuffleseg, tiny_tflite, camvid):
    command = ("evaluate", tiny_tflite, "--root", camvid, "--json", "-")
    _, out, _ = shuffleseg(*command, "--split", "val", "--every", 2)
    report = json.loads(out)
    assert report["frames"] == 2 and report["every"] == 2 and "corruptions" not in report
    _, out, _ = shuffleseg(*command, "--split", "val:f100+val:f102")
    assert report["iou"] == json.loads(out)["iou"]


def test_mistakes_are_one_line(shuffleseg, tiny_tflite, camvid, tmp_path):
    for arguments, words in (
        ((tiny_tflite, "--corruptions", "rain"), "glass_blur"),
        ((tiny_tflite, "--corruptions", "camera,,"), "no kind"),
        ((tiny_tflite, "--corruptions", ""), "no kind"),
        ((tiny_tflite, "--corruptions", "--severities", "0,1"), "1 to 5"),
        ((tiny_tflite, "--corruptions", "--severities", "1,1"), "1 to 5"),
        ((tiny_tflite, "--corruptions", "--severities", "x"), "1 to 5"),
        ((tiny_tflite, "--corruptions", "--seed", "-1"), "--seed -1"),
        ((tiny_tflite, "--corruptions-picture", "x.png"), "needs --corruptions"),
        ((tiny_tflite, "--corruptions", "--corruptions-picture", "x.gif"), ".png"),
        ((tiny_tflite, "--every", "0"), "--every 0"),
        (("--predictions", tmp_path, "--corruptions"), "needs a MODEL"),
        (("--predictions", tmp_path, "--stability"), "needs a MODEL"),
    ):
        status, out, err = shuffleseg("evaluate", *arguments, "--root", camvid, "--split", "val")
        assert status == 2 and words in err and not out, arguments
        assert len(err.strip().splitlines()) == 1, err


class NineteenClasses:
    """A predictor of Cityscapes' classes."""

    source, num_classes, class_names = Path("nineteen.tflite"), 19, None

    def predict(self, rgb):
        return np.zeros(rgb.shape[:2], np.uint8)


def test_a_data_set_without_labels_is_a_mistake(shuffleseg, tmp_path, monkeypatch):
    from shuffleseg_core.evaluation import predictor

    monkeypatch.setattr(predictor, "open_predictor", lambda *_, **__: NineteenClasses())
    root = make_cityscapes_fine(tmp_path, size=(96, 64), train=0, val=0, test=1)
    options = ("--dataset", "cityscapes_fine", "--root", root, "--split", "test")
    for option in ("--corruptions", "--stability"):
        for more, words in (((), "gtFine"), (("--submission", tmp_path / "sent"), "no labels")):
            status, _, err = shuffleseg("evaluate", "any", *options, option, *more)
            assert status == 2 and words in err
            assert len(err.strip().splitlines()) == 1, err
    assert not (tmp_path / "sent").exists()
