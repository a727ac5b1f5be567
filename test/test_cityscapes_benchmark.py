"""Our Cityscapes scores against the benchmark's own code, on the same PNG files."""

import copy
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core.cityscapes_labels import ID_OF_TRAIN_ID, LABELS, TRAIN_ID_OF_ID
from shuffleseg_core.evaluation.cityscapes_scores import AVERAGE_INSTANCE_SIZE, CityscapesScores

benchmark = pytest.importorskip(
    "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
    reason="cityscapesscripts is not installed",
)
# numpy 2.4 removed what the benchmark calls; `isin` is its successor.
if not hasattr(np, "in1d"):
    np.in1d = np.isin

IDS = [label.id for label in LABELS if label.id >= 0]
THINGS = [label.id for label in LABELS if label.has_instances]


def _frame(rng, size, ids_truth, ids_predicted, agreement, consistent):
    """(truth, instances, prediction): blocks of ids, things told apart, a share predicted right."""
    height, width = size
    block = int(rng.integers(1, 5))
    grid = rng.choice(ids_truth, (height // block + 1, width // block + 1))
    truth = np.kron(grid, np.ones((block, block), int))[:height, :width].astype(np.uint8)
    noise = rng.choice(ids_predicted, truth.shape)
    prediction = np.where(rng.random(truth.shape) < agreement, truth, noise).astype(np.uint8)
    # Instances from single pixels to most of the frame; some things have none, as crowds have.
    number = rng.integers(0, int(rng.integers(1, 40)), truth.shape)
    source = truth.astype(int) if consistent else rng.choice(IDS, truth.shape)
    told_apart = np.isin(source, THINGS) & (rng.random(truth.shape) < 0.8)
    instances = np.where(told_apart, source * 1000 + number, source).astype(np.uint16)
    return truth, instances, prediction


def _benchmark(folder, frames):
    """What cityscapesscripts says of the frames, written as PNGs."""
    predictions, truths = [], []
    for index, (truth, instances, prediction) in enumerate(frames):
        for kind, picture in (
            ("gtFine_labelIds", truth),
            ("gtFine_instanceIds", instances),
            ("prediction", prediction),
        ):
            assert cv2.imwrite(str(folder / f"city_{index:06d}_000000_{kind}.png"), picture)
        truths.append(str(folder / f"city_{index:06d}_000000_gtFine_labelIds.png"))
        predictions.append(str(folder / f"city_{index:06d}_000000_prediction.png"))
    args = copy.copy(benchmark.args)
    args.quiet, args.JSONOutput, args.evalInstLevelScore = True, False, True
    return benchmark.evaluateImgLists(predictions, truths, args)


def _assert_equal(ours, theirs):
    """Equal dictionaries; what they list as NaN and we leave out does not count."""
    for name, score in theirs.items():
        assert ours.get(name, math.nan) == pytest.approx(score, rel=0, abs=1e-9, nan_ok=True), name
    assert set(ours) <= set(theirs)


def _compare(scores, theirs):
    np.testing.assert_array_equal(scores.matrix.counts, theirs["confMatrix"])
    report = scores.report()
    for ours, name in (
        ("iou", "classScores"),
        ("iiou", "classInstScores"),
        ("category_iou", "categoryScores"),
        ("category_iiou", "categoryInstScores"),
    ):
        _assert_equal(report[ours], theirs[name])
    for ours, name in (
        ("miou", "averageScoreClasses"),
        ("miiou", "averageScoreInstClasses"),
        ("mcategory_iou", "averageScoreCategories"),
        ("mcategory_iiou", "averageScoreInstCategories"),
    ):
        assert report[ours] == pytest.approx(theirs[name], rel=0, abs=1e-9, nan_ok=True), ours


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 40), st.integers(1, 60)),
    ids_truth=st.sets(st.sampled_from(IDS), min_size=1),
    ids_predicted=st.sets(st.sampled_from(IDS), min_size=1),
    agreement=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    consistent=st.booleans(),
    frames=st.integers(1, 3),
)
def test_every_number_equals_the_benchmarks(
    tmp_path_factory, seed, size, ids_truth, ids_predicted, agreement, consistent, frames
):
    rng = np.random.default_rng(seed)
    ids_truth, ids_predicted = sorted(ids_truth), sorted(ids_predicted)
    made = [
        _frame(rng, size, ids_truth, ids_predicted, agreement, consistent) for _ in range(frames)
    ]
    scores = CityscapesScores()
    for truth, instances, prediction in made:
        scores.update(truth, instances, prediction)
    _compare(scores, _benchmark(tmp_path_factory.mktemp("pairs"), made))


def test_truth_as_train_ids_gives_the_same_scores(tmp_path, rng):
    """Data sets read trainIds, in which all that does not count is one id."""
    frame = _frame(rng, (60, 80), IDS, IDS, 0.7, True)

    class Dataset:
        def read_labels(self, index):
            return TRAIN_ID_OF_ID[frame[0]]

        def read_instances(self, index):
            return frame[1].astype(np.int32)

    direct, through_train_ids = CityscapesScores(), CityscapesScores()
    direct.update(*frame)
    through_train_ids.add(Dataset(), 0, frame[2])
    assert direct.report() == through_train_ids.report()
    np.testing.assert_array_equal(direct.counts, through_train_ids.counts)


def test_all_right_is_one_and_nothing_is_nan():
    truth = ID_OF_TRAIN_ID[np.arange(19, dtype=np.uint8)].reshape(1, 19)
    instances = np.where(np.isin(truth, THINGS), truth * np.int32(1000) + 1, truth)
    scores = CityscapesScores()
    assert math.isnan(scores.report()["miou"]) and math.isnan(scores.pixel_accuracy())
    scores.update(truth, instances, truth)
    report = scores.report()
    assert [report[k] for k in ("miou", "miiou", "mcategory_iou", "mcategory_iiou")] == [1.0] * 4
    assert report["pixel_accuracy"] == 1.0
    assert list(report["iiou"]) == list(AVERAGE_INSTANCE_SIZE)
    np.testing.assert_array_equal(scores.counts, np.eye(19, 20))


def test_instance_sizes_are_the_benchmarks():
    counted = {label.name for label in LABELS if not label.ignored}
    theirs = {n: s for n, s in benchmark.args.avgClassSize.items() if n in counted}
    assert theirs == AVERAGE_INSTANCE_SIZE


@pytest.mark.parametrize("wrong", [34, 255])
def test_ids_beyond_the_table(wrong):
    truth = np.full((2, 3), 7, np.uint8)
    with pytest.raises(ValueError, match=f"predicted id {wrong}"):
        CityscapesScores().update(truth, truth, np.full((2, 3), wrong, np.uint8))
    with pytest.raises(ValueError, match="instances"):
        CityscapesScores().update(truth, truth[:1], truth)
