"""One training: from the data set to trained weights, through any interruption."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.datasets import Dataset, open_dataset
from shuffleseg_core.errors import UserError, first_line
from shuffleseg_core.mask_comparison import draw_comparison
from shuffleseg_core.models.trained_network import TrainedNetwork
from shuffleseg_core.models.weights_file import save_weights
from shuffleseg_core.size import parse_size
from shuffleseg_core.synthetic_dataset import SyntheticDataset

from .augmentation import Augmentation
from .batch_norm_statistics import estimate_batch_norms, freeze_batch_norms
from .batches import AugmentedBatches
from .checkpoint import Checkpoint
from .class_weights import enet_class_weights
from .curves import draw_curves
from .engines import Engine
from .kept_recipe import check_kept_recipe, recipe_yaml
from .loss import LOSSES
from .mask_strip import mask_strip
from .metrics_log import MetricsLog, read_metrics
from .optimizer import averaged_weights, make_optimizer, make_schedule
from .prefetch import prefetched
from .recipe import OptimizationRecipe, Recipe
from .run_folder import RunFolder
from .sessions import record_session
from .start import Start
from .teacher import load_teacher
from .tensorboard_log import TensorBoardLog
from .training_model import TrainingLoss, training_model
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


def train(
    recipe: Recipe,
    root: str,
    folder: Path,
    engine: Engine,
    start: Start | None = None,
    options: TrainingOptions | None = None,
) -> RunFolder:
    """Train a recipe, or go on with it where `folder` holds its checkpoint.

    Ctrl-C (or SIGTERM) ends it after the step in work, with a checkpoint; a second one at once.

    Args:
        recipe: what to train.
        root: the data set's folder.
        folder: the run folder, made if missing. Of several processes, the first one writes;
            the others read its checkpoint, so that they share the folder or a copy of it.
        engine: runs the steps.
        start: weights to begin with; None begins at random.
        options: how often to save and score, and how many threads read.

    Raises:
        UserError: the data, the recipe or the run folder cannot be used, or the loss is
            no longer a number. The last good checkpoint is kept.
    """
    run = RunFolder(folder)
    keras.config.set_dtype_policy(recipe.optimization.precision)
    try:
        return _train(recipe, root, run, engine, start, options or TrainingOptions())
    except OSError as error:
        where = error.filename or run.path
        raise UserError(
            f"{where}: {error.strerror or error}; the last good checkpoint is kept. "
            "Mend that and run the same command to go on"
        ) from error
    except engine.backend_errors as error:
        if engine.process_count == 1:
            raise
        raise UserError(
            f"the training's processes lost each other ({first_line(error)}); see what the others "
            "said, and run all of them again to go on"
        ) from error
    finally:
        keras.config.set_dtype_policy("float32")


def _train(
    recipe: Recipe,
    root: str,
    run: RunFolder,
    engine: Engine,
    start: Start | None,
    options: TrainingOptions,
) -> RunFolder:
    """Everything that can be refused without building the network."""
    batch_size = recipe.optimization.batch_size
    first = engine.process_index == 0
    if batch_size % engine.replicas:
        raise UserError(
            f"recipe {recipe.title}: batch_size {batch_size} does not divide over "
            f"{engine.replicas} devices; give a multiple of it"
        )
    _together(engine, lambda: check_kept_recipe(run, recipe))
    if _any(engine, run.weights.exists()):
        if first:
            print(f"{run.weights}: this training is done; give another --output to train anew")
        return run
    dataset, val = _together(engine, lambda: _open(recipe, root))
    paste_ids = recipe.data.paste_ids(dataset.label_map)
    with contextlib.ExitStack() as stack:
        _together(engine, lambda: stack.enter_context(run.locked()) if first else None)
        return _train_locked(recipe, dataset, val, paste_ids, run, engine, start, options)


def _train_locked(
    recipe: Recipe,
    dataset: Dataset,
    val: Dataset | None,
    paste_ids: list[int],
    run: RunFolder,
    engine: Engine,
    start: Start | None,
    options: TrainingOptions,
) -> RunFolder:
    settings = recipe.optimization
    first = engine.process_index == 0
    keras.utils.set_random_seed(settings.seed)
    crop = parse_size(recipe.augmentation.crop)
    steps_per_epoch = len(dataset) / settings.batch_size
    total_steps = settings.steps or math.ceil(settings.epochs * steps_per_epoch)
    network = _network(recipe, dataset, total_steps)
    with engine.scope():
        trained = network.build(input_size=crop)
        if settings.freeze_batch_norms:
            freeze_batch_norms(trained)
        teacher = _together(engine, lambda: _teacher(settings, dataset, crop))
        align_corners = recipe.model.get("align_corners", False)
        model = training_model(trained, settings, align_corners, teacher)
        model.compile(make_optimizer(settings, total_steps, model))
        checkpoint = Checkpoint(run.checkpoint, model)
        step, losses = checkpoint.restore()
        if step == 0 and settings.freeze_batch_norms and start is None:
            raise UserError(
                f"recipe {recipe.title}: freeze_batch_norms needs weights to begin with; "
                "give --start"
            )
        if step == 0 and start is not None:
            from shuffleseg_core.import_weights import load_starting_weights

            report = _together(
                engine,
                lambda: load_starting_weights(
                    trained, start.path, dataset.label_map.names, start.head
                ),
            )
            if first:
                print(report)
            if settings.freeze_batch_norms and report.backbone_alone:
                raise UserError(
                    f"{start.path}: no head is taken from it, and with freeze_batch_norms a new "
                    "head's batch norms would stay as they begin; train it without first"
                )
            about = ("backbone of " if report.backbone_alone else "") + start.path.name
            network = replace(network, training={**network.training, "start": about})
        loss = TrainingLoss(_loss(recipe, dataset, run, first, step), settings)
        engine.prepare(model, loss, settings.seed)
    if _any(engine, step * engine.process_count != engine.sum(np.array([step]))[0]):
        raise UserError(
            f"{run.checkpoint}: the processes hold different checkpoints; let them share this "
            "folder, or copy the first one's to the others"
        )
    if first:
        _prepare_folder(run, recipe)
        if step:
            print(f"going on from step {step} of {total_steps}: {run.checkpoint}")
            TrainedNetwork.load_record(run.path)  # refuses one of an older version
        else:
            network.save_record(run.path)
            _warn_of_few_steps(recipe, total_steps)
        record_session(run.sessions, step=step, start=str(start.path) if start else None)

    batches = AugmentedBatches(
        dataset,
        Augmentation.of_recipe(recipe.augmentation),
        settings.batch_size,
        settings.seed,
        engine.process_index,
        engine.process_count,
        *_synthetic(recipe, dataset, crop),
        recipe.data.paste_share,
        paste_ids,
    )
    validation = None if val is None else Validation(val, network, crop, engine)
    weights = _Loop(
        recipe,
        run,
        engine,
        checkpoint,
        network,
        trained,
        validation,
        options,
        step,
        losses,
        total_steps,
        steps_per_epoch,
    ).run(batches)
    if first:
        with engine.local_scope():
            result = network.build()  # without the optimizer's state
            result.set_weights(weights)
            save_weights(result, run.weights)
    _any(engine, False)  # the next stage reads what was just written
    return run


def _open(recipe: Recipe, root: str) -> tuple[Dataset, Dataset | None]:
    """The splits to train and to validate on."""
    dataset = open_dataset(recipe.data.dataset, root, recipe.data.train_split)
    if recipe.data.val_split is None:
        return dataset, None
    val = open_dataset(recipe.data.dataset, root, recipe.data.val_split)
    if val.label_map.names != dataset.label_map.names:
        raise UserError(f"{val.name}: its classes are not those of {dataset.name}")
    return dataset, val


def _together(engine: Engine, function):
    """Call a function that may fail in one process; where it does, all of them end."""
    result = error = None
    try:
        result = function()
    except (UserError, OSError) as failure:
        error = failure
    if _any(engine, error is not None):
        raise error or UserError("another process of this training ended; see what it said")
    return result


def _any(engine: Engine, value: bool) -> bool:
    """Whether it holds in any of the processes, so that all of them do the same."""
    return bool(engine.sum(np.array([int(value)]))[0])


def _teacher(
    settings: OptimizationRecipe, dataset: Dataset, size: tuple[int, int]
) -> keras.Model | None:
    if settings.teacher is None:
        return None
    return load_teacher(settings.teacher, dataset.label_map, size)


def _loss(
    recipe: Recipe, dataset: Dataset, run: RunFolder, write: bool, step: int
) -> keras.losses.Loss:
    class_weights = None
    if recipe.optimization.class_weights == "enet":
        class_weights = enet_class_weights(_class_pixels(dataset, run.class_pixels, write, step))
    label_map = dataset.label_map
    settings = recipe.optimization
    return LOSSES[settings.loss](
        len(label_map), label_map.ignore_id, class_weights, settings.label_smoothing
    )


def _class_pixels(dataset: Dataset, path: Path, write: bool, step: int) -> np.ndarray:
    """int64 [C] pixels of each class; counted once a training."""
    names = list(dataset.label_map.names)
    with contextlib.suppress(OSError, ValueError, KeyError):
        if step == 0:  # what lies there is of a training that never began
            raise KeyError
        kept = json.loads(path.read_text(encoding="utf-8"))
        return np.array([kept[name] for name in names], np.int64)
    counts = np.zeros(256, np.int64)
    for index in tqdm(range(len(dataset)), desc="reading labels", unit="image", leave=False):
        counts += np.bincount(dataset.read_labels(index).ravel(), minlength=256)
    counts = counts[: len(names)]
    if write:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(dict(zip(names, counts.tolist()))), encoding="utf-8")
    return counts


def _prepare_folder(run: RunFolder, recipe: Recipe) -> None:
    """Save the recipe; remove what a kill left half-written."""
    try:
        with atomic_path(run.recipe) as temporary:
            temporary.write_text(recipe_yaml(recipe), encoding="utf-8")
        for leftover in (*run.path.glob(".checkpoint-*"), *run.path.glob(".model-*")):
            leftover.unlink()
    except OSError as error:
        raise UserError(f"{run.path}: cannot be written: {error.strerror}") from error


def _warn_of_few_steps(recipe: Recipe, total_steps: int) -> None:
    """Settings that need more steps than there are spoil a training without a word."""
    slow = recipe.optimization.slow_start_steps
    if slow > total_steps / 4:
        print(
            f"note: {slow} of {total_steps} steps are slow start; train longer, or lower "
            "optimization.slow_start_steps"
        )
    moved = () if recipe.optimization.freeze_batch_norms else ("backbone_momentum", "head_momentum")
    for key in moved:
        momentum = recipe.model.get(key, 0.0)
        # What is left of the initial statistics at the end.
        if isinstance(momentum, float) and momentum**total_steps > 0.01:
            print(
                f"note: {total_steps} steps are few for batch norms with model.{key} {momentum}: "
                "scores will lag far behind the loss; train longer, or lower it (0.9)"
            )
    momentum = recipe.optimization.ema_momentum
    if momentum**total_steps > 0.01:
        print(
            f"note: {total_steps} steps are few for optimization.ema_momentum {momentum}: "
            f"{momentum**total_steps:.0%} of the first weights stay in their average; train "
            "longer, or lower it"
        )


def _synthetic(recipe: Recipe, dataset: Dataset, size: tuple[int, int]):
    """(SyntheticDataset or None, its share of the views)."""
    if not recipe.data.synthetic_share:
        return None, 0.0
    synthetic = SyntheticDataset(size)
    if synthetic.label_map.names != dataset.label_map.names:
        raise UserError(
            f"recipe {recipe.title}: synthetic drives have CamVid's classes, {dataset.name} has "
            "others; set data.synthetic_share to 0"
        )
    return synthetic, recipe.data.synthetic_share


def _network(recipe: Recipe, dataset: Dataset, total_steps: int) -> TrainedNetwork:
    return TrainedNetwork(
        model=recipe.model,
        label_map=dataset.label_map,
        input_size=parse_size(recipe.augmentation.crop),
        training={
            "recipe": recipe.title,
            "start": "random weights",
            "data": f"{dataset.name}, {len(dataset)} images",
            "synthetic_share": recipe.data.synthetic_share,
            "steps": total_steps,
            "batch_size": recipe.optimization.batch_size,
            "seed": recipe.optimization.seed,
            "keras": keras.version(),
            "backend": keras.backend.backend(),
        },
        licence=recipe.about.get("licence", ""),
    )


class _Loop:
    """The steps of a training: progress, metrics, checkpoints, validations."""

    def __init__(
        self,
        recipe: Recipe,
        run: RunFolder,
        engine: Engine,
        checkpoint: Checkpoint,
        network: TrainedNetwork,
        trained: keras.Model,
        validation: Validation | None,
        options: TrainingOptions,
        step: int,
        losses: list[float],
        total_steps: int,
        steps_per_epoch: float,
    ):
        self.recipe = recipe
        self.run_folder = run
        self.engine = engine
        self.checkpoint = checkpoint
        self.network = network
        self.trained = trained
        self.final_weights: list[np.ndarray] | None = None
        self.validation = validation
        self.options = options
        self.step = step
        self.total_steps = total_steps
        self.steps_per_epoch = steps_per_epoch
        self.val_steps = max(round(options.val_epochs * steps_per_epoch), 1)
        self.log_steps = min(max(round(steps_per_epoch), 1), _LOG_STEPS)
        self.first = engine.process_index == 0
        self.batch_size = recipe.optimization.batch_size
        self.schedule = make_schedule(recipe.optimization, total_steps)
        self.stop = False  # asked of this process
        self.stopping = False  # agreed by all of them
        self.losses = losses  # of the steps since the last line of metrics
        self.timed_steps = 0

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
        weights = averaged_weights(self.checkpoint.model, self.trained)
        count = self.recipe.optimization.batch_norm_batches
        if self.step < self.total_steps or not count:
            return weights
        if self.final_weights is None:
            with self.engine.local_scope():
                model = self.network.build()
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
        return _any(self.engine, missing)

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
