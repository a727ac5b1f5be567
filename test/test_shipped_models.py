"""The models in shuffleseg_core/shipped: what their cards promise."""

import json
import re

import numpy as np
import pytest

from shuffleseg_core import Segmenter, UserError, default_model_path, shipped_models
from shuffleseg_core.shipped_models import DEFAULT_MODEL, find_model
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_core.tflite_file import TFLiteFile

MODELS = shipped_models()
FLOATS = [name for name in MODELS if not name.endswith("_int8")]
#: Aims: parameters and GMAC at 480×360.
LIMITS = {
    "camvid_fast": (1.0e6, 1.0e9),
    "camvid_accurate": (1.6e6, 1.7e9),
    "street_open": (1.0e6, 1.0e9),
}


def _frame():
    return SyntheticDrive(seed=3, width=640, height=360).frame(90)


def test_three_models_each_float_and_int8_within_17_mb():
    assert set(MODELS) == {name + kind for name in LIMITS for kind in ("", "_int8")}
    sizes = {name: file.stat().st_size for name, file in MODELS.items()}
    assert sum(sizes.values()) <= 17e6
    assert sum(size for name, size in sizes.items() if name.startswith("camvid")) <= 12e6
    assert default_model_path() == MODELS[DEFAULT_MODEL]


@pytest.mark.parametrize("name", MODELS)
def test_file(name):
    file = TFLiteFile(MODELS[name])
    segmenter = Segmenter(name)
    parameters, macs = LIMITS[name.removesuffix("_int8")]
    assert segmenter.model_path == MODELS[name]
    assert segmenter.input_size == (480, 360)
    assert segmenter.description.parameters <= parameters and file.macs <= macs
    assert len(segmenter.label_map.names) == 11
    licence = segmenter.description.licence
    assert "NanoDet" in licence and "COCO" in licence
    # What was trained on CamVid is for research use; what was not must not say so.
    assert ("CamVid" in licence) == name.startswith("camvid")
    assert not file.custom_operators
    rgb, truth = _frame()
    labels = segmenter.segment(rgb)
    counted = truth != segmenter.label_map.ignore_id
    assert labels.shape == truth.shape
    assert (labels == truth)[counted].mean() > 0.6


@pytest.mark.parametrize("name", MODELS)
def test_they_are_deploy_graphs(name):
    """What the node and every command use by default: no operator that only moves values about, and
    no labels of a size that is not the camera's."""
    details = Segmenter(name)._interpreter._get_ops_details()
    names = {operator["op_name"] for operator in details}
    assert "CONV_2D" in names and "CONCATENATION" in names
    assert not names & {"TRANSPOSE", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "GATHER", "ARG_MAX"}
    assert Segmenter(name).output == "logits"


@pytest.mark.parametrize("name", FLOATS)
def test_int8_labels_as_float_does(name):
    rgb, _ = _frame()
    alike = Segmenter(name).segment(rgb) == Segmenter(f"{name}_int8").segment(rgb)
    assert alike.mean() > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_card_says_what_was_measured(name):
    """Scores of the card are those of the JSON files, which are of 101 frames of val."""
    folder = MODELS[name].parent
    scores = json.loads((folder / f"{name}.val.json").read_text(encoding="utf-8"))
    assert scores["model"] == name and scores["frames"] == 101 and scores["split"] == "val"
    assert scores["miou"] == pytest.approx(np.mean(list(scores["iou"].values())))
    card = (folder / f"{name.removesuffix('_int8')}.md").read_text(encoding="utf-8")
    columns = [cell.strip(" *`") for cell in _row(card, "class")]
    column = next(i for i, cell in enumerate(columns) if cell == f"{name}, val")
    for key, value in {**scores["iou"], "mean": scores["miou"]}.items():
        assert _row(card, key)[column].strip(" *") == f"{100 * value:.1f}", key
    size = f"{MODELS[name].stat().st_size / 1e6:.2f} MB"
    assert re.search(rf"`{name}.tflite`.*{size}", card)


def _row(card, head):
    """Cells of the first table row that begins with `head`."""
    for line in card.splitlines():
        cells = line.strip("|").split("|")
        if line.startswith("|") and cells[0].strip(" *") == head:
            return cells
    raise AssertionError(f"no row {head}")


def test_paths_come_before_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("camvid_fast") == MODELS["camvid_fast"]
    assert find_model("") == find_model(None) == default_model_path()
    assert str(find_model("other.tflite")) == "other.tflite"
    with pytest.raises(UserError, match="camvid_fats: .*camvid_accurate"):
        find_model("camvid_fats")
    (tmp_path / "camvid_fast").mkdir()  # a run folder, say
    assert str(find_model("camvid_fast")) == "camvid_fast"
