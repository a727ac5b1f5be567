"""How fast the input pipeline alone makes training batches."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter

import numpy as np
from tqdm import tqdm

from shuffleseg_core.datasets import Dataset
from shuffleseg_core.prefetch import prefetched

from .augmentation import Augmentation
from .batches import AugmentedBatches


def benchmark_input(
    dataset: Dataset, augmentation: Augmentation, batch_size: int, workers: int, seconds: float
) -> dict:
    """Make batches as a training does, with nothing behind that takes them.

    Args:
        dataset, augmentation, batch_size: see `AugmentedBatches`.
        workers: threads.
        seconds: batches begun in this time are counted; these are at least one a thread.

    Returns:
        `images` made, `seconds` from start to end, `images_per_second`;
        `images_per_second_per_core`: images by the time that the threads were computing, which
        leaves out waiting for the disk and for other programs;
        `milliseconds`: that time an image, in all (`total`) and for decoding the image
        (`decode_image`), its labels (`decode_labels`) and `augment`.

    Raises:
        UserError: an image or its labels cannot be read.
    """
    clock = _Clock()
    batches = AugmentedBatches(
        _TimedDataset(dataset, clock), _TimedAugmentation(augmentation, clock), batch_size, seed=0
    )

    def make_batch(step: int) -> None:
        with clock.timed("total"):
            batches.batch(step)

    make_batch(0)  # first calls, and the images that the disk cache lacks
    clock.reset()
    start = time.perf_counter()

    def steps():
        for step in itertools.count(1):
            if step > workers and time.perf_counter() - start > seconds:
                return
            yield step

    images = 0
    with tqdm(desc="decode + augment", unit="image") as bar:
        for _ in prefetched(make_batch, steps(), workers):
            images += batch_size
            bar.update(batch_size)
    elapsed = time.perf_counter() - start
    return {
        "images": images,
        "seconds": elapsed,
        "images_per_second": images / elapsed,
        "images_per_second_per_core": images / clock.seconds["total"],
        "milliseconds": {part: 1000 * clock.seconds[part] / images for part in _PARTS},
    }


_PARTS = ("total", "decode_image", "decode_labels", "augment")


class _Clock:
    """Adds up what the parts of the pipeline compute, over all threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.seconds = Counter()

    @contextlib.contextmanager
    def timed(self, part: str):
        start = time.thread_time()
        yield
        spent = time.thread_time() - start
        with self._lock:
            self.seconds[part] += spent


class _TimedDataset(Dataset):
    def __init__(self, dataset: Dataset, clock: _Clock):
        self.name, self.label_map = dataset.name, dataset.label_map
        self.endless = dataset.endless
        self._dataset, self._clock = dataset, clock

    def __len__(self) -> int:
        return len(self._dataset)

    def sample_name(self, index: int) -> str:
        return self._dataset.sample_name(index)

    def labels_source(self, index: int) -> str:
        return self._dataset.labels_source(index)

    def read_image(self, index: int) -> np.ndarray:
        with self._clock.timed("decode_image"):
            return self._dataset.read_image(index)

    def read_labels(self, index: int) -> np.ndarray:
        with self._clock.timed("decode_labels"):
            return self._dataset.read_labels(index)


class _TimedAugmentation:
    def __init__(self, augmentation: Augmentation, clock: _Clock):
        self.crop = augmentation.crop
        self._augmentation, self._clock = augmentation, clock

    def __call__(self, *arguments) -> tuple[np.ndarray, np.ndarray]:
        with self._clock.timed("augment"):
            return self._augmentation(*arguments)
