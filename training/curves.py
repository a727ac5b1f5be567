"""Training curves as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure  # without pyplot: no display, no global state

from shuffleseg_core.atomic_file import atomic_path


def draw_curves(metrics: list[dict], path: Path) -> None:
    """Draw loss, learning rate and validation mIoU over epochs into a PNG."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    loss_axes, miou_axes = figure.subplots(1, 2)
    losses = [m for m in metrics if "loss" in m]
    loss_axes.plot([m["epoch"] for m in losses], [m["loss"] for m in losses], color="tab:blue")
    loss_axes.set(xlabel="epoch", ylabel="training loss", yscale="log")
    rate_axes = loss_axes.twinx()
    rate_axes.plot(
        [m["epoch"] for m in losses], [m["learning_rate"] for m in losses], color="tab:gray", lw=1
    )
    rate_axes.set_ylabel("learning rate (grey)")
    scores = [m for m in metrics if "val_miou" in m]
    epochs = [m["epoch"] for m in scores]
    for index, name in enumerate(scores[-1]["val_iou"] if scores else ()):
        iou = [100 * _number(m["val_iou"][name]) for m in scores]
        miou_axes.plot(epochs, iou, lw=0.9, label=name, color=f"C{index % 10}",
                       ls=("-", "--", ":")[index // 10 % 3])  # fmt: skip
    miou_axes.plot(
        epochs, [100 * _number(m["val_miou"]) for m in scores], color="black", lw=2, label="mean"
    )
    miou_axes.set(xlabel="epoch", ylabel="validation IoU / %", ylim=(0, 100))
    if scores:
        figure.legend(*miou_axes.get_legend_handles_labels(), loc="outside right", fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _number(value: float | None) -> float:
    """NaN for null: a class that occurs in no image has no score."""
    return float("nan") if value is None else value
