"""Random changes as other cameras and weather make them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core.errors import UserError
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_training.augmentation import Augmentation
from shuffleseg_training.camera_changes import CameraChanges
from shuffleseg_training.recipe import load_recipe

sizes = st.tuples(st.integers(1, 50), st.integers(1, 50))
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def street():
    return SyntheticDrive(seed=1, width=160, height=90).frame(10)[0]


def random_image(size, seed):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@settings(max_examples=300, deadline=None)
@given(size=sizes, seed=seeds, strength=st.floats(0, 1))
def test_any_size_and_strength(size, seed, strength):
    image = random_image(size, seed)
    before = image.copy()
    camera = CameraChanges(1.0, strength)
    first, again = (camera(image, np.random.default_rng(seed)) for _ in range(2))
    assert first.dtype == np.uint8 and first.shape == image.shape
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("camera", [CameraChanges(), CameraChanges(1.0, 0.0), CameraChanges(0.0)])
def test_nothing_is_drawn_where_nothing_is_asked_for(camera):
    image = random_image((5, 7), 1)
    assert camera(image, None) is image


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_the_other_views_are_untouched(share, street, rng):
    untouched = sum(CameraChanges(share)(street, rng) is street for _ in range(400))
    # One in 20 of the changed views draws no change.
    assert untouched / 400 == pytest.approx(1 - share, abs=0.09)


def test_less_strength_changes_less(street):
    def change(strength):
        camera, rng = CameraChanges(1.0, strength), np.random.default_rng(4)
        views = [camera(street, rng).astype(int) for _ in range(200)]
        return np.abs(np.stack(views) - street).mean()

    changes = [change(strength) for strength in (0.1, 0.3, 1.0)]
    assert changes[0] < 0.5 * changes[1] and changes[1] < 0.5 * changes[2]


def test_views_as_strong_as_the_changes_that_models_are_judged_by(rng):
    """White balance, light, contrast and noise, seen on a chart of two greys."""
    chart = np.full((24, 24, 3), 100, np.uint8)
    chart[12:] = 160
    camera = CameraChanges(1.0, 1.0)
    views = np.stack([camera(chart, rng).astype(float) for _ in range(4000)])
    dark, light = views[:, 4:8, 4:-4].mean((1, 2)), views[:, 16:20, 4:-4].mean((1, 2))
    grey = (dark + light).mean(1) / 2
    ordinary = (grey > 60) & (grey < 200)
    warmth = (light[:, 0] / light[:, 2].clip(1))[ordinary]
    assert (warmth > 1.2 / 0.75).mean() > 0.003 and (warmth < 0.75).mean() > 0.003
    assert (grey < 0.6 * 255 * (130 / 255) ** 2.2 + 5).mean() > 0.005
    assert (grey > 130 * 1.5 + 20).mean() > 0.005
    noise = (views - views.mean(2, keepdims=True))[:, 4:8].std((1, 2)).mean(1)
    assert (noise > 16).mean() > 0.01
    assert (noise[grey < 60] > 4).mean() > 0.05  # in dark images, too
    # Small changes are more frequent, and in every view there is something left to see.
    assert np.median(np.abs(grey - 130)) < 25
    assert np.median(noise[noise > 0.5]) < 10
    assert (np.abs(light - dark).mean(1) < 5).mean() < 0.01


@settings(max_examples=60, deadline=None)
@given(size=sizes, seed=seeds)
def test_labels_and_padding_are_untouched(size, seed):
    image = random_image(size, seed)
    labels = np.random.default_rng(seed).integers(0, 4, size, np.uint8)
    plain, changed = (
        Augmentation((48, 32), camera=camera)(image, labels, 255, np.random.default_rng(seed))
        for camera in (CameraChanges(), CameraChanges(1.0))
    )
    np.testing.assert_array_equal(plain[1], changed[1])
    assert changed[0].dtype == np.float32
    assert (changed[0][plain[1] == 255] == 127.5).all()
    assert changed[0].min() >= 0 and changed[0].max() <= 255


def test_of_a_recipe():
    (recipe,) = load_recipe("camvid_basic", ("augmentation.camera_share=0.6",))
    augmentation = Augmentation.of_recipe(recipe.augmentation)
    assert augmentation.camera == CameraChanges(0.6, 1.0)


@pytest.mark.parametrize("key", ["camera_share", "camera_strength"])
@pytest.mark.parametrize("value", ["-0.1", "1.5", ".nan"])
def test_bad_values(key, value):
    with pytest.raises(UserError, match=key) as caught:
        load_recipe("camvid_basic", (f"augmentation.{key}={value}",))
    assert "\n" not in str(caught.value)
