"""One training: from the data set to trained weights, through any interruption."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.datasets import Dataset, open_dataset
from shuffleseg_core.errors import UserError, first_line
from shuffleseg_core.models.architectures import ARCHITECTURES
from shuffleseg_core.models.trained_network import TrainedNetwork
from shuffleseg_core.models.weights_file import save_weights
from shuffleseg_core.size import parse_size
from shuffleseg_core.synthetic_dataset import SyntheticDataset

from .augmentation import Augmentation
from .batch_norm_statistics import freeze_batch_norms, unfold_batch_norms
from .batches import AugmentedBatches
from .checkpoint import Checkpoint
from .class_weights import enet_class_weights
from .engines import Engine
from .kept_recipe import check_kept_recipe, recipe_yaml
from .loss import LOSSES
from .optimizer import make_optimizer
from .recipe import OptimizationRecipe, Recipe
from .run_folder import RunFolder
from .sessions import record_session
from .start import Start
from .teacher import load_teacher
from .training_loop import TrainingLoop, TrainingOptions
from .training_model import TrainingLoss, training_model
from .validation import Validation

#: So many views tell what a channel of a folded batch norm sees.
_UNFOLD_VIEWS = 48


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
    if recipe.optimization.loss_pixels == "quarter" and batch_size // engine.replicas % 4:
        raise UserError(
            f"recipe {recipe.title}: loss_pixels: quarter takes other pixels of each of four "
            f"images, and a device has {batch_size // engine.replicas} of the batch; give a "
            "batch_size with a multiple of 4 for each"
        )
    engine.together(lambda: check_kept_recipe(run, recipe))
    if engine.any(run.weights.exists()):
        if first:
            print(f"{run.weights}: this training is done; give another --output to train anew")
        return run
    dataset, val = engine.together(lambda: _open(recipe, root))
    paste_ids = recipe.data.paste_ids(dataset.label_map)
    with contextlib.ExitStack() as stack:
        engine.together(lambda: stack.enter_context(run.locked()) if first else None)
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
    record = _record(recipe, dataset, total_steps)
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
    with engine.scope():
        network = record.build(input_size=crop)
        if settings.freeze_batch_norms:
            freeze_batch_norms(network)
        teacher = engine.together(lambda: _teacher(settings, dataset, crop))
        align_corners = recipe.model.get("align_corners", False)
        model = training_model(network, settings, align_corners, teacher)
        model.compile(make_optimizer(settings, total_steps, model))
        checkpoint = Checkpoint(run.checkpoint, model)
        step, losses = checkpoint.restore()
        if engine.any(step * engine.process_count != engine.sum(np.array([step]))[0]):
            raise UserError(
                f"{run.checkpoint}: the processes hold different checkpoints; let them share this "
                "folder, or copy the first one's to the others"
            )
        if step == 0:
            record = _begin(record, network, recipe, dataset, engine, start, batches)
        loss = TrainingLoss(_loss(recipe, dataset, run, first, step), settings)
        engine.prepare(model, loss, settings.seed)
    if first:
        _prepare_folder(run, recipe)
        if step:
            print(f"going on from step {step} of {total_steps}: {run.checkpoint}")
            TrainedNetwork.load_record(run.path)  # refuses one of an older version
        else:
            record.save_record(run.path)
            _warn_of_few_steps(recipe, total_steps)
        record_session(run.sessions, step=step, start=str(start.path) if start else None)

    validation = None if val is None else Validation(val, record, crop, engine)
    weights = TrainingLoop(
        recipe,
        run,
        engine,
        checkpoint,
        record,
        network,
        validation,
        options,
        step,
        losses,
        total_steps,
        steps_per_epoch,
    ).run(batches)
    if first:
        with engine.local_scope():
            result = record.build()  # without the optimizer's state
            result.set_weights(weights)
            save_weights(result, run.weights)
    engine.any(False)  # the next stage reads what was just written
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


def _begin(
    record: TrainedNetwork,
    network: keras.Model,
    recipe: Recipe,
    dataset: Dataset,
    engine: Engine,
    start: Start | None,
    batches: AugmentedBatches,
) -> TrainedNetwork:
    """Fill the network with the starting weights, if any; returns the record that tells so."""
    frozen = recipe.optimization.freeze_batch_norms
    if start is None:
        if frozen:
            raise UserError(
                f"recipe {recipe.title}: freeze_batch_norms needs weights to begin with; "
                "give --start"
            )
        return record
    from shuffleseg_core.import_weights import load_starting_weights

    report = engine.together(
        lambda: load_starting_weights(network, start.path, dataset.label_map.names, start.head)
    )
    if engine.process_index == 0:
        print(report)
    if frozen and report.backbone_alone:
        raise UserError(
            f"{start.path}: no head is taken from it, and with freeze_batch_norms a new head's "
            "batch norms would stay as they begin; train it without first"
        )
    if report.folded_norms:
        norms = [name for name in report.placed if name.endswith("_norm")]
        engine.together(lambda: _unfold(record, network, norms, engine, batches))
    about = ("backbone of " if report.backbone_alone else "") + (report.origin or start.path.name)
    return replace(record, training={**record.training, "start": about})


def _unfold(
    record: TrainedNetwork,
    network: keras.Model,
    norms: list[str],
    engine: Engine,
    batches: AugmentedBatches,
) -> None:
    """Measure what folded batch norms see in the first views of the training."""
    with engine.local_scope():
        model = record.build(input_size=batches.augmentation.crop)
        model.set_weights(network.get_weights())
        steps = range(math.ceil(_UNFOLD_VIEWS / batches.batch_size))
        progress = tqdm(steps, desc="batch norms", unit="batch", leave=False, disable=None)
        unfold_batch_norms(model, norms, (batches.whole(step) for step in progress))
        weights = model.get_weights()
    network.set_weights(weights)


def _teacher(
    settings: OptimizationRecipe, dataset: Dataset, size: tuple[int, int]
) -> keras.Model | None:
    if not settings.teacher:
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
    settings = recipe.optimization
    moving = not (settings.freeze_batch_norms or settings.batch_norm_batches)
    model = {**ARCHITECTURES[recipe.model["architecture"]].defaults, **recipe.model}
    for key in (key for key in model if key.endswith("_momentum") and moving):
        momentum = model[key]
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


def _record(recipe: Recipe, dataset: Dataset, total_steps: int) -> TrainedNetwork:
    return TrainedNetwork(
        model=recipe.model,
        label_map=dataset.label_map,
        input_size=parse_size(recipe.augmentation.crop),
        training={
            "recipe": recipe.title,
            "start": "random weights",
            "data": f"{dataset.name}, "
            + ("endless" if dataset.endless else f"{len(dataset)} images"),
            "synthetic_share": recipe.data.synthetic_share,
            "steps": total_steps,
            "batch_size": recipe.optimization.batch_size,
            "seed": recipe.optimization.seed,
            "keras": keras.version(),
            "backend": keras.backend.backend(),
        },
        licence=recipe.about.get("licence", ""),
    )
