"""This project's own bars: what its deploy path must be better than, measured in one run.

Every ratio is of medians (and, under `minima`, of minima); above 1 the deploy path is faster. The
networks are built anew for 19 classes, their classifiers fitted to the frames (`fitted_network`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..export.onnx_export import export_onnx
from ..export.tflite_export import export_tflite, random_network
from ..label_map import LabelMap
from ..model_description import read_description
from ..segmenter import Segmenter
from ..size import format_size
from ..tflite_file import TFLiteFile
from ..upsampling import LabelUpsampler
from . import label_peers
from .fitted_network import fit
from .gemm_rate import SIZE, Gemm
from .interleaved import measure, summary
from .other_runtimes import OnnxRuntimePipeline, OpenVINOPipeline

SMALL, LARGE, CAMERA = (224, 224), (640, 360), (1920, 1080)
LABEL_SIZES = (LARGE, (1280, 720), CAMERA)
ONE, TWO = "640x360, threads 1", "640x360, threads 2"
SMALL_TWO = "224x224, threads 2"
CAMERA_TWO = "1920x1080 from 640x360, threads 2"
GEMM = "product of 1024 × 1024 matrices"
_FIT_FRAMES = 8


@dataclass(frozen=True)
class Group:
    """Pipelines that take turns on the same frames.

    Attributes:
        frames: what each is given: images uint8 [H, W, 3], or logits where only labels are timed.
        size: (width, height) of the labels.
        pipelines: name → an object with `segment(frame, out)` and `timings`.
    """

    frames: Sequence[np.ndarray]
    size: tuple[int, int]
    pipelines: dict


def run_bars(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    folder: Path,
    frames: int,
    warm_up: int,
    begin: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> dict:
    """Build, export and time everything.

    Args:
        images: uint8 [H, W, 3], of one size.
        truths: uint8 [H, W], ids below 19; others are ignored.
        folder: for the exported files.
        frames: timed ones of every group.
        warm_up: frames before them.
        begin: called with the number of calls to come; what it returns is called after each.

    Returns:
        {"ratios": key → ratio of medians, "minima": the same of minima, "same_labels": those of
        MobileNetV2 with our labels instead of its own, "groups": name → pipeline → its summary, …}.

    Raises:
        UserError: TensorFlow, onnx, ONNX Runtime, OpenVINO or threadpoolctl is missing.
    """
    files = _export_all(images, truths, folder)
    groups = {**_network_groups(files, images), **_label_groups(files, images)}
    tick = begin((frames + warm_up) * sum(len(group.pipelines) for group in groups.values()))
    results = {}
    for name, group in groups.items():
        runs = [_timed(pipeline, group, tick) for pipeline in group.pipelines.values()]
        seconds = measure(runs, frames, warm_up)
        results[name] = {label: summary(s) for label, s in zip(group.pipelines, seconds)}
    gemm = SIZE**3 / results[ONE][GEMM]["min_ms"] / 1e6
    ours = TFLiteFile(files["shufflenet_v2", "basic", LARGE, "deploy"])
    gmac, executed = read_description(ours).gmac, ours.macs / 1e9
    medians, minima = (_ratios(results, key, gmac, gemm) for key in ("p50_ms", "min_ms"))
    return {
        "ratios": medians,
        "minima": minima,
        "same_labels": _same_labels(results),
        "gemm_gmac_per_s": gemm,
        "gmac": gmac,
        "gmac_executed": executed,
        "gemm_share_executed": medians["gemm_share"] * executed / gmac,
        "blended_pixels": _blended_pixels(files, images),
        "input": format_size(LARGE),
        "groups": results,
    }


def _network_groups(files: dict, images) -> dict[str, Group]:
    def ours(head, size, threads):
        return Segmenter(files["shufflenet_v2", head, size, "deploy"], threads)

    def plain(head, size, threads):
        return Segmenter(files["shufflenet_v2", head, size, "plain"], threads)

    def mobilenet(head, size, form):
        return Segmenter(files["mobilenet_v2", head, size, form], 2)

    def heads(size):
        return {
            "MobileNetV2 + basic": mobilenet("basic", size, "plain"),
            "MobileNetV2 + basic, our labels": mobilenet("basic", size, "logits"),
            "deploy, DPC": ours("dpc", size, 2),
            "MobileNetV2 + DPC": mobilenet("dpc", size, "plain"),
            "MobileNetV2 + DPC, our labels": mobilenet("dpc", size, "logits"),
        }

    def group(size, pipelines):
        resized = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
        return Group(resized, size, pipelines)

    onnx = files["onnx"]
    runtimes = {
        "ONNX Runtime": OnnxRuntimePipeline(onnx, LARGE, 2),
        "OpenVINO": OpenVINOPipeline(onnx, LARGE, 2),
    }
    one = {"deploy": ours("basic", LARGE, 1), "plain": plain("basic", LARGE, 1), GEMM: Gemm(1)}
    two = {"deploy": ours("basic", LARGE, 2), "plain": plain("basic", LARGE, 2)}
    camera = {
        "deploy": ours("basic", LARGE, 2),
        "all logits by OpenCV, argmax": label_peers.WithLabels(
            ours("basic", LARGE, 2), label_peers.all_logits
        ),
        "all logits in the graph": Segmenter(files["camera"], 2),
    }
    return {
        ONE: group(LARGE, one),
        TWO: group(LARGE, {**two, **runtimes, **heads(LARGE)}),
        SMALL_TWO: group(SMALL, {"deploy": ours("basic", SMALL, 2), **heads(SMALL)}),
        CAMERA_TWO: group(CAMERA, camera),
    }


def _label_groups(files: dict, images) -> dict[str, Group]:
    """The labels alone, of logits at output stride."""
    segmenter = Segmenter(files["shufflenet_v2", "basic", LARGE, "deploy"], 2)
    logits = [segmenter.logits(image) for image in images]
    groups = {}
    for size in LABEL_SIZES:
        upsampler = LabelUpsampler()
        ways = {
            "exact, ours": lambda logits, out, upsampler=upsampler: upsampler(
                logits, out.shape[::-1], out
            ),
            "valid classes only (not exact)": label_peers.valid_classes,
            "all logits by OpenCV, argmax": label_peers.all_logits,
            "all logits in the graph, threads 2": label_peers.InGraph(logits[0].shape, size, 2),
        }
        pipelines = {name: label_peers.LabelsAlone(way) for name, way in ways.items()}
        groups[f"labels alone, {format_size(size)}"] = Group(logits, size, pipelines)
    return groups


def _ratios(results: dict, key: str, gmac: float, gemm: float) -> dict:
    def over(name, other, own="deploy"):
        return results[name][other][key] / results[name][own][key]

    # The better one of two usual ways is what the exact labels are compared with.
    usual = min(over(CAMERA_TWO, other) for other in results[CAMERA_TWO] if other != "deploy")
    ours = results[TWO]["deploy"]
    return {
        "plain_over_deploy_2t": over(TWO, "plain"),
        "plain_over_deploy_1t": over(ONE, "plain"),
        "logits_resize_over_deploy_1080p": usual,
        "upsample_share": ours["labels_ms"] / ours["p50_ms"],
        "mobilenet_basic_over_ours_224": over(SMALL_TWO, "MobileNetV2 + basic"),
        "mobilenet_basic_over_ours_640": over(TWO, "MobileNetV2 + basic"),
        "mobilenet_dpc_over_ours_224": over(SMALL_TWO, "MobileNetV2 + DPC", "deploy, DPC"),
        "mobilenet_dpc_over_ours_640": over(TWO, "MobileNetV2 + DPC", "deploy, DPC"),
        "onnxruntime_over_deploy": over(TWO, "ONNX Runtime"),
        "openvino_over_deploy": over(TWO, "OpenVINO"),
        # The best of each, as the rate of a machine is.
        "gemm_share": 1000 * gmac / results[ONE]["deploy"]["min_ms"] / gemm,
    }


def _same_labels(results: dict) -> dict:
    """MobileNetV2's medians over ours where both end with our labels: the networks alone."""
    return {
        f"mobilenet_{head.lower()}_over_ours_{size}": results[group][
            f"MobileNetV2 + {head}, our labels"
        ]["p50_ms"]
        / results[group][own]["p50_ms"]
        for group, size in ((SMALL_TWO, 224), (TWO, 640))
        for head, own in (("basic", "deploy"), ("DPC", "deploy, DPC"))
    }


def _blended_pixels(files: dict, images) -> float:
    """The mean share of pixels in cells of several classes: what labels cost depends on it."""
    segmenter = Segmenter(files["shufflenet_v2", "basic", LARGE, "deploy"], 2)
    upsampler, shares = LabelUpsampler(), []
    for image in images:
        upsampler(segmenter.logits(image), LARGE)
        shares.append(upsampler.blended_share)
    return float(np.mean(shares))


def _timed(pipeline, group: Group, tick):
    out = np.empty(group.size[::-1], np.uint8)

    def run(number):
        pipeline.segment(group.frames[number % len(group.frames)], out)
        tick()
        return pipeline.timings

    return run


def _export_all(images, truths, folder: Path) -> dict:
    """(architecture, head, size, form) → file; "onnx" and "camera" beside them."""
    files = {}
    chosen = np.linspace(0, len(images) - 1, _FIT_FRAMES).astype(int)
    fit_images = np.stack([cv2.resize(images[i], LARGE) for i in chosen])
    fit_truths = np.stack(
        [cv2.resize(truths[i], LARGE, interpolation=cv2.INTER_NEAREST) for i in chosen]
    )
    for architecture in ("shufflenet_v2", "mobilenet_v2"):
        for head in ("basic", "dpc"):
            network = random_network(LabelMap.named("cityscapes"), LARGE, architecture, head=head)
            model = network.build(input_size=LARGE, upsample=False)
            fit(model, fit_images, fit_truths)
            name = f"{architecture}_{head}"
            weights = folder / f"{name}.weights.h5"
            model.save_weights(weights)
            for size in (SMALL, LARGE):
                for form, options in _forms(architecture, head):
                    key = architecture, head, size, form
                    if key not in files:
                        files[key] = folder / f"{name}_{form}_{format_size(size)}.tflite"
                        export_tflite(network, files[key], weights, input_size=size, **options)
            if (architecture, head) == ("shufflenet_v2", "basic"):
                files["onnx"] = folder / "plain.onnx"
                export_onnx(model, files["onnx"])
                files["camera"] = folder / "camera.tflite"
                options = {"graph": "plain", "output": "labels", "label_size": CAMERA}
                export_tflite(network, files["camera"], weights, **options)
    return files


def _forms(architecture: str, head: str) -> list[tuple[str, dict]]:
    """(name, options of the export) of the files that the groups need."""
    plain = ("plain", {"graph": "plain", "output": "labels"})
    if architecture == "mobilenet_v2":
        return [plain, ("logits", {"graph": "plain"})]
    return [("deploy", {}), plain] if head == "basic" else [("deploy", {})]
