"""Scores under changes of the picture, and the share of the clean score that they keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..datasets import Dataset
from .corruptions import GROUPS, Kind
from .scores import Scores, scores_of

_WIDTH = 16


def score_corruptions(
    label: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    indices: Sequence[int],
    kinds: Sequence[Kind],
    severities: Sequence[int],
    seed: int,
    clean_miou: float,
    step: Callable[[], object] = lambda: None,
) -> dict:
    """Score a model on changed frames.

    A frame's noise is a function of the seed, the kind, the severity and the frame's index in the
    data set, whichever frames are asked for.

    Args:
        label: uint8 [H, W, 3] RGB → uint8 [H, W] ids as `Scores.add` takes them.
        dataset: has labels.
        indices: of the frames.
        kinds: to change them by.
        severities: of the graded kinds, each 1 to 5.
        seed: of all noise.
        clean_miou: score of the same frames as they are, 0 to 1.
        step: called after each picture; there are len(indices) · `num_passes` of them.

    Returns:
        JSON-ready, scores and shares 0 to 1, NaN where there is nothing to score:
        "seed"; "severities"; "kinds", by name: "group", "miou" (mean over the severities), "kept"
        (its share of `clean_miou`), "iou" by class (likewise a mean), for the graded ones also
        "by_severity"; "groups", by name: "kinds" (their number), the means "miou" and "kept", and
        "worst", the kind that keeps least.

    Raises:
        UserError: a frame is unreadable.
    """
    runs = [(kind, severity) for kind in kinds for severity in _severities(kind, severities)]
    scores = {(kind.name, severity): scores_of(dataset) for kind, severity in runs}
    for index in indices:
        image = dataset.read_image(index)
        for kind, severity in runs:
            prediction = label(kind(image, severity, seed, index))
            scores[kind.name, severity].add(dataset, index, prediction)
            step()
    found = {}
    for kind in kinds:
        of_severity = {
            str(severity): _report(scores[kind.name, severity])
            for severity in _severities(kind, severities)
        }
        miou = float(np.mean([report["miou"] for report in of_severity.values()]))
        found[kind.name] = {
            "group": kind.group,
            "miou": miou,
            "kept": miou / clean_miou if clean_miou > 0 else math.nan,
            "iou": _mean_by_class([report["iou"] for report in of_severity.values()]),
        }
        if kind.graded:
            found[kind.name]["by_severity"] = of_severity
    return {
        "seed": seed,
        "severities": list(severities),
        "kinds": found,
        "groups": {
            group: _summary({n: kind for n, kind in found.items() if kind["group"] == group})
            for group in GROUPS
            if any(kind.group == group for kind in kinds)
        },
    }


def num_passes(kinds: Sequence[Kind], severities: Sequence[int]) -> int:
    """How often each frame is labelled."""
    return sum(len(_severities(kind, severities)) for kind in kinds)


def corruption_table(report: dict) -> str:
    """What `score_corruptions` found, a block a group.

    Args:
        report: of `score_corruptions`.
    """
    heads = {
        "camera": "everyday changes of a camera",
        "hendrycks": "Hendrycks & Dietterich",
        "unseen": "Hendrycks & Dietterich, kinds that are kept out of training",
    }
    lines = []
    for group, summary in report["groups"].items():
        grades = ", ".join(map(str, report["severities"]))
        mean_over = "" if group == "camera" else f", mean of severities {grades}"
        lines += [f"{heads[group]}{mean_over}", f"{'':>{_WIDTH}}   mIoU   kept"]
        for name, kind in report["kinds"].items():
            if kind["group"] == group:
                lines.append(f"{name:>{_WIDTH}} {_percent(kind['miou'])} {_percent(kind['kept'])}")
        lines.append(
            f"{'mean':>{_WIDTH}} {_percent(summary['miou'])} {_percent(summary['kept'])}"
            f"   % of {summary['kinds']}; worst: {summary['worst']}"
            f" ({_percent(report['kinds'][summary['worst']]['kept']).strip()})"
        )
        lines.append("")
    return "\n".join(lines[:-1])


def _severities(kind: Kind, severities: Sequence[int]) -> Sequence[int]:
    return severities if kind.graded else (1,)


def _report(scores: Scores) -> dict:
    report = scores.report()
    return {"miou": report["miou"], "iou": report["iou"]}


def _mean_by_class(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over the severities where the class occurs; NaN where it never does."""
    means = {}
    for name in scores[0]:
        valid = [score[name] for score in scores if not math.isnan(score[name])]
        means[name] = sum(valid) / len(valid) if valid else math.nan
    return means


def _summary(kinds: dict[str, dict]) -> dict:
    return {
        "kinds": len(kinds),
        "miou": float(np.mean([kind["miou"] for kind in kinds.values()])),
        "kept": float(np.mean([kind["kept"] for kind in kinds.values()])),
        "worst": min(kinds, key=lambda name: kinds[name]["miou"]),
    }


def _percent(share: float) -> str:
    return f"{'-':>6}" if math.isnan(share) else f"{100 * share:6.2f}"
