"""The recipe that a run folder keeps: what is in the folder was trained by it and no other."""

from __future__ import annotations

import yaml

from shuffleseg_core.errors import UserError

from .recipe import Recipe, with_defaults
from .run_folder import RunFolder


def recipe_yaml(recipe: Recipe) -> str:
    """A recipe as it is kept, all defaults filled in."""
    return yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True)


def check_kept_recipe(run: RunFolder, recipe: Recipe) -> None:
    """The folder's training, if one has begun, must follow `recipe`.

    Raises:
        UserError: it follows another one, or its recipe is damaged.
    """
    begun = run.checkpoint.exists() or run.weights.exists()
    if not (begun and run.recipe.exists()):
        return
    try:
        kept = yaml.safe_load(run.recipe.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{run.recipe}: damaged; give another --output") from error
    different = _differences(with_defaults(kept), yaml.safe_load(recipe_yaml(recipe)))
    if different:
        raise UserError(
            f"{run.recipe}: this folder holds a training by another recipe ({different}); give "
            "another --output, or the same recipe and --set options to go on with it"
        )


def _differences(kept, given, key: str = "") -> str:
    """Keys whose values differ, as "optimization.epochs is 15 there, 80 here"."""
    if isinstance(kept, dict) and isinstance(given, dict):
        names = dict.fromkeys([*kept, *given])
        parts = (_differences(kept.get(n), given.get(n), f"{key}.{n}" if key else n) for n in names)
        return ", ".join(part for part in parts if part)
    return "" if kept == given else f"{key} is {kept!r} there, {given!r} here"
