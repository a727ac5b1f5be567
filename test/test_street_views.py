"""The procedural street as a training set: endless, fresh, the same again, and a street's truth."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shuffleseg_core.datasets import PROCEDURAL_STREET, open_dataset, split_names
from shuffleseg_core.errors import UserError
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_core.synthetic_drive.views import StreetViews
from shuffleseg_training.augmentation import Augmentation
from shuffleseg_training.batches import AugmentedBatches
from shuffleseg_training.chain import parse_roots
from shuffleseg_training.recipe import load_recipe

SMALL = (120, 90)
NUMBERS = range(7000, 7008)
#: Pixels of each class and mean colour of frame 20 of drive 3 at 64×48.
DRIVE_PIXELS = [432, 1227, 84, 767, 287, 6, 29, 15, 195, 30, 0]
DRIVE_COLOUR = [92.0, 90.2, 90.3]


@pytest.fixture(scope="module")
def views():
    street = StreetViews(1000, *SMALL)
    return [street.view(number) for number in NUMBERS]


def test_a_view_is_a_function_of_seed_and_number(views):
    with ThreadPoolExecutor(3) as pool:  # another stock, in another order, from threads
        again = list(pool.map(StreetViews(1000, *SMALL).view, (7005, 7000, 7002)))
    for number, (other_image, other_ids) in zip((7005, 7000, 7002), again):
        image, ids = views[number - 7000]
        assert image.shape == (90, 120, 3) and image.dtype == ids.dtype == np.uint8
        np.testing.assert_array_equal(image, other_image)
        np.testing.assert_array_equal(ids, other_ids)
    assert not np.array_equal(StreetViews(1001, *SMALL).view(NUMBERS[0])[1], views[0][1])


def test_every_view_is_another_street(views):
    for i, (_, one) in enumerate(views):
        for _, other in views[i + 1 :]:
            assert (one != other).mean() > 0.05


def test_the_truth_is_a_streets(views):
    ids = np.stack([ids for _, ids in views])
    assert set(np.unique(ids)) == set(range(11))
    share = np.bincount(ids.ravel(), minlength=11) / ids.size
    sky, building, _, road = share[:4]
    assert 0.05 < sky < 0.4 and 0.08 < building < 0.5 and 0.2 < road < 0.5
    brightness = np.array([image.mean() for image, _ in views])
    assert brightness.std() > 15  # lights differ


def test_drives_look_as_ever():
    """Seeds below 1000 carry the demo and its scores: their frames do not change."""
    image, ids = SyntheticDrive(3, 64, 48).frame(20)
    # Not the bytes: processors round a few pixels differently.
    assert np.abs(np.bincount(ids.ravel(), minlength=11) - DRIVE_PIXELS).max() <= 5
    np.testing.assert_allclose(image.mean((0, 1)), DRIVE_COLOUR, atol=0.5)


def test_the_data_set_shows_each_view_twice_and_needs_no_folder():
    train = open_dataset(PROCEDURAL_STREET, "", "train")
    assert train.endless and split_names(PROCEDURAL_STREET, "") == ("train", "val")
    first, again, later = (train.read(i) for i in (0, 32, 10**6))
    assert first[0].shape == (360, 480, 3)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], later[0])
    assert train.sample_name(0) != train.sample_name(32)
    first[0][:] = 0  # belongs to the caller
    assert train.read_image(0).any()
    val = open_dataset(PROCEDURAL_STREET, "nowhere", "val")
    expected = SyntheticDrive(0, 480, 360).frame(30)
    np.testing.assert_array_equal(val.read_labels(1), expected[1])
    with pytest.raises(UserError, match="no split 'test'"):
        open_dataset(PROCEDURAL_STREET, "", "test")


def test_an_endless_data_set_is_read_in_order_and_never_again(monkeypatch):
    train = open_dataset(PROCEDURAL_STREET, "", "train")
    read = []
    frame = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    monkeypatch.setattr(train, "read", lambda index: read.append(index) or frame)
    batches = AugmentedBatches(train, Augmentation((8, 8)), 4, seed=1)
    for step in (0, 1, 1000, 1):
        batches.batch(step)
    assert read == [0, 1, 2, 3, 4, 5, 6, 7, 4000, 4001, 4002, 4003, 4, 5, 6, 7]


def test_the_recipe_needs_no_root():
    stages = load_recipe("street_open")
    assert parse_roots([], stages) == {PROCEDURAL_STREET: ""}
    with pytest.raises(UserError, match="--root"):
        parse_roots([], load_recipe("camvid_basic"))


@pytest.mark.parametrize("split", ["train:view_0*", "train+val", "val+train"])
def test_an_endless_split_stands_alone(split):
    with pytest.raises(UserError, match="endless"):
        open_dataset(PROCEDURAL_STREET, "", split)
