"""Searches: what their YAML may say, and one that is run, interrupted and tabulated."""

import json

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core.datasets.dataset import Dataset
from shuffleseg_core.datasets.selection import select
from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_training.kept_recipe import recipe_yaml
from shuffleseg_training.search import load_search, search_names
from shuffleseg_training.search_table import write_table
from tiny_camvid import make_camvid
from tiny_training import save_run

SEARCH = """
recipe: camvid_basic
common:
  model.depth_multiplier: 0.5
  augmentation.crop: 64x48
  optimization.batch_size: 2
  optimization.epochs: null
  optimization.steps: 2
  optimization.batch_norm_batches: 2
  data.synthetic_share: 0
folds:
  one: {data.val_split: val}
variants:
  base: {}
  colour: {augmentation.hue: 10}
report: [val]
"""


@pytest.mark.parametrize("name", search_names())
def test_shipped_searches_are_valid(name):
    search = load_search(name)
    assert search.trials and len({trial.folder for trial in search.trials}) == len(search.trials)


class _Names(Dataset):
    """Sample names alone."""

    name, label_map = "camvid", None

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def sample_name(self, index):
        return self.names[index]

    read_image = read_labels = labels_source = None


def test_camvid_is_chosen_by_drives_that_are_left_out():
    """No image that a fold scores is trained on, all are scored, and a fold is of one drive."""
    train = ["0001TP_006690", "0006R0_f00930", *(f"0016E5_0{i}400" for i in range(9) if i != 3)]
    splits = {"train": _Names(train), "val": _Names(["0016E5_07959", "0016E5_08159"])}
    scored = set()
    for trial in load_search("camvid").trials:
        data = trial.recipe.data
        trained, left_out = (
            {dataset.sample_name(i) for i in range(len(dataset))}
            for dataset in (
                select(split, splits.__getitem__) for split in (data.train_split, data.val_split)
            )
        )
        assert trained and not trained & left_out
        assert trial.fold.removeprefix("without_")[:6] in {name[:6] for name in left_out}
        assert len({name[:6] for name in left_out}) == 1
        scored |= left_out
    assert scored == {*train, *splits["val"].names}


def test_what_comes_over_what(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "recipe: camvid_basic\ncommon: {optimization.epochs: 3, model.dropout: 0.2}\n"
        "variants: {a: {optimization.epochs: 4}, b: }\n"
        "folds: {x: {data.val_split: val}, y: {optimization.epochs: 5}}\nseeds: [7, 8]\n"
    )
    search = load_search(str(path), ("model.dropout=0",))
    assert search.variants == ["a", "b"] and search.folds == ["x", "y"] and len(search.trials) == 8
    epochs = {(t.variant, t.fold): t.recipe.optimization.epochs for t in search.trials}
    assert epochs == {("a", "x"): 4, ("a", "y"): 5, ("b", "x"): 3, ("b", "y"): 5}
    assert {t.recipe.optimization.seed for t in search.trials} == {7, 8}
    assert all(t.recipe.model["dropout"] == 0 for t in search.trials)


@pytest.mark.parametrize(
    "text, words",
    [
        ("[", "YAML"),
        ("a: 1", "recipe, folds and variants"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {a: }, more: 1}", "recipe, folds"),
        ("{recipe: nothing, folds: {a: }, variants: {a: }}", "nothing"),
        ("{recipe: cityscapes_dpc, folds: {a: }, variants: {a: }}", "stages"),
        ("{recipe: camvid_basic, folds: {}, variants: {a: }}", "folds"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {../b: }}", "letters"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {a: 5}}", "SECTION.KEY"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {a: {model: 5}}}", "SECTION.KEY"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {a: {data.x: 5}}}", "variant a.*data.*x"),
        ("{recipe: camvid_basic, folds: {a: }, variants: {a: }, seeds: [x]}", "seeds"),
        ("{recipe: camvid_basic, folds: {a: {data.val_split: null}}, variants: {a: }}", "fold a"),
    ],
)
def test_searches_that_are_none(tmp_path, text, words):
    path = tmp_path / "search.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        load_search(str(path))
    assert "\n" not in str(error.value)


def test_unknown_names_are_one_line(shuffleseg, tmp_path):
    options = ("--root", tmp_path, "--output", tmp_path / "out")
    for arguments, words in (
        (("nothing", *options), "camvid"),
        (("camvid", *options, "--only", "nothing"), "variants are base"),
        (("camvid", *options, "--fold", "nothing"), "folds are without_0006R0"),
        (("camvid", *options, "--seed", "7"), "seeds are 1"),
        (("camvid", *options, "--backbone-only"), "--start"),
    ):
        status, _, err = shuffleseg("search", *arguments)
        assert status == 2 and words in err and err.count("\n") == 1


@requires_tensorflow
def test_a_search_goes_on_where_it_was(tmp_path, shuffleseg):
    pytest.importorskip("keras", exc_type=ImportError)
    root = make_camvid(tmp_path / "camvid")
    path = tmp_path / "mine.yaml"
    path.write_text(SEARCH)
    output = tmp_path / "out"
    began = tmp_path / "start"
    save_run(began, LabelMap.named("camvid"))
    options = (path, "--root", root, "--output", output, "--start", began)
    trials = load_search(str(path)).trials
    _done(output, trials[0], (0.5, 0.7))
    weights = output / trials[0].folder / "model.weights.h5"
    before = weights.stat().st_mtime_ns
    status, out, err = shuffleseg("search", *options)
    assert status == 0, err
    assert weights.stat().st_mtime_ns == before
    base, colour = json.loads((output / "table.json").read_text())["rows"]
    assert (base["variant"], base["done"], base["of"]) == ("base", 1, 1)
    assert base["miou"] == pytest.approx(0.6) and base["reported"]["val"] == 0.25
    assert colour["variant"] == "colour" and colour["changes"] == ["augmentation.hue=10"]
    record = json.loads((output / trials[1].folder / "model.json").read_text())
    assert record["training"]["start"] == "start"
    # The fold's split is the reported one, of the same weights: batch norms' statistics included.
    assert colour["reported"]["val"] == pytest.approx(colour["folds"]["one"], abs=1e-6)
    assert colour["minutes"] > 0 and colour["classes"].keys() == set(LabelMap.named("camvid").names)
    table = (output / "table.md").read_text().splitlines()
    assert table[0].startswith("| variant | mIoU | ± seeds | one | val | a | b")
    assert [line.split(" | ")[0] for line in table[2:]] == ["| base", "| colour"]
    assert table[-1] in out
    # Trials from other weights are not for the same table.
    for other in ((), ("--start", began, "--backbone-only")):
        status, _, err = shuffleseg("search", *options[:5], *other)
        assert status == 2 and "began with other weights" in err and err.count("\n") == 1


@requires_tensorflow
def test_a_trial_that_fails_does_not_stop_the_others(tmp_path, shuffleseg):
    pytest.importorskip("keras", exc_type=ImportError)
    path = tmp_path / "mine.yaml"
    path.write_text(SEARCH.replace("base: {}", "base: {model.decoder_stride: 5}"))
    root, output = make_camvid(tmp_path / "camvid"), tmp_path / "out"
    _done(output, load_search(str(path)).trials[1], (0.5, 0.5))
    status, out, err = shuffleseg("search", path, "--root", root, "--output", output)
    assert status == 2 and "1 of 2 trials failed: base/one_seed1" in err.splitlines()[-1]
    assert "Traceback" not in err and "| colour | 50.0" in out


def test_splits_and_classes_are_checked_before_the_first_trial(tmp_path, shuffleseg):
    root = make_camvid(tmp_path / "camvid")
    path, output = tmp_path / "mine.yaml", tmp_path / "out"
    for change, words in (
        (("report: [val]", "report: [vall]"), "vall"),
        (("data.val_split: val", 'data.val_split: "train:nothing*"'), "nothing"),
        (("augmentation.hue: 10", "data.paste_share: 1, data.paste_classes: [tram]"), "tram"),
    ):
        assert change[0] in SEARCH
        path.write_text(SEARCH.replace(*change))
        status, _, err = shuffleseg("search", path, "--root", root, "--output", output)
        assert status == 2 and words in err and err.count("\n") == 1
        assert not output.exists()
    path.write_text(SEARCH)
    options = ("--root", root, "--output", output, "--start", tmp_path / "nothing")
    status, _, err = shuffleseg("search", path, *options)
    assert status == 2 and "nothing: no such file" in err and not output.exists()


def test_results_of_another_recipe_are_refused(tmp_path, shuffleseg):
    root = make_camvid(tmp_path / "camvid")
    path, output = tmp_path / "mine.yaml", tmp_path / "out"
    path.write_text(SEARCH)
    _done(output, load_search(str(path)).trials[0], (0.5, 0.5))
    options = ("--root", root, "--output", output, "--set", "optimization.steps=3")
    status, _, err = shuffleseg("search", path, *options)
    assert status == 2 and "optimization.steps is 2 there, 3 here" in err


def _done(output, trial, scores):
    """A finished run as the search reads it."""
    folder = output / trial.folder
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe_yaml(trial.recipe))
    (folder / "reported.json").write_text(json.dumps({"val": 0.25}))
    (folder / "model.weights.h5").touch()
    lines = [
        {"step": 60, "images_per_second": 4.0},
        {"step": 60, "val_miou": _mean(scores), "val_iou": dict(zip("ab", scores))},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _mean(scores):
    return None if None in scores else float(np.mean(scores))


def test_means_over_folds_and_seeds(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "recipe: camvid_basic\nvariants: {base: , half: , none: }\nseeds: [1, 2]\n"
        "folds: {x: {data.val_split: val}, y: {data.val_split: train}}\n"
    )
    search = load_search(str(path))
    runs = {
        "base/x_seed1": (0.5, 0.7), "base/x_seed2": (0.6, 0.8), "base/y_seed1": (0.3, 0.3),
        "base/y_seed2": (0.3, 0.3), "half/x_seed1": (0.9, 0.9), "half/x_seed2": (None, None),
    }  # fmt: skip
    for trial in search.trials:
        if str(trial.folder) in runs:
            _done(tmp_path, trial, runs[str(trial.folder)])
    (tmp_path / "none" / "x_seed1").mkdir(parents=True)  # begun
    base, half = write_table(search, tmp_path)
    assert base["folds"] == {"x": pytest.approx(0.65), "y": pytest.approx(0.3)}
    assert base["miou"] == pytest.approx(0.475)
    assert base["seed_spread"] == pytest.approx(np.std([0.6, 0.7], ddof=1))
    assert base["classes"] == {"a": pytest.approx(0.425), "b": pytest.approx(0.525)}
    assert base["minutes"] == pytest.approx(2.0) and base["done"] == base["of"] == 4
    # A row without all folds has no mean that could be compared.
    assert half["miou"] is None and half["seed_spread"] is None and half["done"] == 2
    assert "| half | – | – | 90.0 | – | 90.0 | 90.0 | 2 | 2/4 |" in (
        (tmp_path / "table.md").read_text().splitlines()
    )
