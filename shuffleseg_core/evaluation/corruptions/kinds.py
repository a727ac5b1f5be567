"""The kinds of change that masks are scored under, with their strengths: one table.

`CAMERA`: nine everyday changes of a camera, each of one strength.

`HENDRYCKS` and `UNSEEN`: Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations" (ICLR 2019, arXiv:1903.12261), with the four extra kinds of their
code, in severities 1 to 5. Left out are frost, which needs foreign pictures, and the elastic
transform, which moves what is labelled. The five of `UNSEEN` are kept out of training.

Lengths in pixels are for a picture whose shorter side has 360 pixels and grow with it. They are the
original's numbers, made for 224×224: taken relative to the picture they would be 1.6 times as long
and carry poles and signs off their labels. Three kinds differ for the same reason:

- zoom_blur: the original enlarges by up to 1.11, 1.16, 1.21, 1.26, 1.31; here the excess over 1 is
  224 / 480 of that, which moves the picture's sides by as many pixels as there.
- motion_blur: the original's kernel is half a Gaussian, which moves the picture too; here it is a
  centred line of the same deviation. So is the fall of snow.
- pixelate: the side of a square in pixels, the inverse of the original's factor of size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from ... import camera_effects
from ...errors import UserError
from . import fog, glass_blur, light, noise, snow, spatter, zoom_blur

CAMERA, HENDRYCKS, UNSEEN = GROUPS = ("camera", "hendrycks", "unseen")
SEVERITIES = (1, 2, 3, 4, 5)
_SHORTER_SIDE = 360  # pixels, that lengths are for


@dataclass(frozen=True)
class Kind:
    """One kind of change.

    Attributes:
        name: of the kind.
        group: one of `GROUPS`.
        effect: (uint8 [H, W, 3], **constants) → uint8 [H, W, 3]; takes `rng` where `drawn`.
        constants: name → its values by severity; one value where there is one strength.
        lengths: the same for constants that grow with the picture.
        drawn: whether chance has a part in it.
    """

    name: str
    group: str
    effect: Callable[..., np.ndarray]
    constants: Mapping[str, tuple] = field(default_factory=dict)
    lengths: Mapping[str, tuple] = field(default_factory=dict)
    drawn: bool = False

    @property
    def graded(self) -> bool:
        """Whether it has severities 1 to 5; else only 1."""
        return self.group != CAMERA

    def __call__(
        self, image: np.ndarray, severity: int = 1, seed: int = 0, index: int = 0
    ) -> np.ndarray:
        """The changed image, a function of the arguments alone.

        Args:
            image: uint8 [H, W, 3] RGB.
            severity: 1 to 5; 1 where the kind is not graded.
            seed: of all noise, 0 or more.
            index: of the frame, 0 or more: other frames have other noise.
        """
        scale = min(image.shape[:2]) / _SHORTER_SIDE
        values = {name: by_severity[severity - 1] for name, by_severity in self.constants.items()}
        for name, by_severity in self.lengths.items():
            values[name] = by_severity[severity - 1] * scale
        if self.drawn:
            entropy = [seed, zlib.crc32(self.name.encode()), severity, index]
            values["rng"] = np.random.default_rng(entropy)
        return self.effect(image, **values)


def _slanted_motion(image, length, rng):
    return camera_effects.motion_blur(image, length, rng.uniform(-45, 45))


def _pixelate(image, side):
    return camera_effects.resample(image, max(side, 1), up=cv2.INTER_NEAREST)


#: Every kind, by name.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "warm", CAMERA, camera_effects.channel_gains,
            {"red": (1.2,), "green": (1.0,), "blue": (0.75,)},
        ),
        Kind("fog", CAMERA, camera_effects.fog, {"density": (0.4,), "light": (230.0,)}),
        Kind("noise", CAMERA, camera_effects.gaussian_noise, {"sigma": (18.0,)}, drawn=True),
        Kind("low_contrast", CAMERA, camera_effects.contrast, {"factor": (0.4,)}),
        Kind("dark", CAMERA, camera_effects.exposure, {"gamma": (2.2,), "gain": (0.6,)}),
        Kind("bright", CAMERA, camera_effects.linear, {"factor": (1.5,), "shift": (30.0,)}),
        Kind("motion", CAMERA, camera_effects.motion_blur, lengths={"length": (15.0,)}),
        Kind("defocus", CAMERA, camera_effects.defocus_blur, lengths={"sigma": (2.2,)}),
        Kind("jpeg", CAMERA, camera_effects.jpeg, {"quality": (12,)}),
        Kind(
            "gaussian_noise", HENDRYCKS, camera_effects.gaussian_noise,
            {"sigma": (20.4, 30.6, 45.9, 66.3, 96.9)}, drawn=True,
        ),
        Kind(
            "shot_noise", HENDRYCKS, noise.shot_noise, {"photons": (60, 25, 12, 5, 3)}, drawn=True
        ),
        Kind(
            "speckle_noise", HENDRYCKS, noise.speckle_noise,
            {"sigma": (0.15, 0.2, 0.35, 0.45, 0.6)}, drawn=True,
        ),
        Kind(
            "gaussian_blur", HENDRYCKS, camera_effects.defocus_blur,
            lengths={"sigma": (1.0, 2.0, 3.0, 4.0, 6.0)},
        ),
        Kind(
            "defocus_blur", HENDRYCKS, camera_effects.disc_blur,
            lengths={"radius": (3.0, 4.0, 6.0, 8.0, 10.0)},
        ),
        Kind(
            "motion_blur", HENDRYCKS, _slanted_motion,
            lengths={"length": (7.0, 11.0, 17.0, 24.0, 30.0)}, drawn=True,
        ),
        Kind(
            "plasma_fog", HENDRYCKS, fog.plasma_fog,
            {"density": (1.5, 2.0, 2.5, 2.5, 3.0), "decay": (2.0, 2.0, 1.7, 1.5, 1.4)}, drawn=True,
        ),
        Kind("brightness", HENDRYCKS, light.brightness, {"shift": (0.1, 0.2, 0.3, 0.4, 0.5)}),
        Kind("contrast", HENDRYCKS, light.contrast, {"factor": (0.4, 0.3, 0.2, 0.1, 0.05)}),
        Kind(
            "saturate", HENDRYCKS, light.saturate,
            {"factor": (0.3, 0.1, 2.0, 5.0, 20.0), "shift": (0.0, 0.0, 0.0, 0.1, 0.2)},
        ),
        Kind(
            "pixelate", HENDRYCKS, _pixelate, lengths={"side": (1 / 0.6, 2.0, 2.5, 1 / 0.3, 4.0)}
        ),
        Kind(
            "jpeg_compression", HENDRYCKS, camera_effects.jpeg, {"quality": (25, 18, 15, 10, 7)}
        ),
        Kind(
            "impulse_noise", UNSEEN, noise.impulse_noise,
            {"share": (0.03, 0.06, 0.09, 0.17, 0.27)}, drawn=True,
        ),
        Kind(
            "glass_blur", UNSEEN, glass_blur.glass_blur, {"times": (2, 1, 3, 2, 2)},
            {"sigma": (0.7, 0.9, 1.0, 1.1, 1.5), "reach": (1, 2, 2, 3, 4)}, drawn=True,
        ),
        Kind(
            "zoom_blur", UNSEEN, zoom_blur.zoom_blur,
            {"largest": (1.051, 1.075, 1.098, 1.121, 1.145)},
        ),
        Kind(
            "snow", UNSEEN, snow.snow,
            {
                "mean": (0.1, 0.2, 0.55, 0.55, 0.55),
                "sigma": (0.3,) * 5,
                "threshold": (0.5, 0.5, 0.9, 0.85, 0.85),
                "clear": (0.8, 0.7, 0.7, 0.65, 0.55),
            },
            {"flake": (3.0, 2.0, 4.0, 4.5, 2.5), "fall": (8.0, 8.0, 16.0, 16.0, 19.0)}, drawn=True,
        ),
        Kind(
            "spatter", UNSEEN, spatter.spatter,
            {
                "mean": (0.65, 0.65, 0.65, 0.65, 0.67),
                "threshold": (0.69, 0.68, 0.68, 0.65, 0.65),
                "light": (0.6, 0.6, 0.5, 0.0, 0.0),
            },
            # Smoothing divides the deviation by its own length, so the deviation grows with it.
            {
                "sigma": (0.3, 0.3, 0.3, 0.3, 0.4),
                "size": (4.0, 3.0, 2.0, 1.0, 1.0),
                "smooth": (0.0, 0.0, 0.0, 1.5, 1.5),
            }, drawn=True,
        ),
    )
}  # fmt: skip


def choose_kinds(text: str) -> list[Kind]:
    """ "camera,snow" → the kinds of that group and that one, in the table's order.

    Args:
        text: names of kinds and of groups between commas; "all".

    Raises:
        UserError: a name is none of them.
    """
    names = {name.strip() for name in text.split(",")}
    known = {"all", *GROUPS, *KINDS}
    for name in sorted(names - known):
        raise UserError(
            f"--corruptions {text}: {name!r} is no kind; give all, {', '.join(GROUPS)}, or some of "
            f"{', '.join(KINDS)}"
        )
    return [kind for kind in KINDS.values() if names & {"all", kind.group, kind.name}]
