"""Labels of any size from coarse logits: the same as resizing all logits and choosing."""

import shutil
from functools import partial
from unittest.mock import patch

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import Segmenter, compiled_labels, upsampling
from shuffleseg_core.upsampling import LabelUpsampler


@pytest.fixture(params=["numpy", "compiled"])
def Upsampler(request):
    """The class in each of its two forms."""
    if request.param == "compiled" and not compiled_labels.IS_BUILT:
        pytest.skip("no C compiler was found at installation")
    return partial(LabelUpsampler, compiled=request.param == "compiled")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_it_is_compiled_where_there_is_a_compiler():
    assert compiled_labels.IS_BUILT and LabelUpsampler().compiled


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


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    source=st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 8)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    align_corners=st.booleans(),
    cell_pixels=st.sampled_from([0, 10**6]),
    kind=st.sampled_from(["any", "ties", "near ties", "int8", "large areas", "huge"]),
)
def test_it_is_resize_then_argmax(seed, source, size, align_corners, cell_pixels, kind):
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
    # By cells alone, and all of it at once: which one is cheaper is another matter.
    with patch.object(upsampling, "_CELL_PIXELS", cell_pixels):
        in_numpy = LabelUpsampler(align_corners, compiled=False)
        np.testing.assert_array_equal(in_numpy(logits, size), expected)
    if compiled_labels.IS_BUILT:
        compiled = LabelUpsampler(align_corners, compiled=True)
        np.testing.assert_array_equal(compiled(logits, size), expected)
        if logits.shape[:2] != expected.shape:
            assert compiled.blended_share == pytest.approx(in_numpy.blended_share)


@pytest.mark.parametrize("size", [(640, 360), (479, 361), (1280, 720)])
def test_as_opencv_enlarges_except_where_rounding_decides(size, rng, Upsampler):
    logits = cv2.GaussianBlur(rng.normal(size=(23, 40, 11)).astype(np.float32), (0, 0), 2)
    full = np.stack([cv2.resize(np.ascontiguousarray(p), size) for p in np.moveaxis(logits, -1, 0)])
    labels = Upsampler()(logits, size)
    chosen = np.take_along_axis(full, labels[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(chosen, full.max(axis=0), atol=1e-5)
    assert np.mean(labels != full.argmax(axis=0)) < 1e-3


def test_equal_logits_go_to_the_lowest_id(Upsampler):
    assert Upsampler()(np.ones((3, 3, 4), np.float32), (10, 10)).max() == 0


def test_256_classes(rng, Upsampler):
    logits = rng.normal(size=(3, 4, 256)).astype(np.float32)
    expected = resize_all(logits, (31, 23), False).argmax(0)
    assert expected.max() > 127
    np.testing.assert_array_equal(Upsampler()(logits, (31, 23)), expected)


def test_sizes_may_change_from_frame_to_frame(rng, Upsampler):
    upsample = Upsampler()
    for source, size in [((4, 5), (40, 30)), ((5, 4), (40, 30)), ((5, 4), (7, 99))] * 2:
        logits = rng.normal(size=(*source, 3)).astype(np.float32)
        expected = resize_all(logits, size, False).argmax(0)
        np.testing.assert_array_equal(upsample(logits, size), expected)


def test_it_writes_where_it_is_told(rng, Upsampler):
    logits = rng.normal(size=(4, 5, 3)).astype(np.float32)
    out = np.full((30, 40), 255, np.uint8)
    assert Upsampler()(logits, (40, 30), out) is out
    np.testing.assert_array_equal(out, Upsampler()(logits, (40, 30)))


@pytest.mark.parametrize(
    "out",
    [np.empty((5, 5), np.uint8), np.empty((30, 40), int), np.empty((30, 80), np.uint8)[:, ::2]],
)
def test_it_writes_nowhere_else(out, Upsampler):
    with pytest.raises(ValueError, match="out is"):
        Upsampler()(np.zeros((4, 5, 3), np.float32), (40, 30), out)


def test_only_cells_of_several_classes_are_blended(Upsampler):
    logits = np.zeros((8, 8, 3), np.float32)
    logits[..., 1] = 1
    upsample = Upsampler()
    assert upsample(logits, (80, 80)).min() == 1
    assert upsample.blended_share == 0
    logits[:, 4:, 2] = 2  # one column of cells has both
    labels = upsample(logits, (80, 80))
    assert upsample.blended_share == pytest.approx(1 / 8)
    assert np.unique(np.diff(labels.astype(int), axis=1)).tolist() == [0, 1]


@pytest.mark.parametrize("size", [(4, 4), (9, 9), (8, 8), (50, 70)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_classes_that_are_masked_never_win(size, align_corners, rng, Upsampler):
    logits = rng.normal(size=(4, 4, 3)).astype(np.float32)
    expected = resize_all(logits[..., 1:], size, align_corners).argmax(0) + 1
    for masked in (-1e9, -np.inf, np.nan):
        logits[..., 0] = masked
        labels = Upsampler(align_corners)(logits, size)
        np.testing.assert_array_equal(labels, expected)


def test_one_outlier_leaves_the_rest_as_it_was(Upsampler):
    logits = np.zeros((20, 20, 4), np.float32)
    logits[:10, :, 1] = logits[10:, :, 2] = 5
    upsample = Upsampler()
    expected = upsample(logits, (200, 200))
    share = upsample.blended_share
    logits[..., 3] = -1e9
    np.testing.assert_array_equal(upsample(logits, (200, 200)), expected)
    assert upsample.blended_share == share < 0.1
    logits[..., 3] = np.inf
    assert upsample(logits, (200, 200)).min() == 3


@pytest.mark.parametrize("size", [(33, 21), (66, 42), (20, 30)])
def test_noise_is_blended_everywhere(size, rng, Upsampler):
    logits = rng.normal(size=(21, 33, 7)).astype(np.float32)
    expected = resize_all(logits, size, False).argmax(0)
    np.testing.assert_array_equal(Upsampler()(logits, size), expected)


def test_tiny_numbers(rng, Upsampler):
    logits = (rng.normal(size=(6, 6, 3)) * 1e-40).astype(np.float32)
    for align_corners in (False, True):
        expected = resize_all(logits, (40, 40), align_corners).argmax(0)
        np.testing.assert_array_equal(Upsampler(align_corners)(logits, (40, 40)), expected)


def test_labels_of_a_real_frame(street):
    segmenter = Segmenter("camvid_fast", num_threads=1)
    labels = segmenter.segment(street)
    logits = segmenter.logits(street)
    expected = resize_all(logits, street.shape[1::-1], segmenter.description.align_corners)
    np.testing.assert_array_equal(labels, expected.argmax(0))
