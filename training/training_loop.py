"""The steps of a training."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass

import keras
import numpy as np
from tqdm import tqdm

from shuffleseg_core.errors import UserError
from shuffleseg_core.mask_comparison import draw_comparison
from shuffleseg_core.models.trained_network import TrainedNetwork
from shuffleseg_core.prefetch import prefetched

from .batch_norm_statistics import estimate_batch_norms
from .batches import AugmentedBatches
from .checkpoint import Checkpoint
from .curves import draw_curves
from .engines import Engine
from .mask_strip import mask_strip
from .metrics_log import MetricsLog, read_metrics
from .optimizer import averaged_weights, make_schedule
from .recipe import Recipe
from .run_folder import RunFolder
from .tensorboard_log import TensorBoardLog
from .validation import Validation

#: A line of metrics at least so often.
_LOG_STEPS = 100


@dataclass(frozen=True)
class TrainingOptions:
    """What changes how a training runs, not what comes out.

    Attributes:
        checkpoint_steps: steps between checkpoints.
        val_epochs: epochs between validations.
        workers: threads that read and augment images.
    """

    checkpoint_steps: int = 100
    val_epochs: int = 5
    workers: int = 1

    def __post_init__(self):
        for value, name in (
            (self.checkpoint_steps, "--checkpoint-steps"),
            (self.val_epochs, "--val-epochs"),
            (self.workers, "--workers"),
        ):
            if value < 1:
                raise UserError(f"{name} is {value}; give 1 or more")


@dataclass
class TrainingLoop:
    """The steps of a training: progress, metrics, checkpoints, validations.

    Attributes:
        recipe, engine, options: see `train`.
        run_folder: of the training.
        checkpoint: of the model that is trained, see `training_model`.
        record, network: what comes out, and its network, which is a part of that model.
        validation: None scores nothing.
        step: the step to go on from, and then the one that it is at.
        losses: of the steps since the last line of metrics.
        total_steps: where it ends.
        steps_per_epoch: passes over the images.
    """

    recipe: Recipe
    run_folder: RunFolder
    engine: Engine
    checkpoint: Checkpoint
    record: TrainedNetwork
    network: keras.Model
    validation: Validation | None
    options: TrainingOptions
    step: int
    losses: list[float]
    total_steps: int
    steps_per_epoch: float

    def __post_init__(self):
        self.val_steps = max(round(self.options.val_epochs * self.steps_per_epoch), 1)
        self.log_steps = min(max(round(self.steps_per_epoch), 1), _LOG_STEPS)
        self.first = self.engine.process_index == 0
        self.batch_size = self.recipe.optimization.batch_size
        self.schedule = make_schedule(self.recipe.optimization, self.total_steps)
        self.stop = False  # asked of this process
        self.stopping = False  # agreed by all of them
        self.timed_steps = 0
        self.final_weights: list[np.ndarray] | None = None

    def run(self, batches: AugmentedBatches) -> list[np.ndarray]:
        """Train to the end; returns the network's weights.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the state is saved.
            UserError: see `train`.
        """
        self.batches = batches
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._signals())
            steps = range(self.step, self.total_steps)
            stream = prefetched(batches.batch, steps, self.options.workers)
            stack.enter_context(contextlib.closing(stream))
            if self.first:
                self.log = MetricsLog(self.run_folder.metrics, self.step)
                self.board = TensorBoardLog(self.run_folder.tensorboard, self.step)
                stack.callback(self.board.close)
            self.bar = stack.enter_context(
                tqdm(
                    total=self.total_steps * self.batch_size,
                    initial=self.step * self.batch_size,
                    unit="image",
                    desc=self.recipe.title,
                    smoothing=0.05,
                    mininterval=0.5 if sys.stderr.isatty() else 30,  # few lines in a log file
                    disable=not self.first,
                )
            )
            self._run(stream)
            return self._weights()

    def _weights(self) -> list[np.ndarray]:
        """What the network would be used with if the training ended here."""
        weights = averaged_weights(self.checkpoint.model, self.network)
        count = self.recipe.optimization.batch_norm_batches
        if self.step < self.total_steps or not count:
            return weights
        if self.final_weights is None:
            with self.engine.local_scope():
                model = self.record.build()
                model.set_weights(weights)
                steps = range(self.total_steps, self.total_steps + count)
                progress = tqdm(steps, desc="batch norms", unit="batch", leave=False, disable=None)
                estimate_batch_norms(model, (self.batches.whole(step) for step in progress))
                self.final_weights = model.get_weights()
        return self.final_weights

    def _run(self, stream) -> None:
        """The device works on one step while the result of the one before it is read."""
        self.window_start = time.perf_counter()
        if self._was_stopped_before_validation():
            self._validate()
            if self.first:
                draw_curves(read_metrics(self.run_folder.metrics), self.run_folder.curves)
        running = None
        while self.step < self.total_steps:
            try:
                images, labels = next(stream)
            except UserError:  # the data vanished: what was trained so far is worth keeping
                self._finish(running)
                self._save()
                raise
            handle = self.engine.step(self.step, images, labels, self.stop)
            self._finish(running)
            running = handle
            self.step += 1
            # Several processes must agree on the step, one need not.
            if self.stop and self.engine.process_count == 1:
                self.stopping = True
            if self._is_boundary():
                self._finish(running)
                running = None
                self._at_boundary()

    def _finish(self, handle) -> None:
        """Wait for a step, take its loss."""
        if handle is None:
            return
        loss, stop = self.engine.result(handle)
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is {loss} near step {self.step}; the last good checkpoint is "
                f"{self.run_folder.checkpoint}. Lower optimization.learning_rate and train anew"
            )
        self.losses.append(loss)
        self.timed_steps += 1
        self.stopping = self.stopping or stop
        self.bar.update(self.batch_size)

    def _is_boundary(self) -> bool:
        every = (self.log_steps, self.val_steps, self.options.checkpoint_steps)
        return (
            self.stopping
            or self.step == self.total_steps
            or any(self.step % steps == 0 for steps in every)
        )

    def _at_boundary(self) -> None:
        """All steps up to `self.step` are done, and none runs."""
        last = self.step == self.total_steps
        if self.step % self.log_steps == 0 or last:
            self._log_window()
        if self.step % self.options.checkpoint_steps == 0 or last or self.stopping:
            self._save()
        if self.stopping:
            raise KeyboardInterrupt
        if self._validates_here():
            self.engine.sync()
            self._validate()
        if self.first and (self.step % self.val_steps == 0 or last):
            draw_curves(read_metrics(self.run_folder.metrics), self.run_folder.curves)

    def _validates_here(self) -> bool:
        at_end = self.step == self.total_steps
        return self.validation is not None and (self.step % self.val_steps == 0 or at_end)

    def _was_stopped_before_validation(self) -> bool:
        """Whether the training ended between a checkpoint and the scores of the same step."""
        if self.step == 0 or not self._validates_here():
            return False
        missing = self.first and not any(
            line["step"] == self.step and "val_miou" in line
            for line in read_metrics(self.run_folder.metrics)
        )
        return self.engine.any(missing)

    def _save(self) -> None:
        self.engine.sync()
        if self.first:
            # Keras makes an optimizer while it saves one, which must not be a shared one.
            with self.engine.local_scope():
                self.checkpoint.save(self.step, self.losses)

    def _log_window(self) -> None:
        if self.first and self.losses:
            loss = float(np.mean(self.losses))
            seconds = time.perf_counter() - self.window_start
            values = {
                "loss": loss,
                "learning_rate": float(self.schedule(self.step)),
                "images_per_second": self.timed_steps * self.batch_size / seconds,
            }
            self.log.write(self.step, self.epoch, **values)
            self.board.scalars(self.step, **{f"train/{key}": v for key, v in values.items()})
            self.bar.set_postfix(loss=f"{loss:.3f}")
        self.losses.clear()
        self.timed_steps = 0
        self.window_start = time.perf_counter()

    def _validate(self) -> None:
        started = time.perf_counter()
        matrix, samples = self.validation.run(self._weights())
        if self.first:
            label_map = self.validation.dataset.label_map
            iou = dict(zip(label_map.names, (float(value) for value in matrix.iou())))
            self.log.write(
                self.step,
                self.epoch,
                val_miou=matrix.miou(),
                val_iou={name: round(value, 4) for name, value in iou.items()},
            )
            self.board.scalars(self.step, **{"val/mIoU": matrix.miou()})
            self.board.scalars(self.step, **{f"val_iou/{name}": v for name, v in iou.items()})
            for number, sample in enumerate(samples):
                picture = mask_strip(sample, label_map)
                self.board.image(self.step, f"val/image_truth_labels/{number}", picture)
            if samples:
                draw_comparison(samples, ("labels",), label_map, self.run_folder.masks)
            tqdm.write(f"step {self.step}: val mIoU {100 * matrix.miou():.1f} %")
        self.window_start += time.perf_counter() - started  # not a part of training's speed

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    @contextlib.contextmanager
    def _signals(self):
        """Let the first SIGINT or SIGTERM end the training after the step in work."""

        def interrupt(number, frame):
            self.stop = True
            for one, handler in before.items():
                signal.signal(one, handler)

        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, interrupt)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
