"""`shuffleseg benchmark`: what it reports; how fast anything is, is not tested."""

import json

import numpy as np
import pytest

from shuffleseg_core import StageTimings, UserError
from shuffleseg_core.benchmark.interleaved import measure, summary
from shuffleseg_core.benchmark.operator_times import operator_times
from shuffleseg_core.benchmark.peak_memory import peak_memory
from shuffleseg_core.image_file import read_rgb, write_png
from shuffleseg_core.tflite_file import TFLiteFile


def test_every_frame_goes_through_all_before_the_next_one_does():
    calls = []

    def pipeline(name):
        def run(number):
            calls.append((number, name))
            return StageTimings(1.0, number, 0.5)

        return run

    seconds = measure([pipeline("a"), pipeline("b")], frames=3, warm_up=2)
    assert [number for number, _ in calls] == [1, 1, 2, 2, 0, 0, 1, 1, 2, 2]
    assert [name for _, name in calls] == ["a", "b", "b", "a"] * 2 + ["a", "b"]
    assert seconds.shape == (2, 3, 3)
    np.testing.assert_array_equal(seconds[1], [[1, 0, 0.5], [1, 1, 0.5], [1, 2, 0.5]])


def test_summary():
    seconds = np.zeros((5, 3))
    seconds[:, 1] = [0.010, 0.020, 0.030, 0.040, 0.100]
    seconds[:, 2] = 0.001
    found = summary(seconds)
    assert found["mean_ms"] == pytest.approx(41)
    assert found["fps"] == pytest.approx(1 / 0.041)
    assert found["variance_ms2"] == pytest.approx(np.var([10, 20, 30, 40, 100], ddof=1))
    assert (found["min_ms"], found["p50_ms"]) == pytest.approx((11, 31))
    assert found["p50_ms"] < found["p95_ms"] < found["p99_ms"] < 101
    assert found["labels_ms"] == pytest.approx(1)
    assert summary(seconds[:1])["variance_ms2"] == 0


def test_the_command(shuffleseg, tiny_models, tmp_path):
    report, chart = tmp_path / "report.json", tmp_path / "chart.png"
    models = [tiny_models / "logits.tflite", tiny_models / "labels.tflite"]
    status, out, _ = shuffleseg(
        *("benchmark", *models, "--threads", "1,2", "--image-size", "64x48,100x70"),
        *("--frames", 3, "--warm-up", 1, "--operators", "--json", report, "--chart", chart),
    )
    assert status == 0
    found = json.loads(report.read_text())
    assert found["cpu"] and found["cores"] >= 1 and found["software"]["numpy"]
    results = found["results"]
    assert len(results) == 2 * 2 * 2
    for result in results:
        assert 0 < result["min_ms"] <= result["p50_ms"] <= result["p95_ms"] <= result["p99_ms"]
        assert result["peak_mb"] > result["model_mb"] > 0
        assert result["file_mb"] > 0 and result["gmac_per_s"] > 0
    assert results[0]["times_as_fast_as_first"] == 1
    assert {r["threads"] for r in results} == {1, 2}
    assert {r["image_size"] for r in results} == {"64x48", "100x70"}
    assert set(found["gemm_gmac_per_s"]) == {"1", "2"}
    assert {o["name"] for o in found["operators"]["logits, threads 1"]} >= {"CONV_2D"}
    assert "CONV_2D" in out and "logits" in out and "GMAC/s" in out
    assert read_rgb(chart).std() > 0


def test_one_model_on_a_folder_of_images_as_json(shuffleseg, tiny_tflite, tmp_path, street):
    write_png(tmp_path / "a.png", street)
    status, out, _ = shuffleseg(
        *("benchmark", tiny_tflite, "--source", tmp_path, "--frames", 2, "--json", "-")
    )
    assert status == 0
    found = json.loads(out)
    assert found["source"] == str(tmp_path)
    assert found["results"][0]["image_size"] == "64x48"


@pytest.mark.parametrize(
    "options, words",
    [
        (["--threads", "0"], "--threads '0': give 1"),
        (["--threads", "two"], "--threads 'two'"),
        (["--frames", "0"], "--frames"),
        (["--image-size", "12"], "12"),
        (["--source", "nowhere"], "nowhere"),
        (["--chart", "chart.pdf"], ".png"),
        (["--image-size", "16x16"], "--source"),
        (["nothing.tflite"], "nothing.tflite"),
    ],
)
def test_mistakes(shuffleseg, tiny_tflite, options, words):
    status, out, err = shuffleseg("benchmark", tiny_tflite, *options)
    assert (status, out) == (2, "")
    assert words in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["logits", "labels", "logits_int8"])
def test_operators_alone_are_those_of_the_model(tiny_models, name):
    path = tiny_models / f"{name}.tflite"
    times = operator_times(path, 1, repetitions=1)
    file = TFLiteFile(path)
    assert len(times) == len(file.operators)
    assert sum(operator.macs for operator in times) == file.macs
    assert all(operator.seconds > 0 for operator in times)
    slow = {operator.name for operator in times if not operator.delegated}
    assert "CONV_2D" not in slow and ("ARG_MAX" in slow) == (name == "labels")


def test_files_of_the_same_name_are_told_apart(shuffleseg, tiny_models, tmp_path, street):
    import shutil

    write_png(tmp_path / "a.png", street)
    for folder, name in (("x", "logits"), ("y", "labels")):
        (tmp_path / folder).mkdir()
        shutil.copy(tiny_models / f"{name}.tflite", tmp_path / folder / "model.tflite")
    models = [tmp_path / "x" / "model.tflite", tmp_path / "y" / "model.tflite"]
    status, out, _ = shuffleseg(
        *("benchmark", *models, "--source", tmp_path / "a.png", "--frames", 1, "--warm-up", 0),
        *("--threads", 1, "--operators", "--json", "-"),
    )
    assert status == 0
    found = json.loads(out)
    assert [result["model"] for result in found["results"]] == [str(model) for model in models]
    kinds = [{o["name"] for o in times} for times in found["operators"].values()]
    assert ["ARG_MAX" in kind for kind in kinds] == [False, True]


def test_memory_of_a_model_that_is_none(tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"nothing")
    with pytest.raises(UserError, match="broken.tflite"):
        peak_memory(broken, 1, (64, 48))
