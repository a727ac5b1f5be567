"""Other cameras and other weather in training: random draws of `shuffleseg_core.camera_effects`.

Impulse noise, glass blur, zoom blur, snow and spatter (Hendrycks & Dietterich, arXiv:1903.12261)
are left out on purpose: evaluation reports them apart, as what training has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from shuffleseg_core import camera_effects

#: Strengths are those of the limits below times u^_SKEW, u even in 0 to 1: half are under a third.
_SKEW = 1.5
_LIGHT_SHARE = 0.5  # of each change of light among the changed views
_DARKENED_SHARE = 0.25  # of the noisy views
_COUNT_SHARES = (0.3, 0.45, 0.25)  # of 0, 1 and 2 degradations
_DEGRADATIONS = {  # and how often each is picked
    "fog": 0.15,
    "motion": 0.2,
    "defocus": 0.13,
    "noise": 0.25,
    "resample": 0.1,
    "jpeg": 0.17,
}
# Limits at full strength: factors below and above 1, or the largest value.
_RED = (1 / 1.3, 1.3)
_BLUE = (1.4, 0.7)  # the other way round: warm light has more red and less blue
_TINT = (1 / 1.1, 1.1)
_GAMMA = (0.45, 2.4)  # brighter, darker
_GAIN = (1.6, 0.5)
_CONTRAST = (0.35, 1.4)
_SHIFT = 35  # grey levels
_SATURATION = (0.3, 1.6)
_FOG = 0.75
_FOG_LIGHT = (185, 255)  # grey levels
_NOISE = 25  # grey levels
_MOTION = 17  # pixels
_DEFOCUS = 2.6  # σ in pixels
_JPEG = (90, 8)  # mildest and strongest quality
_RESAMPLE = 3
_DOWN = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST_EXACT)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST_EXACT)


@dataclass(frozen=True)
class CameraChanges:
    """Draws a mixture of changes a view: of light often, of degradations up to two.

    They come in the order in which light meets them: fog, light and colour as the sensor takes
    them, blur, noise, and at last the coding of the picture.

    Attributes:
        share: of the views that are changed, 0 to 1.
        strength: share, 0 to 1, of the widest ranges.
    """

    share: float = 0.0
    strength: float = 1.0

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A changed copy of uint8 [H, W, 3] RGB, or the image itself."""
        if not (self.share and self.strength) or rng.random() >= self.share:
            return image
        count = rng.choice(len(_COUNT_SHARES), p=_COUNT_SHARES)
        names = list(_DEGRADATIONS)
        picked = {
            names[i]
            for i in rng.choice(len(names), count, replace=False, p=list(_DEGRADATIONS.values()))
        }
        exposed = 0  # 1 darker, -1 brighter
        if "noise" in picked and rng.random() < _DARKENED_SHARE:
            exposed = 1
        elif rng.random() < _LIGHT_SHARE:
            exposed = _sign(rng)
        foggy = "fog" in picked
        if foggy:
            exposed = max(exposed, 0)  # brighter fog is a white sheet
            image = self._fog(image, rng)
        image = self._colours(image, rng)
        image = self._light(image, rng, exposed, foggy)
        if "motion" in picked:
            image = self._motion(image, rng)
        if "defocus" in picked:
            image = self._defocus(image, rng)
        if "noise" in picked:
            # Half in the dark, where the full noise would leave nothing to see.
            sigma = _NOISE * self._amount(rng) * (0.5 if exposed > 0 else 1)
            image = camera_effects.gaussian_noise(image, sigma, rng)
        if "resample" in picked:
            image = self._resample(image, rng)
        if "jpeg" in picked:
            image = self._jpeg(image, rng)
        return image

    def _amount(self, rng: np.random.Generator) -> float:
        """0 to `strength`, rather small."""
        return self.strength * rng.random() ** _SKEW

    def _either_way(self, rng: np.random.Generator) -> float:
        """-`strength` to `strength`."""
        return self._amount(rng) * _sign(rng)

    def _colours(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < _LIGHT_SHARE:
            warmth, tint = self._either_way(rng), self._either_way(rng)
            # Warm and cold are the sun's and the sky's light; red and blue part a little beyond.
            parted = 0.3 * self._either_way(rng)
            red, blue = (np.clip(warmth + part, -1, 1) for part in (parted, -parted))
            gains = _factor(_RED, red), _factor(_TINT, tint), _factor(_BLUE, blue)
            image = camera_effects.channel_gains(image, *gains)
        if rng.random() < _LIGHT_SHARE:
            image = camera_effects.saturation(image, _factor(_SATURATION, self._either_way(rng)))
        return image

    def _light(
        self, image: np.ndarray, rng: np.random.Generator, exposed: int, foggy: bool
    ) -> np.ndarray:
        if exposed:
            gamma, gain = (
                _factor(limits, exposed * self._amount(rng)) for limits in (_GAMMA, _GAIN)
            )
            image = camera_effects.exposure(image, gamma, gain)
        if rng.random() < _LIGHT_SHARE:
            amount, shift = self._either_way(rng), _SHIFT * self._either_way(rng)
            if exposed or foggy:  # more contrast or a shift could leave black or white alone
                amount, shift = -abs(amount), 0
            image = camera_effects.contrast(image, _factor(_CONTRAST, amount), shift)
        return image

    def _fog(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        density, light = _FOG * self._amount(rng), rng.uniform(*_FOG_LIGHT)
        relative = None
        if rng.random() < 0.5:  # in drifts, and thinner towards what is near, at the bottom
            near = rng.uniform(0.3, 1)
            relative = np.linspace(1, near, 4)[:, None] * rng.uniform(0.6, 1, (4, 4))
        return camera_effects.fog(image, density, light, relative)

    def _motion(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        length = 1 + (_MOTION - 1) * self._amount(rng)
        # A vehicle that turns or shakes moves its picture along rows or columns for the most part.
        angle = rng.choice([0, 90]) if rng.random() < 0.5 else rng.uniform(0, 180)
        return camera_effects.motion_blur(image, length, angle)

    def _defocus(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sigma = _DEFOCUS * self._amount(rng)
        if rng.random() < 0.5:
            return camera_effects.disc_blur(image, 2 * sigma)
        return camera_effects.defocus_blur(image, sigma)

    def _resample(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        down, up = int(rng.choice(_DOWN)), int(rng.choice(_UP))
        return camera_effects.resample(image, _RESAMPLE ** self._amount(rng), down, up)

    def _jpeg(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mildest, strongest = _JPEG
        quality = mildest * (strongest / mildest) ** self._amount(rng)
        return camera_effects.jpeg(image, round(quality))


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _factor(limits: tuple[float, float], amount: float) -> float:
    """1 at 0, the limits at -1 and 1, and in equal ratios between."""
    return limits[int(amount > 0)] ** abs(amount)
