"""This project's own bars: what its deploy path must be better than, measured in one run.

Ratios are of medians (and, under `minima`, of minima); where a key says `over`, above 1 the deploy
path is faster. `upsample_share` is the labels' median share of a frame, `gemm_share` the rate of
the network's multiply-accumulates over that of a large matrix product, of the best frame and the
best product. The networks are built anew for 19 classes, their classifiers fitted to the frames
(`fitted_network`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
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
from .operator_times import operator_times
from .other_runtimes import OnnxRuntimePipeline, OpenVINOPipeline

SMALL, LARGE, CAMERA = (224, 224), (640, 360), (1920, 1080)
LABEL_SIZES = (LARGE, (1280, 720), CAMERA)
ONE, TWO = "640x360, threads 1", "640x360, threads 2"
RUNTIMES_TWO = "640x360, threads 2, other runtimes"
SMALL_TWO = "224x224, threads 2"
CAMERA_TWO = "1920x1080 from 640x360, threads 2"
GEMM = "product of 1024 × 1024 matrices"
_FIT_FRAMES = 8


@dataclass(frozen=True)
class Group:
    """Pipelines that take turns on the same frames.

    Attributes:
        frames: gives what each is given: images uint8 [H, W, 3], or logits where only labels are
            timed.
        size: (width, height) of the labels.
        pipelines: name → a function that makes an object with `segment(frame, out)` and `timings`.
    """

    frames: Callable[[], Sequence[np.ndarray]]
    size: tuple[int, int]
    pipelines: dict[str, Callable]


def run_bars(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    folder: Path,
    frames: int,
    warm_up: int,
    operators: bool = False,
    begin: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> dict:
    """Build, export and time everything.

    Args:
        images: uint8 [H, W, 3], of one size.
        truths: uint8 [H, W], ids below 19; others are ignored.
        folder: for the exported files.
        frames: timed ones of every group.
        warm_up: frames before them.
        operators: also time the basic network's operators one by one.
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
        # One group after another in memory.
        given = group.frames()
        runs = [_timed(make(), given, group.size, tick) for make in group.pipelines.values()]
        seconds = measure(runs, frames, warm_up)
        results[name] = {label: summary(s) for label, s in zip(group.pipelines, seconds)}
    gemm = SIZE**3 / results[ONE][GEMM]["min_ms"] / 1e6
    ours = TFLiteFile(files["shufflenet_v2", "basic", LARGE, "deploy"])
    gmac, executed = read_description(ours).gmac, ours.macs / 1e9
    one_by_one = {}
    if operators:
        for form in ("deploy", "plain"):
            path = files["shufflenet_v2", "basic", LARGE, form]
            with contextlib.suppress(UserError):  # times already taken are kept
                one_by_one[f"{form}, threads 1"] = [asdict(t) for t in operator_times(path, 1)]
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
        **({"operators": one_by_one} if operators else {}),
    }


def _network_groups(files: dict, images) -> dict[str, Group]:
    def segmenter(form, size=LARGE, threads=2, head="basic", architecture="shufflenet_v2"):
        return lambda: Segmenter(files[architecture, head, size, form], threads)

    def heads(size):
        mobilenet = partial(segmenter, size=size, architecture="mobilenet_v2")
        return {
            "MobileNetV2 + basic": mobilenet("plain"),
            "MobileNetV2 + basic, our labels": mobilenet("logits"),
            "deploy, DPC": segmenter("deploy", size, head="dpc"),
            "MobileNetV2 + DPC": mobilenet("plain", head="dpc"),
            "MobileNetV2 + DPC, our labels": mobilenet("logits", head="dpc"),
        }

    def group(size, pipelines):
        def resized():
            return [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]

        return Group(resized, size, pipelines)

    def other(runtime, output):
        return lambda: runtime(files["onnx", output], LARGE, 2)

    # In a group of their own: threads that wait busily would slow whoever comes next.
    runtimes = {
        "deploy": segmenter("deploy"),
        "ONNX Runtime": other(OnnxRuntimePipeline, "labels"),
        "ONNX Runtime, our labels": other(OnnxRuntimePipeline, "logits"),
        "OpenVINO": other(OpenVINOPipeline, "labels"),
        "OpenVINO, our labels": other(OpenVINOPipeline, "logits"),
    }
    one = {"deploy": segmenter("deploy", threads=1), "plain": segmenter("plain", threads=1)}
    two = {"deploy": segmenter("deploy"), "plain": segmenter("plain")}
    camera = {
        "deploy": segmenter("deploy"),
        "all logits by OpenCV, argmax": lambda: label_peers.WithLabels(
            segmenter("deploy")(), label_peers.all_logits
        ),
        "all logits in the graph": lambda: Segmenter(files["camera"], 2),
    }
    return {
        ONE: group(LARGE, {**one, GEMM: lambda: Gemm(1)}),
        TWO: group(LARGE, {**two, **heads(LARGE)}),
        RUNTIMES_TWO: group(LARGE, runtimes),
        SMALL_TWO: group(SMALL, {"deploy": segmenter("deploy", SMALL), **heads(SMALL)}),
        CAMERA_TWO: group(CAMERA, camera),
    }


def _label_groups(files: dict, images) -> dict[str, Group]:
    """The labels alone, of logits at output stride."""
    segmenter = Segmenter(files["shufflenet_v2", "basic", LARGE, "deploy"], 2)
    logits = [segmenter.logits(image) for image in images]

    def alone(make_way):
        return lambda: label_peers.LabelsAlone(make_way())

    def ours():
        upsampler = LabelUpsampler()
        return lambda logits, out: upsampler(logits, out.shape[::-1], out)

    groups = {}
    for size in LABEL_SIZES:
        ways = {
            "exact, ours": ours,
            "valid classes only (not exact)": lambda: label_peers.valid_classes,
            "all logits by OpenCV, argmax": lambda: label_peers.all_logits,
            "all logits in the graph, threads 2": partial(
                label_peers.InGraph, logits[0].shape, size, 2
            ),
        }
        pipelines = {name: alone(way) for name, way in ways.items()}
        groups[f"labels alone, {format_size(size)}"] = Group(lambda: logits, size, pipelines)
    return groups


#: key → (group, pipeline, ours): how many times as long the pipeline takes.
_OVER = {
    "plain_over_deploy_2t": (TWO, "plain", "deploy"),
    "plain_over_deploy_1t": (ONE, "plain", "deploy"),
    "mobilenet_basic_over_ours_224": (SMALL_TWO, "MobileNetV2 + basic", "deploy"),
    "mobilenet_basic_over_ours_640": (TWO, "MobileNetV2 + basic", "deploy"),
    "mobilenet_dpc_over_ours_224": (SMALL_TWO, "MobileNetV2 + DPC", "deploy, DPC"),
    "mobilenet_dpc_over_ours_640": (TWO, "MobileNetV2 + DPC", "deploy, DPC"),
    "onnxruntime_over_deploy": (RUNTIMES_TWO, "ONNX Runtime", "deploy"),
    "openvino_over_deploy": (RUNTIMES_TWO, "OpenVINO", "deploy"),
}


def _ratios(results: dict, key: str, gmac: float, gemm: float) -> dict:
    two, camera = results[TWO]["deploy"], results[CAMERA_TWO]
    shares = {"upsample_share": two["labels_ms"] / two["p50_ms"]} if key == "p50_ms" else {}
    # The better one of two usual ways is what the exact labels are compared with.
    usual = min(found[key] for name, found in camera.items() if name != "deploy")
    return {
        **shares,
        **{
            name: results[group][other][key] / results[group][ours][key]
            for name, (group, other, ours) in _OVER.items()
        },
        "logits_resize_over_deploy_1080p": usual / camera["deploy"][key],
        "gemm_share": 1000 * gmac / results[ONE]["deploy"]["min_ms"] / gemm,
    }


def _same_labels(results: dict) -> dict:
    """Medians of others over ours where both end with our labels."""
    return {
        name: results[group][f"{other}, our labels"]["p50_ms"] / results[group][ours]["p50_ms"]
        for name, (group, other, ours) in _OVER.items()
        if f"{other}, our labels" in results[group]
    }


def _blended_pixels(files: dict, images) -> float:
    """The mean share of pixels in cells of several classes: what labels cost depends on it."""
    segmenter = Segmenter(files["shufflenet_v2", "basic", LARGE, "deploy"], 2)
    upsampler, shares = LabelUpsampler(), []
    for image in images:
        upsampler(segmenter.logits(image), LARGE)
        shares.append(upsampler.blended_share)
    return float(np.mean(shares))


def _timed(pipeline, frames, size, tick):
    out = np.empty(size[::-1], np.uint8)

    def run(number):
        pipeline.segment(frames[number % len(frames)], out)
        tick()
        return pipeline.timings

    return run


def _export_all(images, truths, folder: Path) -> dict:
    """(architecture, head, size, form), ("onnx", output) and "camera" → file."""
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
                for output in ("labels", "logits"):
                    files["onnx", output] = folder / f"{output}.onnx"
                    export_onnx(model, files["onnx", output], labels=output == "labels")
                files["camera"] = folder / "camera.tflite"
                options = {"output": "labels", "label_size": CAMERA}
                export_tflite(network, files["camera"], weights, **options)
    return files


def _forms(architecture: str, head: str) -> list[tuple[str, dict]]:
    """(name, options of the export) of the files that the groups need."""
    plain = ("plain", {"graph": "plain", "output": "labels"})
    if architecture == "mobilenet_v2":
        return [plain, ("logits", {"graph": "plain"})]
    return [("deploy", {}), plain] if head == "basic" else [("deploy", {})]
