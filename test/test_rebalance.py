"""`shuffleseg rebalance`: class weights taken back out of the biases."""

import json
import sys

import numpy as np
import pytest

from conftest import requires_tensorflow

pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core import LabelMap  # noqa: E402
from shuffleseg_core.models.trained_network import TrainedNetwork  # noqa: E402
from shuffleseg_core.trained_files import WEIGHTS  # noqa: E402
from shuffleseg_training.class_weights import enet_class_weights  # noqa: E402
from tiny_training import run  # noqa: E402


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    label_map = LabelMap.named("camvid")
    network = TrainedNetwork(
        {"architecture": "shufflenet_v2", "depth_multiplier": 0.5}, label_map, (64, 48)
    )
    folder.mkdir()
    network.build().save_weights(folder / WEIGHTS)
    network.save_record(folder)
    counts = dict(zip(label_map.names, range(1000, 12000, 1000)))
    (folder / "class_pixels.json").write_text(json.dumps(counts))
    return folder


def _weights(folder):
    network = TrainedNetwork.load_record(folder)
    model = network.build()
    network.load_weights(model, folder / WEIGHTS)
    return {layer.name: layer.get_weights() for layer in model.layers}


@requires_tensorflow
@pytest.mark.parametrize("undo", [0, 0.25, 1])
def test_biases_lose_their_share_of_the_weights_logarithm(trained, undo, tmp_path, shuffleseg):
    output = tmp_path / "out"
    status, out, err = shuffleseg("rebalance", trained, "--undo", undo, "--output", output)
    assert status == 0, err
    before, after = _weights(trained), _weights(output)
    logarithms = np.log(enet_class_weights(np.arange(1000.0, 12000, 1000)))
    shift = before["logits"][1] - after["logits"][1]
    np.testing.assert_allclose(shift, undo * (logarithms - logarithms.mean()), atol=1e-6)
    after["logits"][1] = before["logits"][1]
    for name, arrays in before.items():
        for one, other in zip(arrays, after[name]):
            np.testing.assert_array_equal(one, other, name)
    assert TrainedNetwork.load_record(output).training["class_weights_undone"] == undo


def test_a_backend_that_is_none_is_one_line(trained, tmp_path):
    command = [sys.executable, "-m", "shuffleseg_core.cli", "rebalance", str(trained)]
    command += ["--undo", "1", "--output", str(tmp_path / "out")]
    result = run(command, "nothing")
    assert result.returncode == 2 and "nothing" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_mistakes(trained, tmp_path, shuffleseg):
    def mistake(words, *arguments):
        status, _, err = shuffleseg("rebalance", *arguments)
        lines = err.strip().splitlines()
        assert status == 2 and words in lines[-1] and "Traceback" not in err, err

    output = ("--undo", "0.5", "--output", tmp_path / "out")
    mistake("--undo 2", trained, "--undo", "2", "--output", tmp_path / "out")
    mistake("--undo nan", trained, "--undo", "nan", "--output", tmp_path / "out")
    mistake("is there already", trained, "--undo", "0.5", "--output", trained)
    mistake("is there already", trained, "--undo", "0.5", "--output", trained / WEIGHTS)
    mistake("cannot be read", tmp_path / "none", *output)
    unweighted = tmp_path / "unweighted"
    unweighted.mkdir()
    for name in (WEIGHTS, "model.json"):
        (unweighted / name).write_bytes((trained / name).read_bytes())
    mistake("only trainings with class weights", unweighted, *output)
    (unweighted / "class_pixels.json").write_text("{}")
    mistake("damaged", unweighted, *output)
    counts = dict.fromkeys(LabelMap.named("camvid").names)
    (unweighted / "class_pixels.json").write_text(json.dumps(counts))
    mistake("damaged", unweighted, *output)
    assert not (tmp_path / "out").exists()
    assert shuffleseg("rebalance", trained, *output)[0] == 0
    mistake("rebalanced already", tmp_path / "out", "--undo", "1", "--output", tmp_path / "more")
