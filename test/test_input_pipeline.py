"""Batches made ahead by threads, and how fast."""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import threading

import cv2
import pytest

from shuffleseg_core.prefetch import prefetched
from tiny_camvid import make_camvid

PATIENCE = 60  # seconds after which a test gives up; none waits that long


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A tiny CamVid."""
    return make_camvid(tmp_path_factory.mktemp("data") / "camvid")


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers, depth", [(1, 1), (1, None), (4, 2), (3, 10)])
def test_batches_come_in_order(workers, depth):
    assert list(prefetched(str, range(5, 40), workers, depth)) == [str(n) for n in range(5, 40)]
    assert list(prefetched(str, [], workers, depth)) == []
    assert not threads()


def test_several_batches_are_made_at_once():
    together = threading.Barrier(3)
    batches = prefetched(lambda step: together.wait(PATIENCE), range(6), workers=3)
    assert len(list(batches)) == 6


def test_no_more_than_depth_batches_are_made_ahead():
    begun = []
    with contextlib.closing(prefetched(begun.append, itertools.count(), 2, depth=3)) as batches:
        for taken in range(1, 20):
            next(batches)
            assert len(begun) <= taken + 3
    assert len(begun) <= 19 + 3
    assert not threads()


def test_a_mistake_comes_out_at_its_place():
    def make_batch(step):
        if step == 7:
            raise ValueError("step 7")
        return step

    found = []
    with pytest.raises(ValueError, match="step 7"):
        for batch in prefetched(make_batch, itertools.count(), 3):
            found.append(batch)
    assert found == list(range(7))
    assert not threads()


def test_closing_drops_what_is_not_begun():
    begun, held = [], threading.Event()

    def make_batch(step):
        begun.append(step)
        if step:
            assert held.wait(PATIENCE)

    batches = prefetched(make_batch, range(100), workers=1, depth=50)
    next(batches)
    held.set()
    batches.close()
    assert len(begun) < 100
    assert not threads()
    with pytest.raises(StopIteration):
        next(batches)


def test_opencv_s_own_threads_are_off_meanwhile():
    before = cv2.getNumThreads()
    assert set(prefetched(lambda step: cv2.getNumThreads(), range(4), 2)) == {1}
    assert cv2.getNumThreads() == before


def test_input_pipeline_needs_no_keras():
    code = (
        "import sys, shuffleseg_training.benchmark_input_command\n"
        "import shuffleseg_training.input_benchmark, shuffleseg_training.recipe\n"
        "assert not {'keras', 'tensorflow', 'jax', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SMALL = ("--set", "augmentation.crop=64x48", "--set", "optimization.batch_size=2")


def test_benchmark_of_a_recipe(shuffleseg, root, tmp_path):
    status, out, err = shuffleseg(
        "benchmark-input", "camvid_basic", "--root", root, "--workers", 2, "--seconds", 0.1,
        *SMALL, "--json", tmp_path / "rates.json",
    )  # fmt: skip
    assert status == 0, err
    assert "image/s" in err and "per core" in out
    rates = json.loads((tmp_path / "rates.json").read_text())
    assert rates["workers"] == 2 and rates["crop"] == "64x48" and rates["cpu"]
    assert rates["images"] >= 4 and rates["images"] % 2 == 0
    assert rates["images_per_second"] == pytest.approx(rates["images"] / rates["seconds"])
    parts = rates["milliseconds"]
    assert min(parts.values()) > 0
    assert parts["decode_image"] + parts["decode_labels"] + parts["augment"] <= parts["total"]
    assert rates["images_per_second_per_core"] == pytest.approx(1000 / parts["total"])


@pytest.mark.parametrize(
    "options, words",
    [
        (("--workers", "0"), "--workers"),
        (("--seconds", "0"), "--seconds"),
        (("--seconds", "nan"), "--seconds"),
        (("--stage", "fine"), "no stages"),
        (("--root", "/nowhere"), "/nowhere"),
        (("--set", "augmentation.crop=12x"), "WIDTHxHEIGHT"),
    ],
)
def test_mistakes_of_the_user(shuffleseg, root, options, words):
    status, _, err = shuffleseg("benchmark-input", "camvid_basic", "--root", root, *options)
    assert status == 2 and words in err and len(err.strip().splitlines()) == 1


def test_a_staged_recipe_asks_for_a_stage(shuffleseg, tmp_path):
    status, _, err = shuffleseg("benchmark-input", "cityscapes_basic", "--root", tmp_path)
    assert status == 2 and "--stage" in err and "coarse" in err
    status, _, err = shuffleseg(
        "benchmark-input", "cityscapes_basic", "--root", tmp_path, "--stage", "fine"
    )
    assert status == 2 and "leftImg8bit" in err


def test_a_broken_image_ends_the_benchmark(shuffleseg, root, tmp_path):
    broken = shutil.copytree(root, tmp_path / "camvid")
    for path in (broken / "train" / "images").iterdir():
        path.write_bytes(b"no image")
    status, _, err = shuffleseg("benchmark-input", "camvid_basic", "--root", broken, *SMALL)
    assert status == 2 and "not a readable image" in err and "Traceback" not in err
    assert not threads()
