"""A training as a YAML file: everything that decides its result, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from dataclasses import dataclass, field

import yaml

from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.size import parse_size

from .named_yaml import NamedYaml

_SECTIONS = ("model", "data", "augmentation", "optimization", "about")
_AFTER = "after"  # of a stage, beside its sections
_CHOICES = {
    "optimizer": ("adam", "adamw"),
    "loss": ("cross_entropy", "ohem", "lovasz", "cross_entropy_lovasz"),
    "class_weights": ("none", "enet"),
    "loss_pixels": ("all", "quarter"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
}
#: Largest values of the augmentation's keys that begin at 0.
_RANGES = {
    "class_uniform_share": 1,
    "brightness": 1,
    "contrast": 9,
    "saturation": 9,
    "hue": 180,
    "blur_share": 1,
    "camera_share": 1,
    "camera_strength": 1,
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "None": "null",
    "list": "a list of names",
}
_RECIPES = NamedYaml("recipe", "recipes")


@dataclass(frozen=True)
class DataRecipe:
    """Which images.

    Attributes:
        dataset: a key of `shuffleseg_core.datasets.DATASETS`, or `procedural_street`.
        train_split, val_split: split names; no validation where val_split is None.
            Splits may be joined and filtered: `train+val`, `train:!0006R0*`.
        synthetic_share: share of the views, 0 to 1, that show frames of synthetic drives
            (CamVid's classes) instead of the data set's.
        paste_share: share of the views, 0 to 1, that get what another view shows of
        paste_classes: (names) laid over them.
    """

    dataset: str
    train_split: str = "train"
    val_split: str | None = "val"
    synthetic_share: float = 0.0
    paste_share: float = 0.0
    paste_classes: list[str] = field(default_factory=list)

    def paste_ids(self, label_map: LabelMap) -> list[int]:
        """Ids of `paste_classes`. Raises UserError where the data set lacks one."""
        for name in self.paste_classes:
            if name not in label_map.names:
                raise UserError(
                    f"data.paste_classes: {self.dataset} has no class {name!r}; it has "
                    f"{', '.join(label_map.names)}"
                )
        return [label_map.names.index(name) for name in self.paste_classes]


@dataclass(frozen=True)
class AugmentationRecipe:
    """See `shuffleseg_training.augmentation.Augmentation`, `Photometric` and `CameraChanges`; crop
    is written WIDTHxHEIGHT."""

    crop: str
    min_scale: float = 0.5
    max_scale: float = 2.0
    scale_step: float = 0.25
    flip: bool = True
    class_uniform_share: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur_share: float = 0.0
    camera_share: float = 0.0
    camera_strength: float = 1.0


@dataclass(frozen=True)
class OptimizationRecipe:
    """How the weights move.

    Attributes:
        batch_size: images a step, over all devices and machines.
        epochs: passes over the training images; or
        steps: so many steps, whatever the number of images. One of both is given.
        optimizer: `adam` or `adamw`, see `make_optimizer`.
        learning_rate, power, slow_start_steps, slow_start_rate: see `PolySchedule`.
        clip_norm: the gradient of all weights together is made shorter where its L2 norm is
            larger than that (Pascanu et al., arXiv:1211.5063, section 3.2); 0 leaves it.
        weight_decay: not on depthwise kernels, batch norm and biases.
        loss: a key of `shuffleseg_training.loss.LOSSES`.
        loss_pixels: `all`, or a `quarter` of each image's pixels a step (see `quarter`).
        label_smoothing: share of each pixel's truth, 0 to 1, that is spread evenly over all
            classes in the losses with a cross-entropy.
        auxiliary_layer, auxiliary_weight: deep supervision by a further classifier on that layer's
            output (see `auxiliary_logits`), whose loss counts so much; 0 leaves it out.
        teacher, distillation_weight: folder of a training whose network this one learns from,
            and what that counts beside the labels (see `TrainingLoss`).
        ema_momentum: validate and end with a moving average of the weights, of which each step
            keeps this share; 0 takes the last weights themselves.
        freeze_batch_norms: train with the statistics, scales and offsets that the batch norms of
            the starting weights have, as inference will use them.
        batch_norm_batches: after the last step, take the batch norms' statistics from so many
            batches (see `estimate_batch_norms`); 0 leaves the moving averages.
        class_weights: `enet` (see `enet_class_weights`) or `none`.
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`: what is computed in. Weights,
            batch norms' statistics, logits and loss stay float32.
        seed: of initial weights, order, augmentation and dropout.
    """

    batch_size: int = 8
    epochs: int | None = None
    steps: int | None = None
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    power: float = 0.9
    slow_start_steps: int = 0
    slow_start_rate: float = 1e-5
    clip_norm: float = 0.0
    weight_decay: float = 4e-5
    loss: str = "cross_entropy"
    loss_pixels: str = "all"
    class_weights: str = "none"
    label_smoothing: float = 0.0
    auxiliary_layer: str | None = None
    auxiliary_weight: float = 0.0
    teacher: str | None = None
    distillation_weight: float = 0.0
    ema_momentum: float = 0.0
    freeze_batch_norms: bool = False
    batch_norm_batches: int = 0
    precision: str = "float32"
    seed: int = 1


@dataclass(frozen=True)
class Recipe:
    """One training, or one stage of a longer one.

    Attributes:
        name: the file's stem.
        stage: the stage's name; None where the recipe has no stages.
        after: the stage whose weights it begins with; None for a first one.
        model: `architecture` and the options of its function.
        data, augmentation, optimization: see there.
        about: words for the exported model's description (`licence`).
    """

    name: str
    stage: str | None
    after: str | None
    model: dict
    data: DataRecipe
    augmentation: AugmentationRecipe
    optimization: OptimizationRecipe
    about: dict

    @property
    def title(self) -> str:
        """Name and stage."""
        return self.name if self.stage is None else f"{self.name}/{self.stage}"

    def to_dict(self) -> dict:
        """The YAML's content, defaults filled in."""
        data = dataclasses.asdict(self)
        del data["name"], data["stage"], data["after"]
        return data


def with_defaults(data: dict) -> dict:
    """A kept recipe (see `Recipe.to_dict`), where an older version left keys out, with these."""
    data = dict(data) if isinstance(data, dict) else {}
    for name, cls in (
        ("data", DataRecipe), ("augmentation", AugmentationRecipe),
        ("optimization", OptimizationRecipe),
    ):  # fmt: skip
        required = [f.name for f in dataclasses.fields(cls) if _is_required(f)]
        defaults = vars(cls(**dict.fromkeys(required)))
        given = data.get(name)
        data[name] = {**defaults, **(given if isinstance(given, dict) else {})}
    return data


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return _RECIPES.names()


def load_recipe(name_or_path: str, overrides: tuple[str, ...] = ()) -> tuple[Recipe, ...]:
    """Read a shipped recipe by name, or any recipe by path.

    Args:
        name_or_path: `camvid_basic`, or a path that ends in .yaml.
        overrides: changes as "optimization.epochs=2", or "STAGE.optimization.epochs=2" for one
            stage; the value is read as YAML. "model.architecture=enet" puts another network, with
            its own defaults, in the place of the recipe's and its options.

    Returns:
        Its stages in order; one for a recipe without `stages`.

    Raises:
        UserError: no such recipe, no valid YAML, an unknown key, or a value of a wrong type.
    """
    data, name = _RECIPES.read(name_or_path)
    if not isinstance(data, dict):
        raise UserError(
            f"{name_or_path}: a recipe is a mapping with the keys model, data, augmentation …"
        )
    stages = _split_stages(data, name)
    # The network first: its options may be given beside it, in any order.
    for override in sorted(overrides, key=lambda text: not _names_architecture(text)):
        _apply_override(stages, override)
    recipes = {key: _from_dict(stage, name, key) for key, stage in stages.items()}
    for recipe in recipes.values():
        if recipe.after is not None:
            theirs, ours = recipes[recipe.after].model["architecture"], recipe.model["architecture"]
            if theirs != ours:
                raise UserError(
                    f"recipe {recipe.title}: begins with the weights of {recipe.after}, which "
                    f"trains {theirs}, not {ours}; give both the same architecture"
                )
    return tuple(recipes.values())


def _split_stages(data: dict, name: str) -> dict[str | None, dict]:
    """{stage name: its sections}; a stage's own keys come over those that all stages share."""
    common = {key: value for key, value in data.items() if key != "stages"}
    if _AFTER in common:
        raise UserError(f"recipe {name}: {_AFTER} is a key of stages, within stages: NAME:")
    if "stages" not in data:
        return {None: common}
    listed = data["stages"]
    if not isinstance(listed, dict) or not listed:
        raise UserError(f"recipe {name}: stages is a mapping of NAME: sections")
    stages = {}
    before = None
    for stage, sections in listed.items():
        if not (isinstance(stage, str) and stage.isidentifier()) or stage in (*_SECTIONS, _AFTER):
            raise UserError(
                f"recipe {name}: stage {stage!r}: name it by letters, digits and _, "
                f"other than {_names((*_SECTIONS, _AFTER))}"
            )
        if not isinstance(sections, dict):
            raise UserError(f"recipe {name}: stage {stage} must hold sections as data")
        sections = {_AFTER: before, **sections}
        before = stage
        if sections[_AFTER] not in (None, *stages):
            raise UserError(
                f"recipe {name}: stage {stage}: after is {sections[_AFTER]!r}; give an earlier "
                f"stage: {', '.join(stages) or 'there is none'}"
            )
        stages[stage] = copy.deepcopy(common)
        for section, values in sections.items():
            shared = stages[stage].get(section)
            if isinstance(shared, dict) and isinstance(values, dict):
                values = {**shared, **values}
            stages[stage][section] = copy.deepcopy(values)
    return stages


def _names_architecture(override: str) -> bool:
    return f".{override}".partition("=")[0].strip().endswith(".model.architecture")


def _apply_override(stages: dict[str | None, dict], override: str) -> None:
    key, separator, value = override.partition("=")
    *stage, section, field = (part.strip() for part in ("." + key).rsplit(".", 2))
    stage = stage[0].lstrip(".") if stage else ""
    if not (separator and section and field):
        raise UserError(f"--set {override!r}: write SECTION.KEY=VALUE, as optimization.epochs=2")
    if stage and stage not in stages:
        known = [name for name in stages if name] or ["none here"]
        raise UserError(f"--set {override!r}: no stage {stage!r}; stages are {_names(known)}")
    try:
        value = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override!r}: the value is not valid YAML") from error
    for name, data in stages.items():
        if stage in ("", name):
            if not isinstance(data.setdefault(section, {}), dict):
                raise UserError(f"--set {override!r}: {section} is not a section of a recipe")
            if (section, field) == ("model", "architecture") and data[section].get(field) != value:
                data[section].clear()
            data[section][field] = value


def _from_dict(data: dict, name: str, stage: str | None) -> Recipe:
    where = f"recipe {name}" if stage is None else f"recipe {name}: stage {stage}"
    after = data.pop(_AFTER, None)
    for key in data:
        if key not in _SECTIONS:
            raise UserError(f"{where}: no section {key!r}; there are {_names(_SECTIONS)}")
    for key in ("model", "data", "augmentation"):
        if not isinstance(data.get(key), dict):
            raise UserError(f"{where}: the section {key!r} is missing")
    if not isinstance(data["model"].get("architecture"), str):
        raise UserError(f"{where}: model.architecture is missing; give a network's name")
    for key in ("input_size", "num_classes", "upsample"):
        if key in data["model"]:
            raise UserError(f"{where}: model.{key} follows from the data; leave it out")
    for key in ("optimization", "about"):
        if not isinstance(data.get(key) or {}, dict):
            raise UserError(f"{where}: {key} must be a section of KEY: VALUE lines")
    recipe = Recipe(
        name=name,
        stage=stage,
        after=after,
        model=data["model"],
        data=_section(DataRecipe, data["data"], f"{where}: data"),
        augmentation=_section(AugmentationRecipe, data["augmentation"], f"{where}: augmentation"),
        optimization=_section(
            OptimizationRecipe, data.get("optimization") or {}, f"{where}: optimization"
        ),
        about=data.get("about") or {},
    )
    augmentation, optimization = recipe.augmentation, recipe.optimization
    parse_size(augmentation.crop)
    for section in (recipe.data, augmentation, optimization):
        for key, value in vars(section).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{where}: {key} is {value}; give a finite number")
    for good, what in (
        (0 < augmentation.min_scale <= augmentation.max_scale, "0 < min_scale <= max_scale"),
        (augmentation.scale_step > 0, "scale_step > 0"),
        *(
            (0 <= getattr(augmentation, key) <= high, f"0 <= {key} <= {high}")
            for key, high in _RANGES.items()
        ),
        (0 <= recipe.data.synthetic_share < 1, "0 <= synthetic_share < 1"),
        (0 <= recipe.data.paste_share <= 1, "0 <= paste_share <= 1"),
        (
            bool(recipe.data.paste_share) == bool(recipe.data.paste_classes),
            "paste_share and paste_classes come together",
        ),
        (
            all(isinstance(name, str) for name in recipe.data.paste_classes),
            "paste_classes are names",
        ),
        (0 <= optimization.label_smoothing < 1, "0 <= label_smoothing < 1"),
        (optimization.auxiliary_weight >= 0, "auxiliary_weight >= 0"),
        (
            bool(optimization.auxiliary_weight) == bool(optimization.auxiliary_layer),
            "auxiliary_layer and auxiliary_weight come together",
        ),
        (optimization.distillation_weight >= 0, "distillation_weight >= 0"),
        (
            bool(optimization.distillation_weight) == bool(optimization.teacher),
            "teacher and distillation_weight come together",
        ),
        (0 <= optimization.ema_momentum < 1, "0 <= ema_momentum < 1"),
        (optimization.batch_norm_batches >= 0, "batch_norm_batches >= 0"),
        (
            not (optimization.freeze_batch_norms and optimization.batch_norm_batches),
            "freeze_batch_norms goes without batch_norm_batches",
        ),
        (optimization.batch_size >= 1, "batch_size >= 1"),
        (
            (optimization.epochs is None) != (optimization.steps is None),
            "optimization has either epochs or steps",
        ),
        (optimization.epochs is None or optimization.epochs >= 1, "epochs >= 1"),
        (optimization.steps is None or optimization.steps >= 1, "steps >= 1"),
        (0 <= optimization.seed < 2**32, "0 <= seed < 2^32"),
        (optimization.power >= 0, "power >= 0"),
        (optimization.slow_start_steps >= 0, "slow_start_steps >= 0"),
        (optimization.slow_start_rate > 0, "slow_start_rate > 0"),
        (all(isinstance(text, str) for text in recipe.about.values()), "about has texts alone"),
        (optimization.learning_rate > 0, "learning_rate > 0"),
        (optimization.clip_norm >= 0, "clip_norm >= 0"),
        (optimization.weight_decay >= 0, "weight_decay >= 0"),
        *(
            (getattr(optimization, key) in values, f"{key} is {' or '.join(values)}")
            for key, values in _CHOICES.items()
        ),
    ):
        if not good:
            raise UserError(f"{where}: it must hold that {what}")
    return recipe


def _section(cls, values: dict, where: str):
    """Build a dataclass from a mapping, checking names and types."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    checked = {}
    for key, value in values.items():
        if key not in fields:
            raise UserError(f"{where} has no key {key!r}; it has {_names(fields)}")
        # Annotations are strings here.
        kinds = [kind.partition("[")[0] for kind in str(fields[key].type).split(" | ")]
        if "float" in kinds and isinstance(value, (int, str)) and not isinstance(value, bool):
            with contextlib.suppress(ValueError):  # YAML takes 2e-3, without a dot, for a text
                value = float(value)
        found = "None" if value is None else type(value).__name__
        if found not in kinds:
            wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
            raise UserError(f"{where}.{key} is {value!r}; it takes {wanted}")
        checked[key] = value
    try:
        return cls(**checked)
    except TypeError as error:
        missing = [name for name, field in fields.items() if _is_required(field)]
        raise UserError(f"{where}: needs {_names(missing)}") from error


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _names(names) -> str:
    return ", ".join(sorted(names))
