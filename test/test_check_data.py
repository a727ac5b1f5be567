"""`shuffleseg check-data`: counts, every problem in one line, pictures, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from conftest import CAMVID, requires_camvid
from shuffleseg_core.datasets import DATASETS
from shuffleseg_core.image_file import write_png
from tiny_camvid import make_camvid
from tiny_datasets import (
    folder_ids,
    make_cityscapes_fine,
    make_coco,
    make_folder,
    make_voc2012,
)

SIZE = (96, 64)


@pytest.fixture
def own(tmp_path):
    """A folder of one's own: 6 images in train, 2 in val."""
    return make_folder(tmp_path / "own", SIZE)


def test_counts_are_the_masks(own, shuffleseg, tmp_path):
    status, out, err = shuffleseg("check-data", "folder", "--root", own, "--json", tmp_path / "j")
    assert (status, err) == (0, "")
    report = json.loads((tmp_path / "j").read_text())
    assert report["problems"] == [] and set(report["splits"]) == {"train", "val"}
    for split, count in (("train", 6), ("val", 2)):
        ids = np.stack([folder_ids(split, i, SIZE) for i in range(count)])
        found = report["splits"][split]
        assert found["images"] == count and found["sizes"] == {"96x64": count}
        assert found["ignored_share"] == pytest.approx((ids == 255).mean())
        for id_, name in enumerate(("ground", "thing", "sky")):
            assert found["classes"][name]["pixels"] == (ids == id_).sum()
            assert found["classes"][name]["share"] == pytest.approx(
                (ids == id_).sum() / (ids != 255).sum()
            )
            assert found["classes"][name]["images"] == (ids == id_).any(axis=(1, 2)).sum()
            share = 100 * found["classes"][name]["share"]
            assert f"{name} " in out and f"{share:.2f} %" in out
    assert "folder train: 6 images, 96x64" in out and "folder val: 2 images" in out
    assert "warning" not in out


def test_one_split_or_expression(own, shuffleseg):
    status, out, _ = shuffleseg("check-data", "folder", "--root", own, "--split", "val:*1")
    assert status == 0 and "folder val:*1: 1 images" in out and "train" not in out
    status, out, err = shuffleseg("check-data", "folder", "--root", own, "--split", "dusk")
    assert status == 2 and err.count("\n") == 1 and "splits found there: train, val" in err


def test_absent_classes_and_empty_masks_are_warnings(own, shuffleseg):
    for i in range(2):
        write_png(own / "val" / "masks" / f"{i:04d}.png", np.full(SIZE[::-1], 255, np.uint8))
    write_png(own / "val" / "masks" / "0001.png", np.zeros(SIZE[::-1], np.uint8))
    status, out, err = shuffleseg("check-data", "folder", "--root", own, "--split", "val")
    assert (status, err) == (0, "")
    assert "warning: no mask holds thing, sky" in out
    assert "warning: 1 masks hold no class at all, the first that of 0000" in out
    assert "50.00 %  of all pixels" in out


def test_every_problem_is_told(own, shuffleseg, tmp_path):
    masks, images = own / "train" / "masks", own / "train" / "images"
    (masks / "0000.png").unlink()
    write_png(masks / "0001.png", np.full(SIZE[::-1], 9, np.uint8))
    cv2.imwrite(str(masks / "0002.png"), np.zeros(SIZE[::-1], np.uint16))
    write_png(masks / "0003.png", np.zeros((3, 4), np.uint8))
    (images / "0004.jpg").write_bytes(b"half")
    (masks / "0004.png").write_bytes(b"")
    status, out, err = shuffleseg(
        "check-data", "folder", "--root", own, "--json", tmp_path / "j", "--output", tmp_path / "o"
    )
    assert status == 2
    lines = err.splitlines()
    for line, words in zip(
        lines,
        (
            "0000.png: missing",
            "0001.png: id 9",
            "0002.png: label image is uint16",
            "0003.png: labels are 4x3 but 0003 is 96x64",
            "0004.jpg: not a readable image",
            "0004.png: the file is empty",
        ),
        strict=True,
    ):
        assert line.startswith("shuffleseg check-data: ") and words in line
    report = json.loads((tmp_path / "j").read_text())
    assert [f"shuffleseg check-data: {p}" for p in report["problems"]] == lines
    assert report["splits"]["train"]["problems"] == report["problems"]
    assert "folder val: 2 images" in out
    assert (tmp_path / "o" / "samples.png").is_file()  # of the images without a problem


def test_many_problems_are_counted(tmp_path, shuffleseg):
    root = make_folder(tmp_path, SIZE, train=30, val=0)
    for path in (root / "train" / "masks").iterdir():
        path.write_bytes(b"")
    status, _, err = shuffleseg("check-data", "folder", "--root", root, "--split", "train")
    assert status == 2 and len(err.splitlines()) == 21
    assert err.endswith("shuffleseg check-data: and 10 more\n")


def test_no_masks_at_all_is_one_line(own, shuffleseg):
    for path in (own / "train" / "masks").iterdir():
        path.unlink()
    status, out, err = shuffleseg("check-data", "folder", "--root", own)
    assert status == 2 and err.count("\n") == 1
    assert "0000.png: missing (5 more likewise)" in err and "folder val: 2 images" in out


def test_pictures(tmp_path, shuffleseg):
    root = make_cityscapes_fine(tmp_path / "data", (128, 64), train=3, val=2)
    status, out, err = shuffleseg(
        "check-data", "cityscapes_fine", "--root", root, "--output", tmp_path / "out",
        "--samples", "4", "--workers", "1",
    )  # fmt: skip
    assert (status, err) == (0, "") and f"pictures in {tmp_path / 'out'}" in out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"samples.png", "classes.png"}
    samples = cv2.imread(str(tmp_path / "out" / "samples.png"))
    bars = cv2.imread(str(tmp_path / "out" / "classes.png"))
    for picture in (samples, bars):
        assert picture.shape[1] > 1000
        # The classes' colours are in it: road, building, car.
        for rgb in ((128, 64, 128), (70, 70, 70), (0, 0, 142)):
            assert (picture == rgb[::-1]).all(axis=2).sum() > 50


def test_more_samples_than_images(own, shuffleseg, tmp_path):
    status, _, _ = shuffleseg(
        "check-data", "folder", "--root", own, "--split", "val:*1", "--output", tmp_path / "o",
        "--samples", "50",
    )  # fmt: skip
    assert status == 0 and (tmp_path / "o" / "samples.png").stat().st_size > 1000


@pytest.mark.parametrize("make, name", [(make_coco, "coco"), (make_voc2012, "voc2012")])
def test_other_layouts(tmp_path, shuffleseg, make, name):
    status, out, err = shuffleseg("check-data", name, "--root", make(tmp_path, train=2, val=1))
    assert (status, err) == (0, "") and f"{name} train: 2 images" in out


def test_images_of_many_sizes(own, shuffleseg):
    for kind, suffix in (("images", "jpg"), ("masks", "png")):
        path = own / "val" / kind / f"0000.{suffix}"
        cv2.imwrite(str(path), cv2.imread(str(path), -1)[:40, :50])
    status, out, _ = shuffleseg("check-data", "folder", "--root", own, "--split", "train+val")
    assert status == 0
    assert "2 sizes, widths 50 to 96, heights 40 to 64, most often 96x64 (7)" in out


def test_json_alone_on_standard_output(own, shuffleseg):
    status, out, _ = shuffleseg("check-data", "folder", "--root", own, "--json", "-")
    assert status == 0 and json.loads(out)["dataset"] == "folder"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("nothing", "--root", "."), "data set 'nothing' is not known"),
        (("camvid", "--root", "/none"), "/none: no such folder"),
        (("camvid", "--root", "OWN"), "this looks like folder"),
        (("folder", "--root", "OWN", "--workers", "0"), "give 1 or more"),
        (("folder", "--root", "OWN", "--samples", "0"), "give 1 or more"),
        (("folder", "--root", "OWN", "--output", "OWN/dataset.yaml"), "is a file"),
        (("folder", "--root", "OWN", "--output", "/proc/none"), "/proc/none"),
        (("folder", "--root", "OWN", "--json", "/proc/none"), "/proc/none"),
    ],
)
def test_mistakes_are_one_line(own, shuffleseg, arguments, words):
    status, _, err = shuffleseg("check-data", *(a.replace("OWN", str(own)) for a in arguments))
    assert status == 2 and words in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "package, arguments",
    [("pycocotools", ()), ("matplotlib", ("--output", "out"))],
)
def test_missing_packages_are_named(tmp_path, shuffleseg, monkeypatch, package, arguments):
    root = make_coco(tmp_path, SIZE, train=1, val=1)
    for module in [m for m in sys.modules if m.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    status, _, err = shuffleseg("check-data", "coco", "--root", root, "--split", "val", *arguments)
    assert status == 2 and err.count("\n") == 1
    assert package in err and "pip install '.[train]'" in err


def test_help_names_every_data_set(shuffleseg):
    status, out, _ = shuffleseg("check-data", "--help")
    assert status == 0 and all(name in out for name in DATASETS)


def test_interrupt_ends_it_at_once(tmp_path):
    """Ctrl-C while images are still to come; a pipe is an image that never does."""
    root = make_camvid(tmp_path, SIZE)
    path = root / "train" / "images" / "f002.jpg"
    path.unlink()
    os.mkfifo(path)
    process = subprocess.Popen(
        [sys.executable, "-m", "shuffleseg_core.cli", "check-data", "camvid", "--root", str(root),
         "--workers", "1"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with open(path, "wb"):  # returns once the program has opened the other end
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.endswith("shuffleseg check-data: interrupted\n")


@requires_camvid
def test_camvid_is_sound(shuffleseg, tmp_path):
    status, out, err = shuffleseg(
        "check-data", "camvid", "--root", CAMVID, "--json", tmp_path / "j"
    )
    assert (status, err) == (0, "")
    assert "camvid train: 367 images, 480x360" in out and "camvid val: 101 images" in out
    classes = json.loads((tmp_path / "j").read_text())["splits"]["train"]["classes"]
    assert classes["road"]["share"] == pytest.approx(0.33, abs=0.01)
