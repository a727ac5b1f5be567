"""The paper's pipeline on tiny data sets in their true layouts; losses and precisions."""

import importlib.util
import json

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core.datasets import open_dataset
from tiny_datasets import (
    make_camvid_segnet,
    make_cityscapes_coarse,
    make_cityscapes_fine,
    make_coco,
    make_folder,
    make_voc2012,
)
from tiny_training import run, save_run, train_command, weights_of

pytest.importorskip("keras", exc_type=ImportError)

CHAIN = (
    "model.depth_multiplier=0.5",
    "model.unit_variant=torchvision",
    "augmentation.crop=65x65",
    "optimization.batch_size=2",
    "optimization.steps=3",
)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_coco(folder / "coco")
    make_cityscapes_fine(folder / "cityscapes")
    make_cityscapes_coarse(folder / "cityscapes")
    return ["--root", f"coco={folder / 'coco'}", "--root", f"cityscapes={folder / 'cityscapes'}"]


@requires_tensorflow
def test_four_stages_from_imagenet_to_fine(roots, tmp_path, shuffleseg):
    from reference_networks import torchvision_variables
    from torch_files import save_state_dict

    imagenet = save_state_dict(tmp_path / "imagenet.pth", torchvision_variables(0.5))
    output = tmp_path / "run"
    command = train_command(
        roots[1], output, *roots[2:], "--start", imagenet, recipe="cityscapes_basic", changes=CHAIN
    )
    result = run(command)
    assert result.returncode == 0, result.stderr
    assert "imagenet.pth" in result.stdout
    for stage, start, classes in (
        ("coco", "backbone of imagenet.pth", 10),
        ("coarse", "coco", 19),
        ("fine", "coarse", 19),
    ):
        record = json.loads((output / stage / "model.json").read_text())
        assert record["training"]["start"] == start
        assert record["training"]["recipe"] == f"cityscapes_basic/{stage}"
        assert len(record["label_map"]["names"]) == classes
        metrics = (output / stage / "metrics.jsonl").read_text().splitlines()
        assert json.loads(metrics[-1])["step"] == 3 and "val_miou" in metrics[-1]

    # Run again, nothing is trained anew; one stage alone starts from the one before it.
    status, out, _ = shuffleseg(*command[3:])
    assert status == 0 and out.count("this training is done") == 3
    alone = tmp_path / "alone"
    status, _, err = shuffleseg(*_stage(roots, alone, "fine"))
    assert status == 2 and "--start" in err
    status, out, _ = shuffleseg(*_stage(roots, alone, "fine", "--start", output / "coarse"))
    assert status == 0 and str(alone / "fine") in out

    # What comes out is scored as the benchmark does it.
    scores = tmp_path / "scores.json"
    status, out, err = shuffleseg(
        "evaluate", output / "fine", "--dataset", "cityscapes_fine", "--root",
        roots[3].partition("=")[2], "--split", "val", "--json", scores,
    )  # fmt: skip
    assert status == 0, err
    assert scores.exists()


def _stage(roots, output, stage, *more):
    command = train_command(
        roots[1], output, *roots[2:], "--stage", stage, *more,
        recipe="cityscapes_basic", changes=CHAIN,
    )  # fmt: skip
    return command[3:]


ONE_STEP = (
    "model.depth_multiplier=0.5",
    "augmentation.crop=64x48",
    "optimization.batch_size=2",
    "optimization.epochs=null",
    "optimization.steps=2",
    "data.synthetic_share=0",
)


@requires_tensorflow
@pytest.mark.parametrize(
    "make, dataset, changes",
    [
        (make_voc2012, "voc2012", ("optimization.loss=ohem",)),
        (make_camvid_segnet, "camvid", ("optimization.loss=cross_entropy_lovasz",)),
        (make_folder, "folder", ("optimization.precision=mixed_float16", "model.head=dpc")),
    ],
)
def test_other_layouts_losses_and_precisions_train(make, dataset, changes, tmp_path, shuffleseg):
    root = make(tmp_path / "data")
    output = tmp_path / "run"
    command = train_command(
        root, output, "--set", f"data.dataset={dataset}", changes=(*ONE_STEP, *changes)
    )
    status, _, err = shuffleseg(*command[3:])
    assert status == 0, err
    metrics = [json.loads(line) for line in (output / "metrics.jsonl").open()]
    assert np.isfinite(metrics[0]["loss"])
    assert metrics[-1]["step"] == 2 and "val_miou" in metrics[-1]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_jax_trains_without_tensorflow(tmp_path):
    """In a process where TensorFlow cannot be imported, in mixed precision, from a teacher."""
    root = make_folder(tmp_path / "data")
    output = tmp_path / "run"
    save_run(tmp_path / "teacher", open_dataset("folder", root, "train").label_map)
    changes = (
        *ONE_STEP,
        "data.dataset=folder",
        "optimization.precision=mixed_bfloat16",
        f"optimization.teacher={tmp_path / 'teacher'}",
        "optimization.distillation_weight=1",
    )
    command = train_command(root, output, changes=changes)
    hide = (
        "import importlib.machinery, sys\n"
        "class Hide(importlib.machinery.PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        return None if name == 'tensorflow' else super().find_spec(name, path, target)\n"
        "sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Hide\n"
        "from shuffleseg_core.cli import main; sys.exit(main())"
    )
    result = run([command[0], "-c", hide, *command[3:]], "jax")
    assert result.returncode == 0, result.stderr
    assert (output / "model.weights.h5").exists()


STAGED = """
model: {architecture: shufflenet_v2, head: basic, depth_multiplier: 0.5}
data: {dataset: camvid}
augmentation: {crop: 64x48}
optimization: {batch_size: 2, steps: 2}
stages:
  first: {}
  other: {model: {head: dpc}}
  frozen: {after: first, optimization: {freeze_batch_norms: true}}
"""


@requires_tensorflow
def test_stages_of_other_heads_and_frozen_batch_norms(tmp_path, shuffleseg):
    root, output = make_camvid_segnet(tmp_path / "data"), tmp_path / "run"
    recipe = tmp_path / "three.yaml"
    recipe.write_text(STAGED)
    status, _, err = shuffleseg(*train_command(root, output, recipe=recipe, changes=())[3:])
    assert status == 0, err
    starts = {
        stage: json.loads((output / stage / "model.json").read_text())["training"]["start"]
        for stage in ("first", "other", "frozen")
    }
    assert starts == {"first": "random weights", "other": "backbone of first", "frozen": "first"}
    before, after = (
        weights_of(output / stage / "model.weights.h5") for stage in ("first", "frozen")
    )
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved and not any("norm" in name for name in moved)

    # Without weights, or with a head that would begin with batch norms of no data, nothing begins.
    other_head = ("--stage", "other", "--start", output / "first", "--backbone-only")
    frozen = ("optimization.freeze_batch_norms=true",)
    for options, words in (
        (("--stage", "first"), "freeze_batch_norms needs weights"),
        (other_head, "no head is taken"),
    ):
        command = train_command(root, tmp_path / "alone", *options, recipe=recipe, changes=frozen)
        status, _, err = shuffleseg(*command[3:])
        assert status == 2 and words in err
    assert not list((tmp_path / "alone").rglob("model.json"))
