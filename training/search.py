"""A measured search: variants of a recipe, each trained on several folds with several seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

from shuffleseg_core.errors import UserError

from .named_yaml import NamedYaml
from .recipe import Recipe, load_recipe

_SEARCHES = NamedYaml("search", "searches")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_KEYS = {"recipe", "common", "folds", "variants", "seeds", "report"}


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        variant, fold, seed: which.
        changes: what the variant itself changes, as `shuffleseg train --set` takes it.
        overrides: all changes of the search's recipe.
        recipe: what comes of it.
    """

    variant: str
    fold: str
    seed: int
    changes: tuple[str, ...]
    overrides: tuple[str, ...]
    recipe: Recipe

    @property
    def folder(self) -> Path:
        """Of its run, within the search's."""
        return Path(self.variant, f"{self.fold}_seed{self.seed}")


@dataclass(frozen=True)
class Search:
    """What a search's YAML says.

    Attributes:
        name: the file's stem.
        recipe: name or path of the recipe that all variants change.
        trials: their recipes can be read; whether the data and the network can be had, shows
            when they are used.
        report: splits that each trained network is also scored on, beside its fold's own.
    """

    name: str
    recipe: str
    trials: tuple[Trial, ...]
    report: tuple[str, ...]

    @property
    def variants(self) -> list[str]:
        return list(dict.fromkeys(trial.variant for trial in self.trials))

    @property
    def folds(self) -> list[str]:
        return list(dict.fromkeys(trial.fold for trial in self.trials))


def search_names() -> list[str]:
    """Names of the searches that come with the package."""
    return _SEARCHES.names()


def load_search(name_or_path: str, changes: tuple[str, ...] = ()) -> Search:
    """Read a search.

    Its YAML has `recipe`, `folds` and `variants` (each NAME: a mapping of SECTION.KEY: VALUE),
    and may have `common` (such a mapping for all), `seeds` (numbers; 1) and `report` (splits).
    A variant's values come over the common ones, a fold's over both, `changes` over all.

    Args:
        name_or_path: of a shipped search, or a path that ends in .yaml.
        changes: as `shuffleseg train --set` takes them, for every trial.

    Raises:
        UserError: no such search, no valid YAML, a wrong key, or a recipe that a variant breaks.
    """
    data, name = _SEARCHES.read(name_or_path)
    where = f"search {name}"
    if not isinstance(data, dict) or not {"recipe", "folds", "variants"} <= set(data) <= _KEYS:
        raise UserError(
            f"{where}: needs the keys recipe, folds and variants, and may have common, seeds and "
            "report"
        )
    recipe, report, seeds = data["recipe"], data.get("report", []), data.get("seeds", [1])
    if not isinstance(recipe, str):
        raise UserError(f"{where}: recipe is a name or a path")
    if not _is_list(report, str) or not _is_list(seeds, int) or not seeds:
        raise UserError(f"{where}: seeds is a list of whole numbers, report one of splits")
    common = _changes(data.get("common", {}), f"{where}: common")
    folds, variants = (_named(data[key], f"{where}: {key}") for key in ("folds", "variants"))
    trials = []
    for (variant, own), (fold, split), seed in product(variants.items(), folds.items(), seeds):
        given = {**common, **own, **split, "optimization.seed": str(seed)}
        overrides = (*(f"{key}={value}" for key, value in given.items()), *changes)
        try:
            stages = load_recipe(recipe, overrides)
        except UserError as error:
            raise UserError(f"{where}: variant {variant}: {error}") from error
        if len(stages) > 1:
            raise UserError(f"{where}: {recipe} has stages; a search takes a recipe of one")
        if stages[0].data.val_split is None:
            raise UserError(f"{where}: fold {fold}: data.val_split is missing")
        own_changes = tuple(f"{key}={value}" for key, value in own.items())
        trials.append(Trial(variant, fold, seed, own_changes, overrides, stages[0]))
    return Search(name, recipe, tuple(trials), tuple(report))


def _named(entries, where: str) -> dict[str, dict[str, str]]:
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{where} is a mapping of NAME: changes of the recipe")
    for name in entries:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(f"{where}: {name!r}: name it by letters, digits, _ and -")
    return {name: _changes(values or {}, f"{where}: {name}") for name, values in entries.items()}


def _changes(values, where: str) -> dict[str, str]:
    """SECTION.KEY → value as YAML on one line."""
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{where} is a mapping of SECTION.KEY: VALUE")
    return {
        key: yaml.safe_dump(value, default_flow_style=True, width=10**9).removesuffix("...\n")
        .strip() for key, value in values.items()
    }  # fmt: skip


def _is_list(values, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
