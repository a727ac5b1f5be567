"""Recipes: what a YAML may say, stages, and changes on the command line."""

import pytest

from shuffleseg_core.errors import UserError
from shuffleseg_training.recipe import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_load(name):
    assert all(stage.model["architecture"] for stage in load_recipe(name))


@pytest.mark.parametrize(
    "text, words",
    [
        ("model: [", "YAML"),
        ("3", "mapping"),
        ("model: {}", "data"),
        ("model: {}\ndata: {dataset: camvid}\naugmentation: {crop: 4x4}", "architecture"),
        ("models: {}", "models"),
        (
            "model: {architecture: a}\ndata: {dataset: camvid}\naugmentation: {crop: 4x4}\n"
            "optimization: 5",
            "optimization",
        ),
        ("{a: !!python/object/apply:os.system [ls]}", "YAML"),
    ],
)
def test_recipes_that_are_none(tmp_path, text, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_recipe(str(path))


def test_rates_as_people_write_them():
    for text in ("2e-3", "0.002", "2.0e-3"):
        (recipe,) = load_recipe("camvid_basic", (f"optimization.learning_rate={text}",))
        assert recipe.optimization.learning_rate == 0.002
    with pytest.raises(UserError, match="learning_rate"):
        load_recipe("camvid_basic", ("optimization.learning_rate=fast",))


@pytest.mark.parametrize(
    "override, words",
    [
        ("optimization.epoch=3", "epoch"),
        ("optimization.epochs=many", "epochs"),
        ("optimization.epochs=0", "epochs >= 1"),
        ("optimization.epochs=null", "either epochs or steps"),
        ("optimization.steps=9", "either epochs or steps"),
        ("optimization.loss=hinge", "cross_entropy or ohem or lovasz"),
        ("optimization.loss_pixels=half", "loss_pixels is all or quarter"),
        ("optimization.clip_norm=-1", "clip_norm >= 0"),
        ("optimization.precision=int8", "mixed_bfloat16"),
        ("first.optimization.seed=1", "no stage 'first'"),
        ("seed=1", "SECTION.KEY=VALUE"),
        ("augmentation.crop=12x", "WIDTHxHEIGHT"),
        ("data.synthetic_share=1.5", "synthetic_share"),
        ("optimization.seed=-1", "0 <= seed"),
        ("model.upsample=false", "upsample"),
        ("model.architecture=[1]", "architecture"),
    ],
)
def test_wrong_recipe_values_are_named(override, words):
    with pytest.raises(UserError, match=words):
        load_recipe("camvid_basic", (override,))


STAGED = """
model: {architecture: shufflenet_v2, head: basic}
augmentation: {crop: 65x65}
optimization: {steps: 10, learning_rate: 1.0e-3}
stages:
  first: {data: {dataset: coco}}
  second: {data: {dataset: camvid}, optimization: {steps: 20}}
"""


def test_stages_share_what_they_do_not_change(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(STAGED)
    first, second = load_recipe(str(path))
    assert (first.title, second.title) == ("two/first", "two/second")
    assert (first.after, second.after) == (None, "first")
    assert (first.data.dataset, second.data.dataset) == ("coco", "camvid")
    assert (first.optimization.steps, second.optimization.steps) == (10, 20)
    assert first.optimization.learning_rate == second.optimization.learning_rate == 1e-3
    changes = ("optimization.batch_size=3", "second.optimization.steps=5")
    first, second = load_recipe(str(path), changes)
    assert (first.optimization.steps, second.optimization.steps) == (10, 5)
    assert first.optimization.batch_size == second.optimization.batch_size == 3


def test_a_stage_may_begin_with_any_earlier_one(tmp_path):
    path = tmp_path / "recipe.yaml"
    more = "{after: first, data: {dataset: camvid}}", "{after: null, data: {dataset: camvid}}"
    path.write_text(STAGED + "".join(f"  more{n}: {text}\n" for n, text in enumerate(more)))
    stages = load_recipe(str(path))
    assert [stage.after for stage in stages] == [None, "first", "first", None]
    frozen = ("optimization.freeze_batch_norms=true", "optimization.batch_norm_batches=3")
    with pytest.raises(UserError, match="after is a key of stages"):
        other = tmp_path / "other.yaml"
        other.write_text("after: first\n" + STAGED)
        load_recipe(str(other))
    with pytest.raises(UserError, match="freeze_batch_norms goes without batch_norm_batches"):
        load_recipe(str(path), frozen)


@pytest.mark.parametrize(
    "stages, words",
    [
        ("[1]", "mapping of NAME"),
        ("{}", "mapping of NAME"),
        ("{a: 3}", "sections"),
        ("{data: {data: {dataset: coco}}}", "name it by"),
        ("{a b: {data: {dataset: coco}}}", "name it by"),
        ("{a: {data: {dataset: coco}, stages: {}}}", "no section 'stages'"),
        ("{after: {data: {dataset: coco}}}", "name it by"),
        ("{a: {after: b}, b: {}}", "stage a: after is 'b'.*there is none"),
        ("{a: {}, b: {}, c: {after: [a]}}", "stage c: after is .*earlier stage: a, b"),
    ],
)
def test_wrong_stages_are_named(tmp_path, stages, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(STAGED.split("stages:")[0] + f"stages: {stages}\n")
    with pytest.raises(UserError, match=words):
        load_recipe(str(path))


def test_the_papers_stages():
    """Section 3.2 of the paper."""
    coco, coarse, fine = (stage.optimization for stage in load_recipe("cityscapes_dpc"))
    assert (coco.steps, coarse.steps, fine.steps) == (60000, 60000, 120000)
    assert (coco.learning_rate, fine.learning_rate) == (1e-3, 1e-4)
    assert (coco.slow_start_steps, fine.slow_start_steps, fine.slow_start_rate) == (0, 186, 1e-5)
    for stage in load_recipe("cityscapes_basic") + load_recipe("cityscapes_dpc"):
        settings = stage.optimization
        assert (settings.optimizer, settings.batch_size, settings.power) == ("adam", 16, 0.9)
        assert settings.weight_decay == 4e-5
        assert stage.augmentation.crop == "769x769"


def test_another_architecture_takes_the_recipes_place():
    (recipe,) = load_recipe(
        "camvid_basic", ("model.output_stride=32", "model.architecture=mobilenet_v2")
    )
    assert recipe.model == {"architecture": "mobilenet_v2", "output_stride": 32}


def test_spaces_and_order_of_overrides_do_not_matter():
    (recipe,) = load_recipe("camvid_basic", ("model.head=dpc", "model.architecture =mobilenet_v2"))
    assert recipe.model == {"architecture": "mobilenet_v2", "head": "dpc"}


def test_stages_that_hand_on_weights_have_one_architecture():
    with pytest.raises(UserError, match="camvid/.*enet.*same architecture"):
        load_recipe("camvid", ("accurate.model.architecture=enet",))
    assert load_recipe("camvid", ("model.architecture=enet",))[0].model == {"architecture": "enet"}


def test_the_recipes_own_architecture_keeps_its_options():
    (recipe,) = load_recipe("camvid_basic", ("model.architecture=shufflenet_v2",))
    assert recipe.model["head"] == "basic"
