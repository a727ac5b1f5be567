"""The compiled mean over areas: OpenCV's but for rounding."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import area_resize as module
from shuffleseg_core.area_resize import area_resize
from shuffleseg_core.network_input import resize_to_input

pytestmark = pytest.mark.skipif(
    module._FUNCTION is None, reason="no C compiler was found at installation"
)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    small=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    times=st.tuples(st.floats(1, 12), st.floats(1, 12)),
)
def test_it_is_opencvs(seed, small, times):
    height, width = (int(s * t) for s, t in zip(small, times))
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out = np.empty((*small, 3), np.uint8)
    assert area_resize(image, out)
    expected = cv2.resize(image, small[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(out.astype(int) - expected).max() <= 2
    assert abs(out.mean() - image.mean()) < 0.6 or height % small[0] or width % small[1]


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_one_colour_stays_what_it_is(value):
    out = np.empty((37, 41, 3), np.uint8)
    assert area_resize(np.full((101, 97, 3), value, np.uint8), out)
    assert (out == value).all()


def test_rows_may_have_padding(rng):
    padded = rng.integers(0, 256, (60, 100, 3), np.uint8)
    view = padded[:, :81]
    expected, found = np.empty((2, 20, 30, 3), np.uint8)
    assert area_resize(np.ascontiguousarray(view), expected) and area_resize(view, found)
    np.testing.assert_array_equal(found, expected)


def test_what_it_leaves_to_opencv(rng):
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    assert not area_resize(image, np.empty((61, 80, 3), np.uint8))  # larger
    assert not area_resize(image, np.empty((1, 80, 3), np.uint8))  # 60 times smaller
    assert not area_resize(image[..., ::-1], np.empty((20, 30, 3), np.uint8))
    assert not area_resize(image[:, ::2], np.empty((20, 30, 3), np.uint8))
    for view in (image, image[..., ::-1], image[:, ::2]):
        found = resize_to_input(view, (30, 20))
        expected = cv2.resize(view, (30, 20), interpolation=cv2.INTER_AREA)
        assert np.abs(found.astype(int) - expected).max() <= 2


def test_real_frames_differ_by_rounding_alone(street):
    large = cv2.resize(street, (1280, 720), interpolation=cv2.INTER_CUBIC)
    for size in ((480, 360), (640, 352), (427, 240)):
        expected = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
        assert np.abs(resize_to_input(large, size).astype(int) - expected).max() <= 1
