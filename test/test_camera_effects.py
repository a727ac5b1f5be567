"""What a camera and the weather do to a picture, each by itself."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_core import camera_effects as effects
from shuffleseg_core.synthetic_drive import SyntheticDrive

DRIFTS = np.linspace(0.2, 1, 12).reshape(3, 4)
#: Function, values that change a picture, and values that do not.
EFFECTS = {
    "gains": (effects.channel_gains, (1.2, 1, 0.75), (1, 1, 1)),
    "exposure": (effects.exposure, (2.2, 0.6), (1,)),
    "linear": (effects.linear, (1.5, 30), (1,)),
    "contrast": (effects.contrast, (0.4,), (1,)),
    "saturation": (effects.saturation, (0.2,), (1,)),
    "fog": (effects.fog, (0.6,), (0,)),
    "drifting fog": (effects.fog, (0.6, 230, DRIFTS), (0, 230, DRIFTS)),
    "noise": (effects.gaussian_noise, (18,), (0,)),
    "motion": (effects.motion_blur, (15, 30), (1, 30)),
    "defocus": (effects.defocus_blur, (2.2,), (0,)),
    "disc": (effects.disc_blur, (4.4,), (0,)),
    "jpeg": (effects.jpeg, (12,), None),
    "resample": (effects.resample, (3,), (1,)),
}


@pytest.fixture(scope="module")
def street():
    return SyntheticDrive(seed=1, width=160, height=90).frame(10)[0]


def apply(name, image, seed, strong=True):
    function, *values = EFFECTS[name]
    rng = [np.random.default_rng(seed)] if name == "noise" else []
    return function(image, *values[not strong], *rng)


@pytest.mark.parametrize("name", EFFECTS)
@settings(max_examples=25, deadline=None)
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 2**32 - 1))
def test_any_size(name, size, seed):
    whole = np.random.default_rng(seed).integers(0, 256, (*size, 6), np.uint8)
    image = whole[..., :3]  # whose pixels have gaps between
    before = image.copy()
    changed = apply(name, image, seed)
    assert changed.dtype == np.uint8 and changed.shape == image.shape
    np.testing.assert_array_equal(changed, apply(name, image, seed))
    if EFFECTS[name][2] is not None:
        np.testing.assert_array_equal(apply(name, image, seed, strong=False), image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", EFFECTS)
def test_it_changes_a_street(name, street):
    assert np.abs(apply(name, street, 1).astype(int) - street).mean() > 1


def test_values_by_hand():
    image = np.array([[[100, 200, 40]]], np.uint8)
    grey = 0.299 * 100 + 0.587 * 200 + 0.114 * 40
    for changed, expected in (
        (effects.channel_gains(image, 1.2, 1.4, 0.75), [120, 255, 30]),
        (effects.exposure(image, 2.2, 0.6), 153 * (np.array([100, 200, 40]) / 255) ** 2.2),
        (effects.linear(image, 1.5, 30), [180, 255, 90]),
        (effects.contrast(image, 0.4), [116.5, 156.5, 92.5]),
        (effects.contrast(image, 0.4, -20), [96.5, 136.5, 72.5]),
        (effects.saturation(image, 0.5), (np.array([100, 200, 40]) + grey) / 2),
        (effects.fog(image, 0.25, 240), [135, 210, 90]),
        (effects.fog(image, 0.5, 240, np.full((1, 1), 0.5)), [135, 210, 90]),
    ):
        np.testing.assert_allclose(changed[0, 0].astype(int), expected, atol=1)


def test_noise_is_normal_and_no_two_colours_share_it(rng):
    noise = effects.gaussian_noise(np.full((300, 300, 3), 128, np.uint8), 18, rng) - 128.0
    assert noise.std() == pytest.approx(18, abs=0.1) and abs(noise.mean()) < 0.2
    assert (np.abs(noise) < 36).mean() == pytest.approx(0.9545, abs=0.01)  # 35.5 after rounding
    correlations = np.corrcoef(noise.reshape(-1, 3).T)
    assert np.abs(correlations - np.eye(3)).max() < 0.02
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())
    assert abs(neighbours[0, 1]) < 0.02


@pytest.mark.parametrize("angle", [0, 45, 90, 135, 170])
def test_motion_draws_a_point_into_a_line(angle):
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    line = effects.motion_blur(image, 15, angle)[..., 0].astype(float)
    rows, columns = np.nonzero(line)
    assert line.sum() == pytest.approx(255, abs=15)  # rounding of some 30 values
    covariance = np.cov(columns, rows, aweights=line[rows, columns], ddof=0)
    _, directions = np.linalg.eigh(covariance)
    x, y = directions[:, 1]
    assert abs(x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))) > 0.995
    if angle in (0, 90):
        along = line[20] if angle == 0 else line[:, 20]
        np.testing.assert_array_equal(along, [0] * 13 + [17] * 15 + [0] * 13)


def test_blurs_spread_a_point_as_far_as_they_say():
    image = np.zeros((41, 41, 3), np.uint8)
    image[19:22, 19:22] = 255  # of variance 2/3 a direction
    for blurred in (effects.defocus_blur(image, 2.2), effects.disc_blur(image, 4.4)):
        weights = blurred[..., 0].astype(float)
        variance = (weights.sum(0) * (np.arange(41) - 20) ** 2).sum() / weights.sum()
        assert variance == pytest.approx(2.2**2 + 2 / 3, rel=0.08)


def test_jpeg_keeps_colours_in_their_order():
    image = np.full((32, 32, 3), (200, 60, 20), np.uint8)
    np.testing.assert_allclose(effects.jpeg(image, 90)[16, 16].astype(int), (200, 60, 20), atol=4)


def test_coarser_files_keep_less(street):
    def error(changed):
        return np.abs(changed.astype(int) - street).mean()

    errors = [error(effects.jpeg(street, quality)) for quality in (60, 30, 12)]
    assert errors == sorted(errors)
    errors = [error(effects.resample(street, factor)) for factor in (1.3, 2, 3)]
    assert errors == sorted(errors)


@pytest.mark.parametrize("down", [cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST_EXACT])
@pytest.mark.parametrize("up", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST_EXACT])
def test_resampling_leaves_things_in_their_place(down, up):
    row = np.linspace(0, 250, 90).astype(np.uint8)
    image = np.broadcast_to(row[None, :, None], (60, 90, 3)).copy()
    shift = effects.resample(image, 3, down, up).astype(float) - image
    assert abs(shift.mean()) < 0.5  # a pixel to the side would be 2.8
