"""Scores as text: the tables of the paper."""

from __future__ import annotations

import math

_WIDTH = 14


def score_table(report: dict, num_frames: int) -> str:
    """IoU of each class and their mean; for Cityscapes also categories, iIoU and table 4's line.

    Args:
        report: of `Scores.report`.
        num_frames: that it is about.
    """
    if "iiou" not in report:
        rows = [f"{name:>{_WIDTH}} {_percent(value)} %" for name, value in report["iou"].items()]
        mean = f"{'mIoU':>{_WIDTH}} {_percent(report['miou'])} %   over {num_frames} frames"
        accuracy = f"{'pixel accuracy':>{_WIDTH}} {_percent(report['pixel_accuracy'])} %"
        return "\n".join([*rows, mean, accuracy])
    means = [report[f"m{key}"] for key in ("iou", "iiou", "category_iou", "category_iiou")]
    # Table 4 of the paper; its table 3 is the classes' column.
    heads = ("Class IoU", "Class iIoU", "Cat. IoU", "Cat. iIoU")
    return "\n".join(
        [
            *_two_columns("class", report["iou"], report["iiou"], *means[:2]),
            "",
            *_two_columns("category", report["category_iou"], report["category_iiou"], *means[2:]),
            "",
            f"pixel accuracy {_percent(report['pixel_accuracy'])} %",
            "",
            "  ".join(heads),
            "  ".join(f"{_percent(mean):>{len(head)}}" for head, mean in zip(heads, means))
            + f"   % over {num_frames} frames",
        ]
    )


def _two_columns(title, iou, iiou, mean_iou, mean_iiou) -> list[str]:
    rows = [f"{title:>{_WIDTH}} {'IoU':>6} {'iIoU':>6}   %"]
    for name, value in iou.items():
        weighted = _percent(iiou[name]) if name in iiou else ""
        rows.append(f"{name:>{_WIDTH}} {_percent(value)} {weighted}".rstrip())
    rows.append(f"{'mean':>{_WIDTH}} {_percent(mean_iou)} {_percent(mean_iiou)}")
    return rows


def _percent(score: float) -> str:
    """Six characters; a dash where there was nothing to score."""
    return f"{'-':>6}" if math.isnan(score) else f"{100 * score:6.2f}"
