"""Random changes of colour and sharpness."""

import colorsys

import numpy as np
import pytest

from shuffleseg_training.augmentation import Augmentation
from shuffleseg_training.photometric import Photometric


class Drawn:
    """A generator that always draws the same end of a range."""

    def __init__(self, share):
        self.share = share

    def uniform(self, low, high):
        return low + self.share * (high - low)

    def random(self):
        return 0.0


@pytest.fixture
def image(rng):
    return rng.uniform(60, 180, (24, 32, 3)).astype(np.float32)


def test_nothing_changes_and_nothing_is_drawn_by_default(image):
    assert Photometric()(image, None) is image


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_each_property_alone(image, end):
    sign = 2 * end - 1
    draws = Drawn(end)
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    brighter = Photometric(brightness=0.1)(image, draws)
    np.testing.assert_allclose(brighter, image + sign * 25.5, atol=1e-3)
    contrast = Photometric(contrast=0.25)(image, draws)
    np.testing.assert_allclose(contrast, 127.5 + (image - 127.5) * 1.25**sign, atol=1e-3)
    saturated = Photometric(saturation=0.5)(image, draws)
    expected = grey[..., None] + (image - grey[..., None]) * 1.5**sign
    np.testing.assert_allclose(saturated, np.clip(expected, 0, 255), atol=1e-3)


def test_hue_turns_colours_and_keeps_greys():
    third = Photometric(hue=120)
    red = np.array([[[200, 50, 50]]], np.float32)
    turned = third(red, Drawn(1.0))[0, 0]
    np.testing.assert_allclose(turned, [50, 200, 50], atol=1e-3)
    assert colorsys.rgb_to_hsv(*turned / 255)[0] == pytest.approx(1 / 3)
    grey = np.full((1, 1, 3), 90, np.float32)
    np.testing.assert_allclose(third(grey, Drawn(0.3)), grey, atol=1e-3)


def test_blur_keeps_the_mean_and_takes_detail(image):
    blurred = Photometric(blur_share=1)(image, Drawn(1.0))
    assert blurred.std() < 0.5 * image.std()
    assert blurred.mean() == pytest.approx(image.mean(), rel=0.02)


def test_values_stay_in_range(rng):
    image = rng.uniform(0, 255, (50, 40, 3)).astype(np.float32)
    strong = Photometric(0.5, 2.0, 3.0, 180, 0.5)
    for _ in range(50):
        changed = strong(image, rng)
        assert changed.dtype == np.float32 and changed.shape == image.shape
        assert changed.min() >= 0 and changed.max() <= 255


def test_a_view_keeps_its_padding_and_its_labels(rng):
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (20, 30), dtype=np.uint8)
    plain, coloured = (
        Augmentation((64, 48), photometric=photometric)(
            image, labels, 255, np.random.default_rng(3)
        )
        for photometric in (Photometric(), Photometric(0.2, 0.5, 0.5, 20, 0.5))
    )
    np.testing.assert_array_equal(plain[1], coloured[1])
    outside = plain[1] == 255
    assert (coloured[0][outside] == 127.5).all()
    assert not np.array_equal(plain[0][~outside], coloured[0][~outside])


def test_of_a_recipe():
    from shuffleseg_training.recipe import load_recipe

    (recipe,) = load_recipe(
        "camvid_basic", ("augmentation.hue=7", "augmentation.class_uniform_share=0.5")
    )
    augmentation = Augmentation.of_recipe(recipe.augmentation)
    assert augmentation.crop == (480, 360) and augmentation.class_uniform_share == 0.5
    assert augmentation.photometric == Photometric(hue=7)
