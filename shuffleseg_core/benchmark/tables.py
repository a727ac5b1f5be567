"""Build, export, count and time the systems of the tables, all in one run.

Every system is there in two forms. `plain` is how the paper measured: the network layer by layer,
resize and argmax in the graph. `exported` is what `shuffleseg export` writes by default and the
`Segmenter` runs: the deploy graph where the network has one, and our labels of its logits.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..atomic_file import atomic_path
from ..errors import UserError
from ..export.tflite_export import export_tflite, random_network
from ..label_map import LabelMap
from ..model_description import read_description
from ..models import build_model
from ..models.engine import keras
from ..models.statistics import model_statistics
from ..network_input import resize_to_input
from ..segmenter import Segmenter
from ..size import format_size, parse_size
from ..tflite_file import TFLiteFile
from .fitted_network import fit, is_fitted
from .interleaved import measure, summary
from .peak_memory import peak_memory
from .published import published_figures
from .systems import System

#: Form → options of the export.
FORMS = {"plain": {"graph": "plain", "output": "labels"}, "exported": {}}

Size = tuple[int, int]
Files = Mapping[tuple[str, str, Size], Path]  # by (network, form, size)

_FIT_FRAMES = 8
_FIT_BATCH = 2  # SegNet's activations of that many images take some 4 GB at 640×360


def export_systems(
    systems: Sequence[System],
    sizes: Sequence[Size],
    folder: Path,
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    tick: Callable[[], object] = lambda: None,
) -> Files:
    """Export every network in every form at every size, for Cityscapes' 19 classes.

    Files that are there from an earlier run are taken over where their network counts what it
    counts now.

    Args:
        systems: which; networks that several share are exported once.
        sizes: of the inputs.
        folder: for the files.
        images: uint8 [H, W, 3], which the classifiers are fitted to.
        truths: uint8 [H, W] ids of these.
        tick: called after every file.

    Raises:
        UserError: a network cannot be built or converted, or a file cannot be written.
    """
    files = {}
    for system in _networks(systems).values():
        network = random_network(
            LabelMap.named("cityscapes"), sizes[0], system.architecture, **system.options
        )
        for size in sizes:
            for form in FORMS:
                files[system.network, form, size] = (
                    folder / f"{system.network}_{form}_{format_size(size)}.tflite"
                )
        counts = {size: _count(system, size) for size in sizes}
        missing = [
            (form, size)
            for size in sizes
            for form in FORMS
            if not _is_of(files[system.network, form, size], counts[size])
        ]
        for _ in range(len(FORMS) * len(sizes) - len(missing)):
            tick()
        if not missing:
            continue
        weights = folder / f"{system.network}.weights.h5"
        _write_weights(network, weights, max(sizes, key=math.prod), images, truths)
        for form, size in missing:
            path = files[system.network, form, size]
            export_tflite(network, path, weights, input_size=size, **FORMS[form])
            tick()
        keras.backend.clear_session()
        gc.collect()
    return files


def count_systems(systems: Sequence[System], sizes: Sequence[Size]) -> dict[str, dict]:
    """System's key → its parameters, multiply-accumulates at each size and at those that figures
    were published for, and whether its classifier can be fitted."""
    counted = {}
    for key, system in _networks(systems).items():
        shared = [other.key for other in systems if other.network == system.network]
        published = {
            parse_size(figure.size)
            for name in shared
            for figure in published_figures().get(name, ())
            if figure.figure == "gflops"
        }
        counts = {size: _count(system, size) for size in [*sizes, *sorted(published - {*sizes})]}
        parameters = counts[sizes[0]].parameters
        counted[key] = {
            "parameters": parameters,
            "gmac": {format_size(size): count.gmac for size, count in counts.items()},
            "fitted": is_fitted(_build(system, sizes[0])),
        }
    return {system.key: counted[system.network] for system in systems}


def time_systems(
    systems: Sequence[System],
    files: Files,
    images: Mapping[Size, Sequence[np.ndarray]],
    threads: int,
    frames: int,
    warm_up: int,
    slow_ms: float,
    begin: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> dict[str, dict[str, dict[str, dict]]]:
    """Time all forms of all systems, those of a size in turns on the same frames.

    A form that takes longer than `slow_ms` is timed on every k-th frame alone, so that it costs
    no more than `slow_ms` a frame on average; k is odd, since turns go forth and back.

    Args:
        systems: which.
        files: as `export_systems` gives them.
        images: the frames of each size, uint8 [height, width, 3].
        threads: of one inference.
        frames: timed ones.
        warm_up: frames before them.
        slow_ms: see above.
        begin: called with the number of calls to come; what it returns is called after each.

    Returns:
        System's key → size → form → figures of `summary`, `every` (k), `file_mb`, and of
        `peak_memory` what the system can tell.

    Raises:
        UserError: a file cannot be run.
    """
    names = [(network, form) for network in _networks(systems) for form in FORMS]
    tick = begin((warm_up + frames) * len(names) * len(images))
    found = {system.network: {} for system in systems}
    for size, given in images.items():
        # Those of one size at a time in memory.
        paths = [files[network, form, size] for network, form in names]
        turns = [_Turns(Segmenter(path, threads), given, size, slow_ms, tick) for path in paths]
        seconds = measure(turns, frames, warm_up)
        for (network, form), path, turn, taken in zip(names, paths, turns, seconds):
            figures = {**summary(taken), "every": turn.every, "file_mb": path.stat().st_size / 1e6}
            found[network].setdefault(format_size(size), {})[form] = figures
        del turns
        gc.collect()
        for (network, form), path in zip(names, paths):
            try:
                found[network][format_size(size)][form] |= peak_memory(path, threads, size)
            except UserError:  # the system does not tell; times are kept
                pass
    return {system.key: found[system.network] for system in systems}


class _Turns:
    """One file's turns."""

    def __init__(self, segmenter: Segmenter, images, size: Size, slow_ms: float, tick):
        self._segmenter, self._images, self._tick = segmenter, images, tick
        self._out = np.empty(size[::-1], np.uint8)
        self.every = 1
        for number in range(2):  # the first one is slower: memory is new
            self._segment(number)
        times = math.ceil(1000 * segmenter.timings.total / slow_ms)
        self.every = times + 1 - times % 2

    def __call__(self, number: int):
        self._tick()
        if number % self.every:
            return None
        self._segment(number)
        return self._segmenter.timings

    def _segment(self, number: int) -> None:
        self._segmenter.segment(self._images[number % len(self._images)], self._out)


def _networks(systems: Sequence[System]) -> dict[str, System]:
    """Name of a network → the first system that has it."""
    found = {}
    for system in systems:
        found.setdefault(system.network, system)
    return found


def _build(system: System, size: Size):
    classes = len(LabelMap.named("cityscapes"))
    return build_model(system.architecture, classes, size, upsample=False, **system.options)


def _count(system: System, size: Size):
    return model_statistics(_build(system, size))


def _is_of(path: Path, count) -> bool:
    """Whether the file is whole and of a network that counts so."""
    if not path.is_file():
        return False
    try:
        description = read_description(TFLiteFile(path))
    except UserError:
        return False
    return description is not None and (description.parameters, description.gmac) == (
        count.parameters,
        count.gmac,
    )


def _write_weights(network, path: Path, size: Size, images, truths) -> None:
    """Random weights, the same ones every time, with the classifier fitted at that size."""
    keras.utils.set_random_seed(0)
    model = network.build(input_size=size, upsample=False)
    chosen = np.linspace(0, len(images) - 1, _FIT_FRAMES).astype(int)
    fit(
        model,
        np.stack([resize_to_input(images[i], size) for i in chosen]),
        np.stack([cv2.resize(truths[i], size, interpolation=cv2.INTER_NEAREST) for i in chosen]),
        batch=_FIT_BATCH,
    )
    with atomic_path(path) as temporary:
        model.save_weights(temporary)
