"""Running a recipe: from the data set to trained weights, through any interruption."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import yaml
from tqdm import tqdm

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.datasets import Dataset, open_dataset
from shuffleseg_core.errors import UserError
from shuffleseg_core.metrics import ConfusionMatrix
from shuffleseg_core.models.trained_network import WEIGHTS, TrainedNetwork
from shuffleseg_core.size import parse_size
from shuffleseg_core.synthetic_dataset import SyntheticDataset
from shuffleseg_core.user_path import user_path

from .augmentation import Augmentation
from .batches import AugmentedBatches
from .checkpoint import Checkpoint
from .curves import draw_curves
from .loss import PixelCrossEntropy, enet_class_weights
from .poly_schedule import PolySchedule
from .recipe import Recipe

#: Layers whose weights do not decay: batch norm and depthwise kernels, as officially.
_NO_DECAY = (keras.layers.BatchNormalization, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True)
class RunFolder:
    """The files of one training.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe with all defaults filled in (YAML)."""
        return self.path / "recipe.yaml"

    @property
    def checkpoint(self) -> Path:
        """State to resume from."""
        return self.path / "checkpoint.weights.h5"

    @property
    def weights(self) -> Path:
        """The trained weights, written at the end."""
        return self.path / WEIGHTS

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, epoch, loss, learning_rate, val_miou …"""
        return self.path / "metrics.jsonl"

    @property
    def curves(self) -> Path:
        """The metrics as a picture."""
        return self.path / "curves.png"


def train(
    recipe: Recipe,
    root: str,
    output: str,
    checkpoint_steps: int = 100,
    val_epochs: int = 5,
    workers: int = 1,
) -> RunFolder:
    """Train a recipe, or go on with it where `output` holds its checkpoint.

    Ctrl-C (or SIGTERM) ends it after the step in work, with a checkpoint; a second one at once.

    Args:
        recipe: what to train.
        root: the data set's folder.
        output: the run folder, made if missing.
        checkpoint_steps: steps between checkpoints.
        val_epochs: epochs between validations.
        workers: threads that read and augment images.

    Raises:
        UserError: the data, the recipe or the run folder cannot be used, or the loss is
            no longer a number.
    """
    for value, name in (
        (checkpoint_steps, "--checkpoint-steps"),
        (val_epochs, "--val-epochs"),
        (workers, "--workers"),
    ):
        if value < 1:
            raise UserError(f"{name} is {value}; give 1 or more")
    run = RunFolder(user_path(output))
    try:
        return _train(recipe, root, run, checkpoint_steps, val_epochs, workers)
    except OSError as error:
        where = error.filename or run.path
        raise UserError(
            f"{where}: {error.strerror or error}; the last good checkpoint is kept. "
            "Mend that and run the same command to go on"
        ) from error


def _train(
    recipe: Recipe, root: str, run: RunFolder, checkpoint_steps: int, val_epochs: int, workers: int
) -> RunFolder:
    dataset = open_dataset(recipe.data.dataset, root, recipe.data.train_split)
    val = None
    if recipe.data.val_split is not None:
        val = open_dataset(recipe.data.dataset, root, recipe.data.val_split)
    _keep_recipe(run, recipe)

    settings = recipe.optimization
    if run.weights.exists():
        print(f"{run.weights}: this training is done; give another --output to train anew")
        return run
    keras.utils.set_random_seed(settings.seed)
    crop = parse_size(recipe.augmentation.crop)
    total_steps = math.ceil(settings.epochs * len(dataset) / settings.batch_size)
    network = _network(recipe, dataset, total_steps)
    model = network.build(input_size=crop)
    _compile(model, recipe, dataset, total_steps)
    checkpoint = Checkpoint(run.checkpoint, model, settings.seed)
    step = checkpoint.restore()
    if step:
        print(f"going on from step {step} of {total_steps}: {run.checkpoint}")
    network.save_record(run.path)
    _truncate_metrics(run.metrics, step)

    batches = AugmentedBatches(
        dataset,
        Augmentation(**{**vars(recipe.augmentation), "crop": crop}),
        settings.batch_size,
        settings.seed,
        step,
        total_steps,
        workers,
        *_synthetic(recipe, dataset, crop),
    )
    if len(batches):
        steps_per_epoch = len(dataset) / settings.batch_size
        keeper = _Keeper(
            run,
            checkpoint,
            val,
            network,
            recipe,
            total_steps,
            steps_per_epoch,
            checkpoint_steps,
            val_epochs,
        )
        with keeper.interruptible():
            model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[keeper])
    with atomic_path(run.weights) as temporary:
        trained = network.build()  # without the optimizer's state
        trained.set_weights(model.get_weights())
        trained.save_weights(temporary, overwrite=True)
    return run


def _compile(model, recipe: Recipe, dataset: Dataset, total_steps: int) -> None:
    settings = recipe.optimization
    class_weights = None
    if settings.class_weights == "enet":
        class_weights = enet_class_weights(_class_pixels(dataset))
    optimizer = keras.optimizers.AdamW(
        PolySchedule(
            settings.learning_rate,
            total_steps,
            settings.power,
            settings.slow_start_steps,
            settings.slow_start_rate,
        ),
        weight_decay=settings.weight_decay,
        epsilon=1e-8,
    )
    optimizer.exclude_from_weight_decay(
        var_list=[
            variable
            for layer in model.layers
            for variable in layer.trainable_variables
            if isinstance(layer, _NO_DECAY) or variable.name == "bias"
        ]
    )
    loss = PixelCrossEntropy(len(dataset.label_map), dataset.label_map.ignore_id, class_weights)
    # XLA is several times slower than plain kernels for this network on CPUs.
    model.compile(optimizer, loss, jit_compile="auto" if _has_accelerator() else False)


def _has_accelerator() -> bool:
    return any(not d.lower().startswith("cpu") for d in keras.distribution.list_devices())


def _class_pixels(dataset: Dataset) -> np.ndarray:
    """int64 [C] pixels of each class; reads, and so checks, every training image."""
    counts = np.zeros(256, np.int64)
    for index in tqdm(range(len(dataset)), desc="reading labels", unit="image", leave=False):
        counts += np.bincount(dataset.read(index)[1].ravel(), minlength=256)
    return counts[: len(dataset.label_map)]


def _keep_recipe(run: RunFolder, recipe: Recipe) -> None:
    """Save the recipe, or check that the folder's training follows the same one."""
    text = yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True)
    if run.recipe.exists():
        if run.recipe.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{run.recipe}: this folder holds a training by another recipe; "
                "give another --output, or the same recipe to go on with it"
            )
        return
    try:
        with atomic_path(run.recipe) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{run.path}: cannot be written: {error.strerror}") from error


def _synthetic(recipe: Recipe, dataset: Dataset, size: tuple[int, int]):
    """(SyntheticDataset or None, its share of the views)."""
    if not recipe.data.synthetic_share:
        return None, 0.0
    synthetic = SyntheticDataset(size)
    if synthetic.label_map.names != dataset.label_map.names:
        raise UserError(
            f"recipe {recipe.name}: synthetic drives have CamVid's classes, {dataset.name} has "
            "others; set data.synthetic_share to 0"
        )
    return synthetic, recipe.data.synthetic_share


def _network(recipe: Recipe, dataset: Dataset, total_steps: int) -> TrainedNetwork:
    return TrainedNetwork(
        model=recipe.model,
        label_map=dataset.label_map,
        input_size=parse_size(recipe.augmentation.crop),
        training={
            "recipe": recipe.name,
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


def _truncate_metrics(path: Path, step: int) -> None:
    """Drop lines written after the checkpoint that the training goes on from."""
    if path.exists():
        kept = [m for m in read_metrics(path) if m["step"] <= step]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(json.dumps(m) + "\n" for m in kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl; a last line that a kill cut short is left out."""
    metrics = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            metrics.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return metrics


def validate(model: keras.Model, dataset: Dataset) -> ConfusionMatrix:
    """Score a model in inference mode, one whole image at a time.

    The model must take the images' size, or any size.
    """
    matrix = ConfusionMatrix(len(dataset.label_map), dataset.label_map.ignore_id)
    for index in range(len(dataset)):
        image, truth = dataset.read(index)
        logits = model.predict_on_batch(image[None].astype(np.float32))
        matrix.update(truth, np.argmax(np.asarray(logits)[0], axis=-1))
    return matrix


class _Keeper(keras.callbacks.Callback):
    """Shows progress, writes metrics, checkpoints, validates."""

    def __init__(
        self,
        run: RunFolder,
        checkpoint: Checkpoint,
        val: Dataset | None,
        network: TrainedNetwork,
        recipe: Recipe,
        total_steps: int,
        steps_per_epoch: float,
        checkpoint_steps: int,
        val_epochs: int,
    ):
        super().__init__()
        self.run = run
        self.checkpoint = checkpoint
        self.val = val
        self.network = network
        self.interrupted = False
        self.any_size = None  # the model for validation, built when first needed
        self.recipe = recipe
        self.total_steps = total_steps
        self.steps_per_epoch = steps_per_epoch
        self.checkpoint_steps = checkpoint_steps
        self.val_steps = max(round(val_epochs * steps_per_epoch), 1)
        self.log_steps = max(round(steps_per_epoch), 1)

    @contextlib.contextmanager
    def interruptible(self):
        """Let the first SIGINT or SIGTERM end the training after the step in work."""

        def interrupt(number, frame):
            self.interrupted = True
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

    def on_train_begin(self, logs=None):
        self.step = self.first_step = self.checkpoint.step
        self.bar = tqdm(
            total=self.total_steps * self.recipe.optimization.batch_size,
            initial=self.step * self.recipe.optimization.batch_size,
            unit="image",
            desc=self.recipe.name,
            smoothing=0.05,
        )
        self._window_start(0.0, 0)

    def _window_start(self, loss_sum: float, steps: int):
        self.loss_sum, self.loss_steps, self.window_time = loss_sum, steps, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.checkpoint.reseed(self.step)
        self.bar.update(self.recipe.optimization.batch_size)
        steps = self.step - self.first_step
        loss = float(logs["loss"])  # Keras gives the mean since fit began
        if not math.isfinite(loss):
            self.bar.close()
            raise UserError(
                f"the loss is {loss} at step {self.step}; the last good checkpoint is "
                f"{self.run.checkpoint}. Lower optimization.learning_rate and train anew"
            )
        last = self.step == self.total_steps
        if self.step % self.log_steps == 0 or last:
            window = steps - self.loss_steps
            mean = (loss * steps - self.loss_sum) / window
            seconds = time.perf_counter() - self.window_time
            self._log(
                loss=mean,
                learning_rate=float(self.model.optimizer.learning_rate),
                images_per_second=window * self.recipe.optimization.batch_size / seconds,
            )
            self.bar.set_postfix(loss=f"{mean:.3f}")
            self._window_start(loss * steps, steps)
        if self.step % self.checkpoint_steps == 0 or last or self.interrupted:
            self.checkpoint.save()
        if self.interrupted:
            self.bar.close()
            raise KeyboardInterrupt
        if self.val is not None and (self.step % self.val_steps == 0 or last):
            self._validate()
            draw_curves(read_metrics(self.run.metrics), self.run.curves)
            self.window_time = time.perf_counter()

    def _validate(self):
        if self.any_size is None:
            self.any_size = self.network.build()
        self.any_size.set_weights(self.model.get_weights())
        matrix = validate(self.any_size, self.val)
        iou = dict(zip(self.val.label_map.names, (round(float(v), 4) for v in matrix.iou())))
        self._log(val_miou=matrix.miou(), val_iou=iou)
        tqdm.write(f"step {self.step}: val mIoU {100 * matrix.miou():.1f} %")

    def _log(self, **values):
        line = {"step": self.step, "epoch": round(self.step / self.steps_per_epoch, 3), **values}
        with open(self.run.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def on_train_end(self, logs=None):
        self.bar.close()
