"""Random views of labelled images."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_training.augmentation import PAD_VALUE, Augmentation, padding_id

sizes = st.tuples(st.integers(8, 120), st.integers(8, 120))
crops = st.tuples(st.integers(4, 150), st.integers(4, 150))
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, size=sizes, crop=crops)
def test_augmented_pixels_keep_their_labels(seed, size, crop):
    """Every pixel's colour tells its label, before and after."""
    rng = np.random.default_rng(seed)
    labels = np.full(size[::-1], rng.integers(0, 10), np.uint8)
    image = np.repeat((labels * 20)[:, :, None], 3, axis=2)
    view, ids = Augmentation(crop)(image, labels, 255, rng)
    assert view.shape == (crop[1], crop[0], 3) and view.dtype == np.float32
    assert ids.shape == (crop[1], crop[0]) and ids.dtype == np.uint8
    outside = ids == 255
    assert (view[outside] == PAD_VALUE).all()
    assert (view[~outside] == ids[~outside][:, None] * 20).all()
    assert (~outside).any()


@settings(max_examples=80, deadline=None)
@given(seed=seeds, size=sizes, crop=crops, step=st.sampled_from([0.25, 0.1, 0.05, 1 / 3]))
def test_labels_are_the_pixel_nearest_to_where_the_image_is_sampled(seed, size, crop, step):
    """An image whose colours and labels are the coordinates of its pixels."""
    xs, ys = np.meshgrid(*(np.arange(n, dtype=np.uint8) for n in size))
    image = np.stack([xs, ys, xs], axis=-1)
    augmentation = Augmentation(crop, scale_step=step)
    for labels, channel in ((xs, 0), (ys, 1)):
        view, ids = augmentation(image, labels, 255, np.random.default_rng(seed))
        inside = ids != 255
        # Half a pixel, and the rounding of the image to whole numbers.
        off = np.abs(view[inside][:, channel] - ids[inside])
        assert off.max() <= 1


@settings(max_examples=80, deadline=None)
@given(seed=seeds, size=st.tuples(st.integers(2, 30), st.integers(2, 30)), crop=crops)
def test_a_view_is_the_crop_of_the_whole_image_scaled(seed, size, crop):
    rng = np.random.default_rng(seed)
    width, height = 4 * size[0], 4 * size[1]
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = rng.integers(0, 19, (height, width), dtype=np.uint8)
    view, ids = Augmentation(crop, flip=False)(image, labels, 255, np.random.default_rng(seed))

    draws = np.random.default_rng(seed)
    scale = 0.5 + 0.25 * draws.integers(7)
    scaled = round(width * scale), round(height * scale)
    image = cv2.resize(image, scaled, interpolation=cv2.INTER_LINEAR)
    labels = cv2.resize(labels, scaled, interpolation=cv2.INTER_NEAREST_EXACT)
    left, top = (
        int(draws.integers(min(0, whole - part), max(0, whole - part) + 1))
        for whole, part in zip(scaled, crop)
    )
    pad = ((crop[1], crop[1]), (crop[0], crop[0]))
    window = np.s_[top + crop[1] : top + 2 * crop[1], left + crop[0] : left + 2 * crop[0]]
    expected_ids = np.pad(labels, pad, constant_values=255)[window]
    expected = np.pad(image.astype(np.float32), (*pad, (0, 0)), constant_values=PAD_VALUE)[window]
    # Halfway between two pixels, either is the nearest.
    columns, rows = (
        (start + np.arange(part) + 0.5) * whole / part_of % 1 != 0
        for start, part, whole, part_of in zip((left, top), crop, (width, height), scaled)
    )
    np.testing.assert_array_equal(ids[rows][:, columns], expected_ids[rows][:, columns])
    assert ((ids == 255) == (expected_ids == 255)).all()
    assert np.abs(view - expected).max() <= 1


def test_augmentation_draws_every_scale_and_flip(rng):
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 100
    labels = (image[:, :, 0] // 100).astype(np.uint8)
    augmentation = Augmentation((100, 100))
    widths, flipped = set(), set()
    for _ in range(300):
        view, ids = augmentation(image, labels, 255, rng)
        inside = ids != 255
        widths.add(int(inside.any(axis=0).sum()))
        row = ids[inside.any(axis=1)][0]
        row = row[row != 255]
        flipped.add(bool(row[0] > row[-1]))
    assert widths == {20, 30, 40, 50, 60, 70, 80}
    assert flipped == {True, False}


def test_flipped_views_are_mirrored(rng):
    image = rng.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    labels = rng.integers(0, 19, (37, 53), dtype=np.uint8)
    seen = set()
    for seed in range(40):
        views = [
            Augmentation((48, 40), flip=flip)(image, labels, 255, np.random.default_rng(seed))
            for flip in (False, True)
        ]
        plain, flipped = views
        is_mirrored = not np.array_equal(plain[1], flipped[1])
        seen.add(is_mirrored)
        for a, b in zip(plain, flipped):
            np.testing.assert_array_equal(a[:, ::-1] if is_mirrored else a, b)
    assert seen == {True, False}


def test_views_are_written_into_a_batch(rng):
    image = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    labels = rng.integers(0, 19, (30, 50), dtype=np.uint8)
    augmentation = Augmentation((40, 40))
    images, ids = np.full((2, 40, 40, 3), -1, np.float32), np.full((2, 40, 40), 77, np.uint8)
    augmentation(image, labels, 255, np.random.default_rng(5), out=(images[1], ids[1]))
    expected = augmentation(image, labels, 255, np.random.default_rng(5))
    np.testing.assert_array_equal(images[1], expected[0])
    np.testing.assert_array_equal(ids[1], expected[1])
    assert (images[0] == -1).all() and (ids[0] == 77).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
@pytest.mark.parametrize("scale", [0.001, 0.25, 2.0])
def test_tiny_images_and_scales(size, scale, rng):
    labels = np.ones(size, np.uint8)
    view, ids = Augmentation((9, 9), scale, scale)(
        np.repeat(labels[..., None], 3, 2), labels, 0, rng
    )
    assert ids.any() and (view[ids == 1] == 1).all() and (view[ids == 0] == PAD_VALUE).all()


def test_padding_never_counts():
    names = tuple(f"c{i}" for i in range(255))
    colors = ((0, 0, 0),) * 255
    assert padding_id(LabelMap(names, colors, ignore_id=3)) == 3
    assert padding_id(LabelMap(names, colors)) == 255
    with pytest.raises(UserError, match="256 classes"):
        padding_id(LabelMap((*names, "last"), (*colors, (1, 1, 1))))


@settings(max_examples=60, deadline=None)
@given(seed=seeds, size=sizes, crop=st.tuples(st.integers(4, 20), st.integers(4, 20)))
def test_class_uniform_crops_show_the_rare_class(seed, size, crop):
    """One pixel of class 1, one of the ignored class, all others of class 0."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size[::-1], np.uint8)
    places = rng.choice(labels.size, 2, replace=False)
    labels.flat[places[0]], labels.flat[places[1]] = 1, 255
    image = np.zeros((*labels.shape, 3), np.uint8)
    augmentation = Augmentation(crop, min_scale=1, max_scale=1, class_uniform_share=1)
    shown = [(augmentation(image, labels, 255, rng)[1] == 1).any() for _ in range(24)]
    assert sum(shown) >= 3  # every second view: fewer has a probability of 2e-5


def test_class_uniform_crops_of_an_image_without_labels(rng):
    labels = np.full((30, 40), 255, np.uint8)
    augmentation = Augmentation((16, 16), class_uniform_share=1)
    view, ids = augmentation(np.zeros((30, 40, 3), np.uint8), labels, 255, rng)
    assert (ids == 255).all()


def test_what_another_view_shows_of_a_class_is_pasted(tmp_path):
    from shuffleseg_core.datasets import open_dataset
    from shuffleseg_training.batches import AugmentedBatches
    from tiny_camvid import make_camvid

    dataset = open_dataset("camvid", make_camvid(tmp_path), "train")
    for rare in range(len(dataset.label_map)):
        plain, pasted = (
            AugmentedBatches(
                dataset, Augmentation((48, 48)), 4, 1, paste_share=share, paste_ids=[rare]
            ).batch(0)
            for share in (0, 1)
        )
        changed = (plain[1] != pasted[1]) | (plain[0] != pasted[0]).any(-1)
        assert (pasted[1][changed] == rare).all()
        assert (pasted[1] == rare).sum() >= (plain[1] == rare).sum()
        if changed.any():
            return
    raise AssertionError("no class was pasted")
