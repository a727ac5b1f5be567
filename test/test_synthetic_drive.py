"""The drive that ships: the same every time, a street to look at, and a truth to trust."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shuffleseg_core.synthetic_drive import SyntheticDrive

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
SMALL = dict(width=240, height=160)
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def drive():
    return SyntheticDrive(**SMALL)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other))


def test_types_and_shapes(drive):
    rgb, ids = drive.frame(0)
    assert rgb.shape == (160, 240, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    assert ids.shape == (160, 240) and ids.dtype == np.uint8 and ids.flags.c_contiguous


def test_frames_are_the_same_in_any_order(drive):
    forward = {i: drive.frame(i) for i in (0, 17, 140, 299)}
    other = SyntheticDrive(**SMALL)
    for i in (299, 0, 140, 17, 299):
        assert same(other.frame(i), forward[i])
        assert same(drive.frame(i), forward[i])


def test_frames_do_not_depend_on_the_length_of_the_drive(drive):
    longer = SyntheticDrive(num_frames=5000, **SMALL)
    longer.frame(4999)
    assert same(longer.frame(120), drive.frame(120))


def test_frames_are_the_same_in_another_process(drive):
    code = (
        "import hashlib; from shuffleseg_core.synthetic_drive import SyntheticDrive\n"
        "rgb, ids = SyntheticDrive(width=240, height=160).frame(33)\n"
        "print(hashlib.sha256(rgb.tobytes() + ids.tobytes()).hexdigest())"
    )
    import hashlib

    rgb, ids = drive.frame(33)
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert out == hashlib.sha256(rgb.tobytes() + ids.tobytes()).hexdigest()


def test_frames_belong_to_the_caller(drive):
    rgb, ids = drive.frame(5)
    kept = rgb.copy(), ids.copy()
    rgb[...] = 0
    ids[...] = 99
    assert same(drive.frame(5), kept)


def test_other_seeds_are_other_streets(drive):
    truths = [SyntheticDrive(seed=seed, **SMALL).frame(30)[1] for seed in range(4)]
    for i, one in enumerate(truths):
        for other in truths[i + 1 :]:
            assert (one != other).mean() > 0.05


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_class_is_seen_in_a_sensible_share(seed):
    drive = SyntheticDrive(seed=seed, **SMALL)
    counts = sum(np.bincount(drive.frame(i)[1].ravel(), minlength=256) for i in range(0, 300, 10))
    share = counts / counts.sum()
    assert share[11:].sum() == 0
    assert share[ROAD] > 0.15 and share[SKY] > 0.04
    assert share[BUILDING] + share[TREE] > 0.08
    assert share[PAVEMENT] > 0.005
    for class_id in (POLE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST):
        assert 0.0003 < share[class_id] < 0.30, class_id


@pytest.mark.parametrize("size", [(321, 241), (1280, 720), (33, 47), (200, 500), (640, 360)])
def test_any_size(size):
    drive = SyntheticDrive(3, *size)
    for i in (0, 150):
        rgb, ids = drive.frame(i)
        assert rgb.shape == (size[1], size[0], 3) and ids.shape == size[::-1]
        assert ids.max() <= 10


def test_truth_lies_where_a_street_has_it(drive):
    above = np.zeros(11, int)
    below = np.zeros(11, int)
    for i in range(0, 300, 10):
        _, ids = drive.frame(i)
        above += np.bincount(ids[:40].ravel(), minlength=11)
        below += np.bincount(ids[-8:, 100:140].ravel(), minlength=11)
        assert SKY not in ids[110:]
        assert ROAD not in ids[:60]
        assert PAVEMENT not in ids[:60]
    assert above[SKY] > 0.15 * above.sum()
    assert below[ROAD] > 0.9 * below.sum()


def test_colour_follows_truth(drive):
    """The sky is brighter than the road: picture and truth are of one scene."""
    for i in range(0, 300, 50):
        rgb, ids = drive.frame(i)
        grey = rgb.mean(axis=2)
        assert grey[ids == SKY].mean() > grey[ids == ROAD].mean() + 20


def test_the_camera_moves_smoothly(drive):
    frames = [drive.frame(i) for i in range(60, 75)]
    for (rgb, ids), (next_rgb, next_ids) in zip(frames, frames[1:]):
        assert not np.array_equal(rgb, next_rgb)
        changed = (ids != next_ids).mean()
        assert 0 < changed < 0.25
        assert np.abs(rgb.astype(int) - next_rgb).mean() < 25
    assert (frames[0][1] != frames[-1][1]).mean() > 0.02


def test_sizes_show_the_same_street():
    _, small = SyntheticDrive(2, 160, 120).frame(50)
    _, large = SyntheticDrive(2, 320, 240).frame(50)
    assert (large[1::2, 1::2] == small).mean() > 0.8


@pytest.mark.parametrize("index", [-1, 300, 10**9])
def test_no_frame_beyond_the_drive(drive, index):
    with pytest.raises(IndexError):
        drive.frame(index)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(seed=-1),
        dict(width=0),
        dict(height=5000),
        dict(num_frames=0),
        dict(rate=0.0),
        dict(rate=float("nan")),
    ],
)
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError):
        SyntheticDrive(**arguments)


def test_it_is_a_frame_source():
    drive = SyntheticDrive(num_frames=3, rate=10.0, **SMALL)
    assert len(drive) == 3 and drive.truth is True
    assert drive.label_map.names[ROAD] == "road"
    for _ in range(2):  # again and again
        frames = list(drive)
        assert [f.time for f in frames] == pytest.approx([0.0, 0.1, 0.2])
        assert len({f.name for f in frames}) == 3
        for i, frame in enumerate(frames):
            assert frame.error is None
            assert same((frame.image, frame.truth), drive.frame(i))
