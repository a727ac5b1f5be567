"""A recipe's stages one after another, each from the weights of an earlier one.

A stage whose network is another one, with another head say, takes the backbone alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from shuffleseg_core.datasets import DATASETS, PROCEDURAL_STREET
from shuffleseg_core.errors import UserError
from shuffleseg_core.user_path import user_path

from .cluster import Cluster
from .engines import open_engine
from .recipe import Recipe
from .run_folder import RunFolder
from .start import Start
from .trainer import train
from .training_loop import TrainingOptions


def parse_roots(texts: list[str], stages: tuple[Recipe, ...]) -> dict[str, str]:
    """{data set: its folder} from the command line's --root values.

    A value is DIR for all data sets, or NAME=DIR, where NAME is a data set or its beginning up to
    an underscore (`cityscapes` for `cityscapes_fine` and `cityscapes_coarse`).

    Raises:
        UserError: a data set of the stages has no folder, or a NAME is none.
    """
    general, named = None, {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if equals and os.sep not in name and not Path(text).exists():
            families = {key for key in DATASETS} | {key.partition("_")[0] for key in DATASETS}
            if name not in families:
                raise UserError(f"--root {text}: {name!r} is no data set; {', '.join(DATASETS)}")
            named[name] = folder
        else:
            general = text
    roots = {}
    for stage in stages:
        dataset = stage.data.dataset
        root = named.get(dataset, named.get(dataset.partition("_")[0], general))
        if dataset == PROCEDURAL_STREET:
            root = ""  # it is made, not read
        if root is None:
            raise UserError(f"--root: give the folder of {dataset} as --root {dataset}=DIR")
        roots[dataset] = root
    return roots


def train_stages(
    stages: tuple[Recipe, ...],
    roots: list[str],
    output: str,
    only: str | None = None,
    start: str | None = None,
    backbone_only: bool = False,
    cluster: Cluster | None = None,
    options: TrainingOptions | None = None,
) -> RunFolder:
    """Run a recipe's stages, or go on with them.

    Args:
        stages: as `load_recipe` gives them.
        roots: see `parse_roots`.
        output: the run folder; with several stages, each has a folder of its name in it.
        only: name of the one stage to run.
        start: weights for the first stage that is run; a later one starts from the weights of
            its `after`.
        backbone_only: take of `start` the backbone alone.
        cluster: the processes that train together.
        options: see `TrainingOptions`.

    Returns:
        The folder of the last stage run.

    Raises:
        UserError: no such stage, or see `train`.
    """
    folder = user_path(output)
    names = [stage.stage for stage in stages]
    if only is not None and only not in names:
        raise UserError(
            f"--stage {only}: recipe {stages[0].name} has "
            + (f"the stages {', '.join(names)}" if names != [None] else "no stages")
        )
    wanted = [stage for stage in stages if only in (None, stage.stage)]
    root_of = parse_roots(roots, tuple(wanted))
    start = (
        None if start is None else Start(user_path(start), "none" if backbone_only else "required")
    )
    engine = open_engine(cluster)
    run = None
    for stage in wanted:
        if start is None and stage.after is not None:
            before = RunFolder(folder / stage.after)
            if not before.weights.exists():
                raise UserError(
                    f"{before.weights}: missing; stage {stage.stage} starts from the weights of "
                    f"{stage.after}: train that first, or give other weights by --start"
                )
            start = Start(before.path, head="if_it_fits")
        path = folder if stage.stage is None else folder / stage.stage
        run = train(stage, root_of[stage.data.dataset], path, engine, start, options)
        start = None
    return run
