"""Labels of any size from coarse logits: the same as resizing all logits and choosing."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import Segmenter
from shuffleseg_core.upsampling import LabelUpsampler


def resize_all(logits, size, align_corners):
    """float32 [C, height, width]: every logit at every pixel."""
    planes = np.moveaxis(logits.astype(np.float32), -1, 0)
    for axis, length in ((2, size[0]), (1, size[1])):
        samples = planes.shape[axis]
        i = np.arange(length)
        if align_corners:
            position = i * ((samples - 1) / max(length - 1, 1))
        else:
            position = (i + 0.5) * (samples / length) - 0.5
        position = np.minimum(position, samples - 1).astype(np.float32)
        before = np.floor(position)
        f = position - before
        shape = [1, 1, 1]
        shape[axis] = length
        f = f.reshape(shape)
        first = planes.take(np.clip(before.astype(int), 0, samples - 1), axis=axis)
        second = planes.take(np.clip(before.astype(int) + 1, 0, samples - 1), axis=axis)
        planes = first * (1 - f) + second * f
    return planes


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    source=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 8)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    align_corners=st.booleans(),
    kind=st.sampled_from(["any", "ties", "near ties", "int8", "large areas", "huge"]),
)
def test_it_is_resize_then_argmax(seed, source, size, align_corners, kind):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=source).astype(np.float32)
    if kind == "ties":
        logits = np.round(logits)
    elif kind == "near ties":
        logits = np.nextafter(np.float32(1), rng.choice([0, 1, 2], source)).astype(np.float32)
    elif kind == "int8":
        logits = (20 * logits).astype(np.int8)
    elif kind == "large areas":
        logits[..., 0] += 4 * (np.arange(source[1]) > source[1] / 2)
    elif kind == "huge":
        logits *= np.float32(1e30)
    expected = resize_all(logits, size, align_corners).argmax(0)
    np.testing.assert_array_equal(LabelUpsampler(align_corners)(logits, size), expected)


@pytest.mark.parametrize("size", [(640, 360), (479, 361), (1280, 720)])
def test_as_opencv_enlarges_except_where_rounding_decides(size, rng):
    logits = cv2.GaussianBlur(rng.normal(size=(23, 40, 11)).astype(np.float32), (0, 0), 2)
    full = np.stack([cv2.resize(np.ascontiguousarray(p), size) for p in np.moveaxis(logits, -1, 0)])
    labels = LabelUpsampler()(logits, size)
    chosen = np.take_along_axis(full, labels[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(chosen, full.max(axis=0), atol=1e-5)
    assert np.mean(labels != full.argmax(axis=0)) < 1e-3


def test_equal_logits_go_to_the_lowest_id():
    assert LabelUpsampler()(np.ones((3, 3, 4), np.float32), (10, 10)).max() == 0


def test_256_classes(rng):
    logits = rng.normal(size=(3, 4, 256)).astype(np.float32)
    expected = resize_all(logits, (31, 23), False).argmax(0)
    assert expected.max() > 127
    np.testing.assert_array_equal(LabelUpsampler()(logits, (31, 23)), expected)


def test_sizes_may_change_from_frame_to_frame(rng):
    upsample = LabelUpsampler()
    for source, size in [((4, 5), (40, 30)), ((5, 4), (40, 30)), ((5, 4), (7, 99))] * 2:
        logits = rng.normal(size=(*source, 3)).astype(np.float32)
        expected = resize_all(logits, size, False).argmax(0)
        np.testing.assert_array_equal(upsample(logits, size), expected)


def test_it_writes_where_it_is_told(rng):
    logits = rng.normal(size=(4, 5, 3)).astype(np.float32)
    out = np.full((30, 40), 255, np.uint8)
    assert LabelUpsampler()(logits, (40, 30), out) is out
    np.testing.assert_array_equal(out, LabelUpsampler()(logits, (40, 30)))


def test_only_cells_of_several_classes_are_blended():
    logits = np.zeros((8, 8, 3), np.float32)
    logits[..., 1] = 1
    upsample = LabelUpsampler()
    assert upsample(logits, (80, 80)).min() == 1
    assert upsample.blended_share == 0
    logits[:, 4:, 2] = 2  # one column of cells has both
    labels = upsample(logits, (80, 80))
    assert upsample.blended_share == pytest.approx(1 / 8)
    assert np.unique(np.diff(labels.astype(int), axis=1)).tolist() == [0, 1]


def test_not_a_number_does_no_harm():
    logits = np.full((3, 3, 4), np.nan, np.float32)
    logits[0, 0] = [1, 2, np.inf, -np.inf]
    assert LabelUpsampler()(logits, (20, 20)).max() < 4


def test_labels_of_a_real_frame(street):
    segmenter = Segmenter("camvid_fast", num_threads=1)
    labels = segmenter.segment(street)
    logits = segmenter.logits(street)
    expected = resize_all(logits, street.shape[1::-1], segmenter.description.align_corners)
    np.testing.assert_array_equal(labels, expected.argmax(0))
