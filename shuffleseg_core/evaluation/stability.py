"""Do labels stay with what they label, when the picture moves or the next frame comes?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from ..label_map import LabelMap
from ..synthetic_drive import SyntheticDrive

#: How far pictures are moved, in pixels, along each axis by itself.
SHIFTS = (1, 2, 3, 4)
#: The drive that frames are compared on: one of those that stay out of training.
DRIVE_SEED, DRIVE_FRAMES, DRIVE_SIZE = 0, 60, (480, 360)

Predict = Callable[[np.ndarray], np.ndarray]


def shift_stability(
    predict: Predict, images: Iterable[np.ndarray], step: Callable[[], object] = lambda: None
) -> dict:
    """Share of pixels that change their class when the picture moves and is moved back.

    Each picture is moved right and, by itself, down by `SHIFTS`; its first column or row fills
    what becomes free. All pixels count that are in the moved picture, labelled or not.

    Args:
        predict: uint8 [H, W, 3] RGB → uint8 [H, W] class ids.
        images: uint8 [H, W, 3] each.
        step: called after each labelling; there are `SHIFT_PASSES` a picture.

    Returns:
        "changed_by_shift": pixels, as text → share, 0 to 1; "changed": their mean. NaN where no
        pixel counts.
    """
    changed, counted = dict.fromkeys(SHIFTS, 0), dict.fromkeys(SHIFTS, 0)
    for image in images:
        labels = predict(image)
        step()
        for shift in SHIFTS:
            for axis in (0, 1):
                size = image.shape[axis]
                places = np.maximum(np.arange(size) - shift, 0)
                moved = predict(np.ascontiguousarray(image.take(places, axis)))
                step()
                still, back = labels, moved
                if axis:
                    still, back = labels.T, moved.T
                differ = still[: max(size - shift, 0)] != back[shift:]
                changed[shift] += np.count_nonzero(differ)
                counted[shift] += differ.size
    shares = {str(shift): _share(changed[shift], counted[shift]) for shift in SHIFTS}
    return {"changed_by_shift": shares, "changed": float(np.mean(list(shares.values())))}


#: Labellings of each picture in `shift_stability`.
SHIFT_PASSES = 1 + 2 * len(SHIFTS)


def can_drive(names: tuple[str, ...]) -> bool:
    """Whether a model of these classes can be held against the drive's truth."""
    return names == LabelMap.named("camvid").names


def drive_stability(predict: Predict, step: Callable[[], object] = lambda: None) -> dict:
    """Share of the pixels whose truth stays from a frame to the next but whose label does not.

    The frames are those of a fixed procedural drive, 15 a second.

    Args:
        predict: uint8 [H, W, 3] RGB → uint8 [H, W] CamVid class ids.
        step: called after each of the `DRIVE_FRAMES` frames.

    Returns:
        "changed": the share, 0 to 1; and which frames: "seed", "frames", "size".
    """
    drive = SyntheticDrive(DRIVE_SEED, *DRIVE_SIZE, num_frames=DRIVE_FRAMES)
    changed = counted = 0
    before = None
    for frame in drive:
        labels = predict(frame.image)
        step()
        if before is not None:
            stays = frame.truth == before[0]
            changed += np.count_nonzero(stays & (labels != before[1]))
            counted += np.count_nonzero(stays)
        before = frame.truth, labels
    return {
        "changed": _share(changed, counted),
        "seed": DRIVE_SEED,
        "frames": DRIVE_FRAMES,
        "size": list(DRIVE_SIZE),
    }


def stability_table(report: dict) -> str:
    """What was found, in words.

    Args:
        report: "shift" of `shift_stability`; "drive" of `drive_stability`, or None.
    """
    lines = ["pixels that change their class when the picture moves and is moved back"]
    for shift, share in report["shift"]["changed_by_shift"].items():
        lines.append(f"{shift + ' px':>14} {100 * share:6.2f} %")
    lines.append(f"{'mean':>14} {100 * report['shift']['changed']:6.2f} %")
    if report["drive"]:
        lines += [
            "pixels of the procedural drive whose truth stays from frame to frame but whose label "
            "does not",
            f"{report['drive']['frames']:>7} frames {100 * report['drive']['changed']:6.2f} %",
        ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
