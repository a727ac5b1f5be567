"""Label images as pictures: by C and by OpenCV, and both equal to the formula."""

import importlib
import shutil
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import LabelMap, colorize, overlay

CAMVID = LabelMap.named("camvid")
module = importlib.import_module("shuffleseg_core.colorize")  # colorize is the function as well
WAYS = [None] if module._FUNCTION is None else [None, module._FUNCTION]


def by(way):
    return patch.object(module, "_FUNCTION", way)


def blended(image, labels, label_map, share, order="rgb"):
    """The formula; share in 256ths."""
    colors = label_map.palette if order == "rgb" else label_map.palette[:, ::-1]
    share = np.where(labels < len(label_map), share, 0)[..., None]
    return (image.astype(int) * (256 - share) + colors[labels].astype(int) * share + 128) >> 8


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_it_is_compiled_where_there_is_a_compiler():
    assert module._FUNCTION is not None


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 12), st.integers(1, 70)),
    share=st.integers(0, 256),
    order=st.sampled_from(["rgb", "bgr"]),
    padding=st.integers(0, 5),
    classes=st.sampled_from([1, 11, 256]),
    kind=st.sampled_from(["any", "known", "areas"]),
)
def test_overlay_is_the_formula(seed, size, share, order, padding, classes, kind):
    rng = np.random.default_rng(seed)
    label_map = CAMVID if classes == 11 else LabelMap.anonymous(classes)
    labels = rng.integers(0, classes if kind == "known" else 256, size, np.uint8)
    if kind == "areas":
        labels[:, size[1] // 3 :] = rng.choice([0, 3, 255])
    image = rng.integers(0, 256, (size[0], size[1] + padding, 3), np.uint8)[:, : size[1]]
    before = image.copy()
    expected = blended(image, labels, label_map, share, order)
    for way in WAYS:
        with by(way):
            around = np.full((size[0] + 2, size[1], 3), 77, np.uint8)
            out = around[1:-1]
            assert overlay(image, labels, label_map, share / 256, out, order) is out
            np.testing.assert_array_equal(out, expected)
            assert (around[0] == 77).all() and (around[-1] == 77).all()
            np.testing.assert_array_equal(image, before)
            np.testing.assert_array_equal(
                overlay(before[..., ::-1], labels, label_map, share / 256),
                blended(before[..., ::-1], labels, label_map, share),
            )
            over_itself = before.copy()
            overlay(over_itself, labels, label_map, share / 256, over_itself, order)
            np.testing.assert_array_equal(over_itself, expected)
            out = np.full_like(before, 77)
            assert colorize(labels, label_map, out) is out
            np.testing.assert_array_equal(out, label_map.palette[labels])


@pytest.mark.parametrize("way", WAYS)
def test_every_pixel_value_under_every_colour_at_every_opacity(way):
    grey = LabelMap(tuple(map(str, range(256))), tuple((i, i, 255 - i) for i in range(256)))
    labels, pixels = (a.astype(np.uint8) for a in np.mgrid[:256, :256])
    image = np.dstack([pixels] * 3)
    with by(way):
        for share in range(257):
            np.testing.assert_array_equal(
                overlay(image, labels, grey, share / 256), blended(image, labels, grey, share)
            )


@pytest.mark.parametrize("way", WAYS)
def test_unlabelled_pixels_keep_the_cameras_colour(way, rng):
    labels = rng.integers(0, 11, (6, 70), np.uint8)
    labels[2:4, 5:40] = 255
    labels[0] = 11
    image = rng.integers(0, 256, (6, 70, 3), np.uint8)
    unlabelled = labels > 10
    with by(way):
        np.testing.assert_array_equal(overlay(image, labels, CAMVID, 0.0), image)
        painted = colorize(labels, CAMVID)
        assert not painted[unlabelled].any()
        opaque = overlay(image, labels, CAMVID, 1.0)
    np.testing.assert_array_equal(opaque[unlabelled], image[unlabelled])
    np.testing.assert_array_equal(opaque[~unlabelled], painted[~unlabelled])


def test_colours_of_a_new_label_map_are_taken(rng):
    labels = np.zeros((2, 2), np.uint8)
    for color in ((1, 2, 3), (4, 5, 6)):
        assert tuple(colorize(labels, LabelMap(("a",), (color,)))[0, 0]) == color


LABELS, IMAGE = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: colorize(LABELS.astype(int), CAMVID), "labels are uint8"),
        (lambda: colorize(IMAGE, CAMVID), "labels are uint8"),
        (lambda: colorize(LABELS, CAMVID, IMAGE[:3]), "out is"),
        (lambda: overlay(IMAGE, LABELS, CAMVID, out=IMAGE[:, ::-1]), "out is"),
        (lambda: overlay(IMAGE[:3], LABELS, CAMVID), "image is"),
        (lambda: overlay(IMAGE.astype(float), LABELS, CAMVID), "image is"),
        (lambda: overlay(IMAGE, LABELS, CAMVID, 1.1), "opacity is"),
        (lambda: overlay(IMAGE, LABELS, CAMVID, order="gbr"), "order"),
    ],
)
def test_what_cannot_be_painted(make, message):
    with pytest.raises(ValueError, match=message):
        make()
