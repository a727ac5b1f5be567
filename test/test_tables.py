"""`shuffleseg tables`: what the tables say and of whom; how fast anything is, is not tested."""

import json
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest

from conftest import ROOT, requires_tensorflow
from shuffleseg_core import StageTimings, UserError
from shuffleseg_core.benchmark.interleaved import measure, summary
from shuffleseg_core.benchmark.published import FIGURES, published_figures, published_of
from shuffleseg_core.benchmark.relation import Score, relate
from shuffleseg_core.benchmark.systems import SYSTEMS, choose_systems
from shuffleseg_core.benchmark.tables_report import read_scores
from shuffleseg_core.image_file import read_rgb
from shuffleseg_core.models.architectures import ARCHITECTURES
from shuffleseg_core.size import parse_size
from shuffleseg_core.synthetic_drive import SyntheticDrive

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.benchmark import tables  # noqa: E402
from shuffleseg_core.benchmark.fitted_network import fit, is_fitted  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402
from shuffleseg_core.upsampling import LabelUpsampler  # noqa: E402
from shuffleseg_training.search import load_search  # noqa: E402

NAMES = ("mobilenet_v2_basic", "shufflenet_v2_basic")
SIZES = ("64x48", "96x64")
OPTIONS = ("--systems", ",".join(NAMES), "--sizes", ",".join(SIZES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def report(folder):
    """The tables of two systems; the exported files stay in `work`."""
    from shuffleseg_core.cli import main

    scores = {name: {"left_out_drive": 30.0 + i, "seed": 1} for i, name in enumerate(NAMES)}
    (folder / "scores.json").write_text(json.dumps(scores))
    status = main(
        [
            *("tables", *OPTIONS, "--frames", "3", "--warm-up", "1"),
            *("--work", str(folder / "work"), "--scores", str(folder / "scores.json")),
            *("--output", str(folder / "tables.of.two")),
        ]
    )
    assert status == 0
    return json.loads((folder / "tables.of.two.json").read_text())


@requires_tensorflow
def test_every_system_has_its_row(report):
    assert list(report["systems"]) == list(NAMES)
    assert report["sizes"] == list(SIZES) and report["compared_at"] == "96x64"
    assert report["cpu"] and report["software"]["numpy"] and report["fitted_to"]
    for row in report["systems"].values():
        assert row["fitted"] and row["shares_network_with"] == []
        for size in SIZES:
            model = build_model(
                row["architecture"], 19, parse_size(size), upsample=False, **row["options"]
            )
            costs = model_statistics(model)
            assert row["parameters"] == costs.parameters
            assert row["gmac"][size] == costs.gmac
            for form in ("plain", "exported"):
                found = row["times"][size][form]
                assert found["frames"] == 3 and found["every"] == 1
                assert 0 < found["min_ms"] <= found["p50_ms"] and found["variance_ms2"] >= 0
                assert found["file_mb"] == pytest.approx(costs.tflite_mb, rel=0.05)
                assert found["peak_mb"] > found["model_mb"] > 0
        assert row["gmac"]["640x360"] > 1  # published sizes are counted, too
    ours = report["systems"]["shufflenet_v2_basic"]
    assert ours["published"] and ours["scores"]["left_out_drive"] == 31.0
    assert ours["against"] == {}
    against = report["systems"]["mobilenet_v2_basic"]["against"]["shufflenet_v2_basic"]
    points = {found["basis"]: found["points"] for found in against["comparisons"]}
    assert points == pytest.approx(
        {"our training, drive left out": -1.0, "published val": 70.7 - 67.7}
    )


@requires_tensorflow
def test_the_page_and_the_picture(report, folder):
    page = (folder / "tables.of.two.md").read_text(encoding="utf-8")
    assert str(folder) not in page and str(ROOT) not in page
    assert "(tables.of.two.png)" in page and report["cpu"] in page and report["command"] in page
    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("| ")]
    assert len(blocks) == 5  # standing, two sizes, counts, sources
    for head, rule, *rows in blocks:
        columns = head.count("|")
        assert rows and set(rule) <= set("|-: ")
        assert all(row.count("|") == columns for row in [rule, *rows])
        assert all(row.startswith("| ") and row.endswith(" |") for row in [head, *rows])
    standing = {row.split(" | ")[0][2:]: row for row in blocks[0][2:]}
    row = standing["MobileNetV2 + basic"]
    assert "*70.7*" in row and "| 30.0 |" in row and "published val (2049x1025): +3.0 points" in row
    assert "1,163,781" in page and "seed 1" in page and "*2.18*" in page
    assert read_rgb(folder / "tables.of.two.png").std() > 0


@requires_tensorflow
def test_new_scores_need_no_new_measuring(report, folder, shuffleseg, tmp_path):
    (tmp_path / "scores.json").write_text('{"mobilenet_v2_basic": {"left_out_drive": 77.0}}')
    status, _, err = shuffleseg(
        *("tables", "--times", folder / "tables.of.two.json", "--output", tmp_path / "again"),
        *("--scores", tmp_path / "scores.json"),
    )
    assert status == 0, err
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["systems"]["mobilenet_v2_basic"]["scores"] == {"left_out_drive": 77.0}
    assert again["systems"]["shufflenet_v2_basic"]["scores"] == {}
    for key, row in report["systems"].items():
        assert again["systems"][key]["times"] == row["times"]
    assert again["command"] == report["command"]
    (tmp_path / "scores.json").write_text("{}")
    status, _, err = shuffleseg("tables", "--times", tmp_path / "scores.json")
    assert status == 2 and "no tables of an earlier run" in err


@requires_tensorflow
def test_an_interrupted_run_goes_on_with_the_exported_files(report, folder, shuffleseg, tmp_path):
    exported = {path: path.stat().st_mtime_ns for path in (folder / "work").iterdir()}
    damaged, weights = sorted(exported)[1], sorted(exported)[0]
    assert damaged.suffix == ".tflite" and weights.suffix == ".h5"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:1000])
    made = []

    def export(*args, **kwargs):
        made.append(args[1])
        raise KeyboardInterrupt

    command = (*("tables", *OPTIONS, "--work", folder / "work"), *("--output", tmp_path / "t"))
    with patch.object(tables, "export_tflite", export):
        status, _, err = shuffleseg(*command)
    assert status == 130 and err.strip().endswith("interrupted") and made == [damaged]
    assert set((folder / "work").iterdir()) == set(exported)
    assert not list(tmp_path.iterdir())
    damaged.write_bytes(whole)


@requires_tensorflow
def test_interrupted_weights_leave_nothing(tmp_path):
    system = SYSTEMS[[s.key for s in SYSTEMS].index("shufflenet_v2_basic")]
    drive = SyntheticDrive(seed=1, width=160, height=96)
    images, truths = zip(*(drive.frame(5 * i)[:2] for i in range(2)))

    def half(_, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with patch.object(keras.Model, "save_weights", half), pytest.raises(KeyboardInterrupt):
        tables.export_systems([system], [(64, 48)], tmp_path, images, truths)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, words",
    [
        (["--systems", "enet,vgg"], "'vgg' is not known"),
        (["--frames", "0"], "--frames"),
        (["--threads", "0"], "--threads"),
        (["--slow-ms", "0"], "--slow-ms"),
        (["--sizes", "64"], "WIDTHxHEIGHT"),
        (["--source", "nowhere"], "nowhere"),
        (["--scores", "nowhere.json"], "nowhere.json"),
    ],
)
@requires_tensorflow
def test_mistakes(shuffleseg, tmp_path, options, words):
    status, out, err = shuffleseg("tables", "--output", tmp_path / "t", *options)
    assert (status, out) == (2, "")
    assert words in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "scores, words",
    [
        ("[]", "write"),
        ("nothing", "no JSON"),
        ('{"vgg": {}}', "'vgg'"),
        ('{"enet": {"val": 0.5}}', "in %"),
        ('{"enet": {"val": "50"}}', "in %"),
    ],
)
def test_scores_of_another_form(shuffleseg, tmp_path, scores, words):
    (tmp_path / "scores.json").write_text(scores)
    status, _, err = shuffleseg("tables", "--scores", tmp_path / "scores.json")
    assert status == 2
    assert words in err and len(err.strip().splitlines()) == 1


def test_scores_of_a_search(tmp_path):
    row = {"variant": "enet", "miou": 0.25, "reported": {"val": 0.28}, "seeds": [1, 2],
           "seed_spread": 0.007}  # fmt: skip
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"search": "camvid_peers", "rows": [row]}))
    assert read_scores(table)["enet"] == {
        "left_out_drive": 25.0, "val": pytest.approx(28.0), "search": "camvid_peers",
        "seeds": "1 and 2", "± seeds": "0.7",
    }  # fmt: skip
    table.write_text('{"search": "camvid_peers"}')
    with pytest.raises(UserError, match="no table of a search"):
        read_scores(table)


def test_the_search_of_peers_names_systems():
    search = load_search("camvid_peers")
    systems = {system.key: system for system in SYSTEMS}
    for trial in search.trials:
        system, model = systems[trial.variant], trial.recipe.model
        assert model["architecture"] == system.architecture
        assert all(model.get(key, "basic") == value for key, value in system.options.items())
        assert system.loss in (None, trial.recipe.optimization.loss)


def test_systems_are_chosen_by_name_or_by_what_there_is():
    built, missing = choose_systems(None, {"mobilenet_v2": 1, "enet": 1})
    keys = [system.key for system in built]
    assert keys == ["enet", "enet_lovasz", "mobilenet_v2_basic", "mobilenet_v2_dpc"]
    assert len(built) + len(missing) == len(SYSTEMS)
    assert built[0].network == built[1].network != built[2].network
    chosen, missing = choose_systems("mobilenet_v2_dpc, enet", {"mobilenet_v2": 1, "enet": 1})
    assert [system.key for system in chosen] == ["enet", "mobilenet_v2_dpc"] and missing == []
    with pytest.raises(UserError, match="segnet needs the architecture segnet"):
        choose_systems("segnet", {"enet": 1})


def test_options_of_the_systems_are_those_of_their_networks():
    for system in SYSTEMS:
        if system.architecture in ARCHITECTURES:
            assert set(system.options) <= set(ARCHITECTURES[system.architecture].defaults)


def test_published_figures_say_where_they_stand():
    figures = published_figures()
    assert set(figures) <= {system.key for system in SYSTEMS}
    for found in (figure for of_system in figures.values() for figure in of_system):
        assert found.figure in FIGURES and found.value > 0 and found.source
        assert found.size is None or parse_size(found.size)
        assert found.figure != "gflops" or found.size
    paper = {
        ("shufflenet_v2_basic", "224x224"): (0.47, 50.89, 0.57, 19.65, 4.6),
        ("shufflenet_v2_dpc", "224x224"): (0.65, 64.89, 3.53, 15.41, 6),
        ("mobilenet_v2_basic", "224x224"): (1.00, 101.46, 25.04, 9.86, 8.4),
        ("mobilenet_v2_dpc", "224x224"): (1.18, 116.16, 44.01, 8.61, 9.9),
    }
    names = ("gflops", "mean_ms", "variance_ms2", "fps", "file_mb")
    for (key, size), values in paper.items():
        assert tuple(next(published_of(key, name, size)).value for name in names) == values


OURS = (Score("val", 70.0),)


def verdicts(ms, scores, our_scores=OURS):
    """{form: what is said} of every comparison with ours, which takes 10 ms in both forms."""
    ms = dict(zip(("plain", "exported"), ms))
    relation = relate(ms, {"plain": 10.0, "exported": 10.0}, tuple(scores), tuple(our_scores))
    return [found.verdicts for found in relation.comparisons], relation.text()


@pytest.mark.parametrize(
    "ms, miou, expected",
    [
        (8.0, 73.4, "ahead of ours"),
        (8.0, 70.0, "ahead of ours"),
        (10.1, 71.0, "ahead of ours"),
        (12.0, 69.0, "behind ours"),
        (10.0, 69.0, "behind ours"),
        (12.0, 70.0, "behind ours"),
        (8.0, 69.0, "faster, worse"),
        (12.0, 71.0, "slower, better"),
        (10.0, 70.0, "the same"),
    ],
)
def test_how_a_system_stands_to_ours(ms, miou, expected):
    found, text = verdicts((ms, ms), [Score("val", miou)])
    assert found == [{"plain": expected, "exported": expected}]
    assert text.endswith(f"val: {miou - 70:+.1f} points, **{expected}**")


def test_times_in_words():
    assert verdicts((8.0, 20.0), [])[1].startswith("1.2 × as fast (exported: 2.0 × slower)")
    assert verdicts((10.1, 10.6), [])[1].startswith("as fast (exported: 1.06 × slower)")


def test_without_common_ground_no_score_is_compared():
    for scores in ([], [Score("test", 80.0)]):
        found, text = verdicts((8.0, 8.0), scores)
        assert found == [] and text.endswith("no score on common ground")


def test_forms_that_disagree_are_both_told():
    found, text = verdicts((8.0, 12.0), [Score("val", 71.0)])
    assert found == [{"plain": "ahead of ours", "exported": "slower, better"}]
    assert text.endswith("plain **ahead of ours**, exported **slower, better**")


def test_scores_are_compared_basis_by_basis_and_best_at_the_same_size():
    theirs = [Score("val", 71.1, "1024x512"), Score("val", 76.4, "2048x1024"), Score("own", 69.0)]
    ours = [Score("own", 70.0), Score("val", 70.0, "1024x512")]
    found, text = verdicts((8.0, 8.0), theirs, ours)
    assert [list(one.values())[0] for one in found] == ["faster, worse", "ahead of ours"]
    assert "val (1024x512): +1.1 points" in text
    text = verdicts((8.0, 8.0), theirs, [Score("val", 70.0)])[1]
    assert "val (2048x1024; ours: not said): +6.4 points" in text


def test_frames_that_are_left_out_do_not_count():
    def every_third(number):
        return None if number % 3 else StageTimings(0, 2, 0)

    pipelines = [lambda number: StageTimings(0, 1, 0), every_third]
    seconds = measure(pipelines, frames=7, warm_up=2)
    assert summary(seconds[0])["frames"] == 7
    assert summary(seconds[1])["frames"] == 3 and summary(seconds[1])["mean_ms"] == 2000


@pytest.mark.parametrize("took, every", [(0.4, 1), (0.5, 1), (0.6, 3), (1.6, 5)])
def test_a_slow_system_has_every_k_th_frame(took, every):
    labelled, ticks = [], []
    segmenter = SimpleNamespace(
        segment=lambda image, out: labelled.append(image),
        timings=SimpleNamespace(total=took),
    )
    turns = tables._Turns(segmenter, [0, 1, 2], (4, 3), 500, lambda: ticks.append(1))
    assert turns.every == every
    del labelled[:]
    found = [turns(number) for number in range(15)]
    assert len(ticks) == 15 and len(labelled) == 15 // every
    assert [answer is not None for answer in found] == [n % every == 0 for n in range(15)]


CLASSIFIERS = {
    "3x3": lambda: keras.layers.Conv2D(19, 3, padding="same", name="logits"),
    "1x1 without bias": lambda: keras.layers.Conv2D(19, 1, use_bias=False, name="logits"),
    "transposed 3x3": lambda: keras.layers.Conv2DTranspose(19, 3, 2, "same", name="logits"),
    "transposed 2x2": lambda: keras.layers.Conv2DTranspose(19, 2, 2, "same", name="logits"),
}


def small_network(classifier):
    """Half a network: features that a random one has, and the classifier in question."""
    keras.utils.set_random_seed(0)
    image = keras.Input((96, 160, 3))
    x = keras.layers.Rescaling(2 / 255, -1)(image)
    x = keras.layers.Conv2D(24, 3, strides=4, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(image, classifier(x))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_of_all_kinds_are_fitted(name):
    drive = SyntheticDrive(seed=1, width=160, height=96)
    images, truths = zip(*(drive.frame(5 * i)[:2] for i in range(6)))
    model = small_network(CLASSIFIERS[name]())
    assert fit(model, np.stack(images), np.stack(truths), batch=4) and is_fitted(model)
    logits = np.asarray(model(images[0][None].astype(np.float32), training=False))[0]
    assert np.mean(LabelUpsampler()(logits, (160, 96)) == truths[0]) > 0.4


def test_a_classifier_of_another_kind_stays_as_it_is():
    images = np.zeros((2, 96, 160, 3), np.uint8)
    model = small_network(keras.layers.Conv2D(19, 3, dilation_rate=2, name="logits"))
    before = model.get_layer("logits").kernel.numpy()
    assert not fit(model, images, np.zeros((2, 96, 160), np.uint8)) and not is_fitted(model)
    np.testing.assert_array_equal(model.get_layer("logits").kernel.numpy(), before)
