"""Each data set in its own layout: the right ids, and one clear line where something is wrong."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from shuffleseg_core.cityscapes_labels import ID_OF_TRAIN_ID, LABELS, TRAIN_ID_OF_ID
from shuffleseg_core.datasets import DATASETS, open_dataset, split_names
from shuffleseg_core.datasets.folder_description import read_description
from shuffleseg_core.errors import UserError
from shuffleseg_core.image_file import read_labels, read_mask, write_png
from shuffleseg_core.label_map import LabelMap
from tiny_camvid import make_camvid
from tiny_datasets import (
    CITYSCAPES_ID_OF_CAMVID,
    COCO_CATEGORIES,
    folder_ids,
    make_camvid_segnet,
    make_cityscapes_coarse,
    make_cityscapes_fine,
    make_coco,
    make_folder,
    make_voc2012,
    run_lengths,
    tiny_frame,
    voc_ids,
    write_json,
    write_palette_png,
)

SIZE = (96, 64)
MAKERS = {
    "camvid": make_camvid_segnet,
    "cityscapes_fine": make_cityscapes_fine,
    "cityscapes_coarse": make_cityscapes_coarse,
    "coco": make_coco,
    "voc2012": make_voc2012,
    "folder": make_folder,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Data set name → its root; read only."""
    folder = tmp_path_factory.mktemp("tiny")
    return {name: make(folder / name, size=SIZE) for name, make in MAKERS.items()}


@pytest.fixture
def copy(tiny, tmp_path):
    """Data set name → a root of one's own."""
    return lambda name: shutil.copytree(tiny[name], tmp_path / name)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_reads_what_its_interface_says(tiny, name):
    for split in split_names(name, tiny[name]):
        dataset = open_dataset(name, tiny[name], split)
        names = [dataset.sample_name(i) for i in range(len(dataset))]
        assert len(set(names)) == len(names) > 0 and not any("/" in n for n in names)
        assert split in dataset.name
        with ThreadPoolExecutor(4) as pool:  # the same from several threads at once
            samples = list(pool.map(dataset.read, [*range(len(dataset))] * 3))
        for index, (image, labels) in enumerate(samples):
            assert image.dtype == labels.dtype == np.uint8
            assert image.shape == (SIZE[1], SIZE[0], 3) and labels.shape == image.shape[:2]
            assert labels.flags.c_contiguous
            known = {*range(len(dataset.label_map)), dataset.label_map.ignore_id}
            assert set(np.unique(labels)) <= known
            np.testing.assert_array_equal(labels, samples[index % len(dataset)][1])


# ---- Cityscapes


def test_cityscapes_table_is_the_benchmarks():
    labels = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    assert [tuple(label) for label in LABELS] == [
        (b.name, b.id, b.trainId, b.category, b.categoryId, b.hasInstances, b.ignoreInEval, b.color)
        for b in labels
    ]
    for b in labels:
        if b.id >= 0:
            assert TRAIN_ID_OF_ID[b.id] == b.trainId
        if 0 <= b.trainId < 255:
            assert ID_OF_TRAIN_ID[b.trainId] == b.id


@pytest.mark.parametrize("split, cities", [("train", "ab"), ("val", "fl")])
def test_cityscapes_fine(tiny, split, cities):
    dataset = open_dataset("cityscapes_fine", tiny["cityscapes_fine"], split)
    assert dataset.label_map == LabelMap.named("cityscapes")
    for i in range(len(dataset)):
        city, number, _ = dataset.sample_name(i).split("_")
        assert city[0] in cities
        rgb, camvid_ids = tiny_frame(split, int(number), SIZE)
        ids = CITYSCAPES_ID_OF_CAMVID[camvid_ids]
        ids[-4:] = 1
        image, labels = dataset.read(i)
        np.testing.assert_array_equal(image, rgb)
        np.testing.assert_array_equal(labels, TRAIN_ID_OF_ID[ids])
        instances = dataset.read_instances(i)
        assert instances.dtype == np.int32 and instances.max() > 24000
        np.testing.assert_array_equal(np.where(instances < 1000, instances, instances // 1000), ids)


def test_every_cityscapes_id_becomes_its_train_id(copy):
    root = copy("cityscapes_fine")
    path = next((root / "gtFine" / "val" / "frankfurt").glob("*_labelIds.png"))
    ids = np.arange(SIZE[0] * SIZE[1], dtype=np.int64).reshape(SIZE[::-1]) % 34
    write_png(path, ids.astype(np.uint8))
    labels = open_dataset("cityscapes_fine", root, "val").read_labels(0)
    np.testing.assert_array_equal(labels, TRAIN_ID_OF_ID[ids])
    ids[5, 7] = 34
    write_png(path, ids.astype(np.uint8))
    with pytest.raises(UserError, match=rf"{path}: id 34 .*x=7, y=5.*0 to 33.*labelIds"):
        open_dataset("cityscapes_fine", root, "val").read_labels(0)


def test_cityscapes_coarse_shares_its_root_with_fine(copy):
    root = copy("cityscapes_fine")
    make_cityscapes_coarse(root, SIZE, train=2)
    assert split_names("cityscapes_fine", root) == ("train", "val")
    assert split_names("cityscapes_coarse", root) == ("train", "train_extra", "val")
    dataset = open_dataset("cityscapes_coarse", root, "train_extra:!augsburg_000000*")
    assert [dataset.sample_name(i)[:15] for i in range(len(dataset))] == [
        "augsburg_000002", "bayreuth_000001", "bayreuth_000003"
    ]  # fmt: skip
    assert (dataset.read_labels(0) == 255).mean() > 0.1
    assert dataset.read_instances(0).shape == SIZE[::-1]


def test_cityscapes_test_split_opens_without_labels(tmp_path):
    root = make_cityscapes_fine(tmp_path, SIZE, train=0, val=1, test=2, instances=False)
    with pytest.raises(UserError, match=r"gtFine/test: no such folder.*splits found there: val"):
        open_dataset("cityscapes_fine", root, "test")
    dataset = open_dataset("cityscapes_fine", root, "test", need_labels=False)
    assert len(dataset) == 2 and dataset.read_image(1).any() and not dataset.has_labels(0)
    with pytest.raises(UserError, match="labelIds.png: missing"):
        dataset.read(0)
    with pytest.raises(UserError, match="instanceIds.png: missing"):
        open_dataset("cityscapes_fine", root, "val").read_instances(0)


# ---- COCO


def _official_mask(annotations, height, width):
    """As sercant/mobile-segmentation's converter builds it, in the test's own class order."""
    mask = pytest.importorskip("pycocotools.mask")
    labels = np.zeros((height, width), np.uint8)
    classes = LabelMap.named("coco").names
    for annotation in annotations:
        name = COCO_CATEGORIES[annotation["category_id"]]
        if name in classes:
            drawn = mask.decode(mask.frPyObjects(annotation["segmentation"], height, width))
            if not annotation["iscrowd"]:
                drawn = drawn.max(axis=2)
            labels[drawn == 1] = classes.index(name)
    return labels


def test_coco(tmp_path):
    root = make_coco(tmp_path, SIZE, train=9, val=2)
    data = json.loads((root / "annotations" / "instances_train2017.json").read_text())
    assert len(data["images"]) == 11  # two of them with too few pixels of the nine classes
    dataset = open_dataset("coco", root, "train")
    assert [dataset.sample_name(i) for i in range(len(dataset))] == [
        f"{i:012d}" for i in range(1, 10)
    ]
    seen = set()
    for i in range(len(dataset)):
        annotations = [a for a in data["annotations"] if a["image_id"] == 1000 + i]
        labels = dataset.read_labels(i)
        np.testing.assert_array_equal(labels, _official_mask(annotations, SIZE[1], SIZE[0]))
        seen |= set(np.unique(labels))
    assert seen == set(range(10))  # every class, the crowd among them
    width, height = SIZE
    crowd = dataset.read_labels(0)[2 : height // 2, width * 5 // 8 : width - 4]
    assert (crowd == 1).all() and dataset.label_map.names[1] == "person"
    # The car was listed after the person, so it lies over them.
    assert dataset.read_labels(0)[height // 2 + 1, width * 5 // 16] == 2


def _coco_json(annotations, size=SIZE):
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}],
        "annotations": annotations,
        "categories": [{"id": id_, "name": name} for id_, name in COCO_CATEGORIES.items()],
    }


def _coco_root(root, data):
    write_json(root / "annotations" / "instances_val2017.json", data)
    (root / "val2017").mkdir(exist_ok=True)
    write_png(root / "val2017" / "a.png", np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    (root / "val2017" / "a.png").rename(root / "val2017" / "a.jpg")
    return root


def _polygon(segmentation, category=1, **more):
    return {
        "id": 1, "image_id": 1, "category_id": category, "iscrowd": 0,
        "segmentation": segmentation, **more,
    }  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.integers(0, 80), st.integers(0, 50), st.integers(2, 40), st.integers(2, 40),
            st.sampled_from([1, 3, 14, 18]), st.booleans(),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_coco_filter_counts_the_masks_pixels(tmp_path_factory, boxes):
    pytest.importorskip("pycocotools")
    union, annotations = np.zeros(SIZE[::-1], np.uint8), []
    for left, top, width, height, category, crowd in boxes:
        right, bottom = min(left + width, SIZE[0]), min(top + height, SIZE[1])
        drawn = np.zeros_like(union)
        drawn[top:bottom, left:right] = 1
        if category != 18:
            union |= drawn
        polygon = [[left, top, right, top, right, bottom, left, bottom]]
        area = float(drawn.sum())
        annotations.append(
            _polygon(run_lengths(drawn), category, area=area, iscrowd=1)
            if crowd
            else _polygon(polygon, category, area=area)
        )
    root = _coco_root(tmp_path_factory.mktemp("coco"), _coco_json(annotations))
    if union.sum() >= 1000:
        labels = open_dataset("coco", root, "val").read_labels(0)
        np.testing.assert_array_equal(labels > 0, union == 1)
    else:
        with pytest.raises(UserError, match="no image has 1000 pixels"):
            open_dataset("coco", root, "val")


_BOX = [[0, 0, 60, 0, 60, 60, 0, 60]]


@pytest.mark.parametrize(
    "data, words",
    [
        ([], "no instances file"),
        ({"images": []}, "no instances file.*categories"),
        ("{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        ({**_coco_json([]), "categories": [{"id": 1, "name": "cat"}]}, "category 1 is 'cat'"),
        (_coco_json([_polygon(_BOX) | {"image_id": 7}]), "no instances file.*7"),
        (_coco_json([_polygon([["a"]])]), "no instances file"),
        (_coco_json([_polygon([[1, 2, 3, 4]])]), "no image has 1000 pixels"),
        (_coco_json([_polygon(7)]), "no instances file"),
    ],
)
def test_json_that_is_not_cocos(tmp_path, data, words):
    pytest.importorskip("pycocotools")
    root = _coco_root(tmp_path, data if isinstance(data, (dict, list)) else {})
    path = root / "annotations" / "instances_val2017.json"
    if isinstance(data, (str, bytes)):
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(UserError, match=f"{path}: .*{words}") as error:
        open_dataset("coco", root, "val")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "segmentation, words",
    [
        ({"counts": [5, 7], "size": [64, 96]}, "do not cover the image"),
        ({"counts": [50, 50], "size": [10, 10]}, "10x10, not 96x64"),
        ({"counts": "nonsense", "size": [64, 96]}, "cannot be drawn"),
    ],
)
def test_coco_mask_that_cannot_be_drawn(tmp_path, segmentation, words):
    pytest.importorskip("pycocotools")
    data = _coco_json([_polygon(segmentation, area=5000.0), _polygon(_BOX, area=3600.0)])
    dataset = open_dataset("coco", _coco_root(tmp_path, data), "val")
    with pytest.raises(UserError, match=f"val2017.json, image a.jpg.*{words}"):
        dataset.read_labels(0)


def test_coco_missing_image(copy):
    root = copy("coco")
    (root / "train2017" / "000000000002.jpg").unlink()
    with pytest.raises(UserError, match="000000000002.jpg: missing.*train2017.zip"):
        open_dataset("coco", root, "train")


# ---- PASCAL VOC


def test_voc2012(copy):
    image_module = pytest.importorskip("PIL.Image")
    root = copy("voc2012")
    home = root / "VOCdevkit" / "VOC2012"
    for place in (root, root / "VOCdevkit", home):
        assert split_names("voc2012", place) == ("train", "trainval", "val")
    dataset = open_dataset("voc2012", root, "val")
    assert dataset.label_map.names[15] == "person" and dataset.label_map.ignore_id == 255
    for i in range(len(dataset)):
        path = home / "SegmentationClass" / f"{dataset.sample_name(i)}.png"
        assert image_module.open(path).mode == "P"  # a true palette, as VOC's own
        np.testing.assert_array_equal(np.array(image_module.open(path)), voc_ids(i, SIZE))
        np.testing.assert_array_equal(dataset.read_labels(i), voc_ids(i, SIZE))
    # The same in RGB, with the palette in another order, and as ids.
    path = home / "SegmentationClass" / f"{dataset.sample_name(0)}.png"
    ids = voc_ids(0, SIZE)
    colors = np.zeros((256, 3), np.uint8)
    colors[:21], colors[255] = dataset.label_map.colors, (224, 224, 192)
    write_png(path, colors[ids])
    np.testing.assert_array_equal(dataset.read_labels(0), ids)
    write_palette_png(path, 255 - ids, colors[::-1])
    np.testing.assert_array_equal(dataset.read_labels(0), ids)
    write_png(path, ids)
    np.testing.assert_array_equal(dataset.read_labels(0), ids)
    for wrong, words in (
        (colors[ids] + 1, "VOC's own"),
        (np.full_like(ids, 21), "0 to 20, and 255"),
    ):
        write_png(path, wrong)
        with pytest.raises(UserError, match=f"{path}: .*{words}"):
            dataset.read_labels(0)


def test_voc_colours_are_vocs():
    colors = LabelMap.named("voc2012").colors
    assert colors[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert colors[15] == (192, 128, 128) and colors[20] == (0, 64, 128)


def test_voc_augmented_masks(copy):
    root = copy("voc2012")
    home = root / "VOCdevkit" / "VOC2012"
    write_png(home / "SegmentationClassAug" / "2000_000001.png", voc_ids(3, SIZE))
    shutil.copy(home / "JPEGImages" / "2007_000000.jpg", home / "JPEGImages" / "2000_000001.jpg")
    listing = home / "ImageSets" / "Segmentation" / "trainaug.txt"
    listing.write_text(
        "2007_000000\n/JPEGImages/2000_000001.jpg /SegmentationClassAug/2000_000001.png\n"
    )
    dataset = open_dataset("voc2012", root, "trainaug")
    np.testing.assert_array_equal(dataset.read_labels(1), voc_ids(3, SIZE))
    listing.write_text("2007_000000\n1999_000001\n")
    with pytest.raises(UserError, match="1999_000001.jpg: missing; trainaug.txt lists it"):
        open_dataset("voc2012", root, "trainaug")


# ---- CamVid


def test_camvid_layouts_agree(tmp_path):
    ours = open_dataset("camvid", make_camvid(tmp_path / "ours"), "train")
    segnet = open_dataset("camvid", make_camvid_segnet(tmp_path / "segnet", (96, 64)), "train")
    assert len(ours) == len(segnet) == 6
    for i in range(6):
        np.testing.assert_array_equal(ours.read_labels(i), segnet.read_labels(i))
        np.testing.assert_array_equal(segnet.read_image(i), tiny_frame("train", i, (96, 64))[0])


def test_camvid_list_decides(copy):
    root = copy("camvid")
    lines = (root / "train.txt").read_text().splitlines()
    (root / "train.txt").write_text("\n".join([lines[3], "", lines[1]]))
    dataset = open_dataset("camvid", root, "train")
    assert [dataset.sample_name(i) for i in range(2)] == ["0001TP_000003", "0001TP_000001"]
    (root / "train" / "0001TP_000001.png").unlink()
    with pytest.raises(UserError, match=r"train.txt: lists 0001TP_000001.png"):
        open_dataset("camvid", root, "train")
    (root / "train.txt").unlink()
    assert len(open_dataset("camvid", root, "train")) == 5


# ---- One's own folder


@pytest.mark.parametrize("masks", ["ids", "rgb", "palette"])
def test_folder(tmp_path, masks):
    root = make_folder(tmp_path, SIZE, masks=masks)
    for place in (root, root / "dataset.yaml"):
        dataset = open_dataset("folder", place, "train")
        assert dataset.label_map.names == ("ground", "thing", "sky")
        assert dataset.label_map.colors[1] == (0, 128, 0) and dataset.label_map.ignore_id == 255
        for i in range(len(dataset)):
            np.testing.assert_array_equal(dataset.read_labels(i), folder_ids("train", i, SIZE))


def _own(root, files, splits, **more):
    """A folder with these masks (path → array) and images (other paths), classes a and b."""
    for name, ids in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(root / name, np.zeros((4, 6, 3), np.uint8) if ids is None else ids)
    description = {"classes": [{"name": "a"}, {"name": "b"}], "splits": splits, **more}
    (root / "dataset.yaml").write_text(yaml.safe_dump(description))
    return root


_ONES = np.ones((4, 6), np.uint8)


@pytest.mark.parametrize(
    "images, masks, files, names",
    [
        ("i/*.png", "m/*.png", {"i/x.png": 0, "m/x.png": 1, "m/y.png": 1}, ["x"]),
        ("*.png", "*_mask.png", {"x.png": 0, "x_mask.png": 1}, ["x"]),
        ("i/*", "m/*", {"i/x.1.png": 0, "m/x.1.png": 1}, ["x.1"]),
        ("*/i/*.png", "*/m/*.png", {f"d{d}/{k}/x.png": k == "m" for d in "12" for k in "im"},
         ["d1_x", "d2_x"]),
        ("i/**/*.png", "m/**/*.png",
         {"i/x.png": 0, "m/x.png": 1, "i/d/e/x.png": 0, "m/d/e/x.png": 1}, ["x", "d_e_x"]),
        ("i/x?*.png", "m/l?*.png", {"i/x12.png": 0, "m/l12.png": 1, "i/y12.png": 0}, ["1_2"]),
        ("i [1]/*.png", "m (2)/*.png", {"i [1]/x.png": 0, "m (2)/x.png": 1}, ["x"]),
        (["i/*.png", "j/*.png"], "m/*.png",
         {"i/x.png": 0, "j/y.png": 0, "m/x.png": 1, "m/y.png": 1}, ["x", "y"]),
    ],
)  # fmt: skip
def test_folder_patterns(tmp_path, images, masks, files, names):
    files = {name: _ONES if is_mask else None for name, is_mask in files.items()}
    root = _own(tmp_path, files, {"train": {"images": images, "masks": masks}})
    dataset = open_dataset("folder", root, "train")
    assert [dataset.sample_name(i) for i in range(len(dataset))] == names
    assert all((dataset.read_labels(i) == 1).all() for i in range(len(names)))


@pytest.mark.parametrize(
    "images, masks, files, words",
    [
        ("i/*.png", "m/*.png", {"i/x.png": 0, "i/y.png": 0}, "m/x.png: missing .1 more likewise"),
        ("i/*.jpg", "m/*.png", {"i/x.JPG": 0, "m/x.png": 1}, "no image .* matches i/.*capital"),
        ("i/*", "m/*.png", {"i/x.png": 0, "i/x.jpg": 0, "m/x.png": 1}, "x.png: has the name of"),
        ("**/*.png", None, {"a/b/x.png": 0, "a_b/x.png": 0}, "x.png: is a_b_x in short"),
        ("i/*.png", None, {"i/x.png": 0}, "x.png: has no labels; give a split that has them"),
    ],
)  # fmt: skip
def test_folder_files_that_do_not_fit(tmp_path, images, masks, files, words):
    split = {"images": images} | ({"masks": masks} if masks else {})
    files = {name: _ONES if is_mask else None for name, is_mask in files.items()}
    root = _own(tmp_path, files, {"train": split})
    with pytest.raises(UserError, match=words):
        open_dataset("folder", root, "train")


def test_folder_without_masks_opens_for_prediction(tmp_path):
    root = _own(tmp_path, {"i/x.png": None}, {"new": {"images": "i/*.png"}})
    dataset = open_dataset("folder", root, "new", need_labels=False)
    assert dataset.read_image(0).shape == (4, 6, 3) and not dataset.has_labels(0)
    with pytest.raises(UserError, match="no images with labels here"):
        split_names("folder", root)


@pytest.mark.parametrize("share, val", [(0.2, [4, 9]), (0.34, [2, 5, 8]), (0.5, [1, 3, 5, 7, 9])])
def test_folder_val_share(tmp_path, share, val):
    files = {f"{kind}/{i}.png": _ONES if kind == "m" else None for i in range(10) for kind in "im"}
    splits = {"train": {"images": "i/*.png", "masks": "m/*.png"}}
    root = _own(tmp_path, files, splits, val_share=share)
    assert split_names("folder", root) == ("train", "val")
    parts = {
        split: [int(d.sample_name(i)) for i in range(len(d))]
        for split in ("train", "val")
        for d in (open_dataset("folder", root, split),)
    }
    assert parts["val"] == val
    assert sorted(parts["train"] + val) == list(range(10))
    assert len(open_dataset("folder", root, "train+val")) == 10


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_folder_masks_are_read_as_the_yaml_says(tmp_path_factory, data):
    """Any ids and colours: one mask in four forms gives the same classes."""
    root = tmp_path_factory.mktemp("own")
    count = data.draw(st.integers(1, 8))
    values = data.draw(st.lists(st.integers(0, 255), min_size=count + 1, max_size=count + 1,
                                unique=True))  # fmt: skip
    color = st.tuples(*[st.integers(0, 255)] * 3)
    colors = data.draw(st.lists(color, min_size=count + 1, max_size=count + 1, unique=True))
    (root / "images").mkdir()
    (root / "masks").mkdir()
    classes = [
        {"name": f"c{i}", "color": list(c), "id": v}
        for i, (v, c) in enumerate(zip(values[:-1], colors))
    ]
    description = {
        "classes": classes, "ignore_id": values[-1], "ignore_color": list(colors[-1]),
        "splits": {"all": {"images": "images/*.png", "masks": "masks/*.png"}},
    }  # fmt: skip
    (root / "dataset.yaml").write_text(yaml.safe_dump(description))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    place = rng.integers(0, count + 1, (5, 7))
    expected = np.where(place == count, 255, place)
    value = np.array(values, np.uint8)[place]
    palette = rng.permutation(count + 1)
    for i in range(3):
        write_png(root / "images" / f"{i}.png", np.zeros((5, 7, 3), np.uint8))
    write_png(root / "masks" / "0.png", value)
    write_png(root / "masks" / "1.png", np.array(colors, np.uint8)[place])
    write_palette_png(
        root / "masks" / "2.png", palette.argsort()[place].astype(np.uint8),
        np.array(colors, np.uint8)[palette],
    )  # fmt: skip
    dataset = open_dataset("folder", root, "all")
    for i in range(3):
        np.testing.assert_array_equal(dataset.read_labels(i), expected)
    assert dataset.label_map.colors == tuple(colors[:-1])
    # Where the indices are the ids, whatever the colours.
    (root / "dataset.yaml").write_text(yaml.safe_dump({**description, "palette": "ids"}))
    write_palette_png(root / "masks" / "2.png", value, rng.integers(0, 256, (256, 3), np.uint8))
    np.testing.assert_array_equal(open_dataset("folder", root, "all").read_labels(2), expected)


def test_folder_masks_that_hold_what_the_yaml_does_not(tmp_path):
    root = make_folder(tmp_path, SIZE)
    dataset = open_dataset("folder", root, "train")
    path = root / "train" / "masks" / "0000.png"
    ids = np.zeros(SIZE[::-1], np.uint8)
    ids[3, 2] = 7
    write_png(path, ids)
    with pytest.raises(UserError, match=rf"{path}: id 7 .*x=2, y=3.*ids 0, 1, 2, 255$"):
        dataset.read(0)
    rgb = np.full((SIZE[1], SIZE[0], 3), (0, 128, 0), np.uint8)
    rgb[3, 2] = 1, 2, 3
    write_png(path, rgb)
    with pytest.raises(UserError, match=rf"{path}: colour \(1, 2, 3\) at pixel x=2, y=3 is no"):
        dataset.read(0)
    for mask, words in (
        (ids.astype(np.uint16), "uint16.*one byte a pixel"),
        (np.zeros((*SIZE[::-1], 4), np.uint8), "transparent pixels"),
        (ids[8:], "labels are 96x56 but 0000 is 96x64"),
    ):
        cv2.imwrite(str(path), mask)
        with pytest.raises(UserError, match=f"{path}: .*{words}"):
            dataset.read(0)
    # A mask as JPEG: its values change.
    path.unlink()
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, 3, SIZE[::-1], np.uint8)
    for file in (root / "train" / "masks").glob("*"):
        file.unlink()
    text = (root / "dataset.yaml").read_text().replace("masks/*.png", "masks/*.jpg")
    (root / "dataset.yaml").write_text(text)
    for i in range(6):
        cv2.imwrite(str(path.with_name(f"{i:04d}.jpg")), noisy * 80)
    with pytest.raises(UserError, match="JPEG changes values: save masks as PNG"):
        open_dataset("folder", root, "train").read_labels(0)


_CLASSES = "classes: [{name: a}, {name: b}]\n"
_SPLITS = "splits: {train: {images: 'i/*.png', masks: 'm/*.png'}}\n"


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "the file is no mapping"),
        ("[1]", "the file is no mapping"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
        (_CLASSES + "splits: {a: {images: *.png}}", "not valid YAML.*begin with . in quotes"),
        (_CLASSES, "splits is missing"),
        (_SPLITS, "classes is missing"),
        (_CLASSES + _SPLITS + "class: 1", "key 'class' is not known; known are classes"),
        ("classes: 3\n" + _SPLITS, "classes: give a list"),
        ("classes: []\n" + _SPLITS, "0 of them"),
        ("classes: [a]\n" + _SPLITS, "class 0 is no mapping"),
        ("classes: [{}]\n" + _SPLITS, "class 0: name is missing"),
        ("classes: [{name: no}]\n" + _SPLITS, "name is False; give a text, in quotes"),
        ("classes: [{name: a, colour: 1}]\n" + _SPLITS, "class 0: the key 'colour'"),
        ("classes: [{name: a, color: red}]\n" + _SPLITS, r"color of 'a' is 'red'; give \[R, G, B"),
        ("classes: [{name: a, color: [1, 2, 256]}]\n" + _SPLITS, "256; give a whole number"),
        ("classes: [{name: a, id: -1}]\n" + _SPLITS, "id of 'a' is -1"),
        ("classes: [{name: a}, {name: a}]\n" + _SPLITS, "two classes have the name 'a'"),
        ("classes: [{name: a, id: 1}, {name: b}]\n" + _SPLITS, "two classes have the id 1"),
        (_CLASSES + _SPLITS + "ignore_id: 1", "ignore_id 1 is also the id of 'b'"),
        (_CLASSES + _SPLITS + "ignore_id: x", "ignore_id is 'x'"),
        (_CLASSES + _SPLITS + "palette: yes", "palette is True"),
        (_CLASSES + _SPLITS + "val_share: 2", "val_share is 2"),
        (_CLASSES + _SPLITS.replace("train", "all") + "val_share: 0.1", "needs a split train"),
        (_CLASSES + "splits: {}", "splits: give at least one"),
        (_CLASSES + "splits: {a+b: {images: '*.png'}}", r"'a\+b' cannot be a name"),
        (_CLASSES + "splits: {a: {masks: '*.png'}}", "split a: images is missing"),
        (_CLASSES + "splits: {a: {images: x.png}}", "'x.png' is no pattern"),
        (_CLASSES + "splits: {a: {images: 'i/**'}}", "is no pattern"),
        (_CLASSES + "splits: {a: {images: []}}", "images is empty"),
        (_CLASSES + "splits: {a: {images: '*.png', masks: '*/*.png'}}", "the same wildcards"),
    ],
)
def test_folder_yaml_mistakes(tmp_path, text, words):
    path = tmp_path / "dataset.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{path}: .*{words}") as error:
        open_dataset("folder", tmp_path, "train")
    assert "\n" not in str(error.value)


def test_yaml_of_the_documentation(tmp_path):
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "data_sets.md").read_text(), re.S)
    assert len(examples) == 2
    path = tmp_path / "dataset.yaml"
    path.write_text(examples[0])
    description = read_description(path)
    assert description.label_map.names == ("ground", "plant", "person")
    assert set(description.splits) == {"train", "val"}
    path.write_text(examples[1] + _SPLITS)
    assert read_description(path).mask_format.id_of_value == {0: 0, 255: 1}


# ---- Any mask file


@given(st.sampled_from([1, 2, 4, 8]), st.integers(1, 20), st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_palette_pngs_give_their_indices(tmp_path_factory, depth, width, height, seed):
    image_module = pytest.importorskip("PIL.Image")
    path = tmp_path_factory.mktemp("png") / "mask.png"
    rng = np.random.default_rng(seed)
    indices = rng.integers(0, 2**depth, (height, width), np.uint8)
    palette = rng.integers(0, 256, (2**depth, 3), np.uint8)
    write_palette_png(path, indices, palette, depth)
    np.testing.assert_array_equal(np.array(image_module.open(path)), indices)
    values, colors = read_mask(path)
    np.testing.assert_array_equal(values, indices)
    np.testing.assert_array_equal(colors, palette)
    with pytest.raises(UserError, match="in colour.*without a palette"):
        read_labels(path)
    # With transparency, as Pillow writes it.
    image_module.open(path).save(path, transparency=0)
    np.testing.assert_array_equal(read_mask(path)[0], indices)


def test_grey_pngs_of_few_bits_give_what_is_stored(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    stored = np.arange(12).reshape(3, 4) % 2
    image_module.fromarray(stored.astype(bool)).save(tmp_path / "one_bit.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "one_bit.png"), stored)


def test_damaged_palette_png(tmp_path):
    path = tmp_path / "mask.png"
    write_palette_png(path, np.zeros((9, 9), np.uint8), np.zeros((4, 3), np.uint8))
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        try:
            assert read_mask(path)[0].shape == (9, 9)  # OpenCV forgives a missing end
        except UserError as error:
            assert str(path) in str(error)


# ---- Split expressions


def test_split_expressions(tiny):
    root = tiny["camvid"]

    def names(expression):
        dataset = open_dataset("camvid", root, expression)
        return [dataset.sample_name(i)[-3:] for i in range(len(dataset))]

    assert names("train+val") == ["000", "001", "002", "003", "004", "005", "100", "101"]
    assert names("train:*_00000[13]") == ["001", "003"]
    assert names("train:!*_00000[13]") == ["000", "002", "004", "005"]
    assert names("train:*_00000[0-3]:!*2") == ["000", "001", "003"]
    assert names("val:*100+train:*3") == ["100", "003"]
    joined = open_dataset("camvid", root, "val+train:*3")
    assert joined.name == "camvid val+train:*3"
    image, labels = joined.read(2)
    np.testing.assert_array_equal(labels, tiny_frame("train", 3, SIZE)[1])
    assert "trainannot" in joined.labels_source(2) and joined.has_labels(2)
    joined = open_dataset("cityscapes_fine", tiny["cityscapes_fine"], "train+val")
    assert joined.read_instances(5).shape == SIZE[::-1]


@pytest.mark.parametrize(
    "expression, words",
    [
        ("train:x*", "no image is left of 6; names are like 0001TP_000000"),
        ("train:!*", "no image is left"),
        ("train+", "write SPLIT"),
        ("", "write SPLIT"),
        (":x", "write SPLIT"),
        ("train:", "write SPLIT"),
        ("train:!", "write SPLIT"),
        ("train+train:*3", "0001TP_000003 of train comes twice"),
        ("train+nothing", "nothing.*splits found there: test, train, val"),
    ],
)
def test_split_expressions_that_cannot_be(tiny, expression, words):
    with pytest.raises(UserError, match=words):
        open_dataset("camvid", tiny["camvid"], expression)


def test_equal_names_in_two_splits_stay_apart(tiny):
    joined = open_dataset("folder", tiny["folder"], "train+val")
    names = [joined.sample_name(i) for i in range(len(joined))]
    assert names[:3] == ["train_0000", "train_0001", "0002"] and names[-1] == "val_0001"


# ---- Wrong places


@pytest.mark.parametrize("given", DATASETS)
@pytest.mark.parametrize("name", DATASETS)
def test_another_layout_is_recognised(tiny, name, given):
    if name == given:
        return
    for call in (
        lambda: open_dataset(name, tiny[given], "train"),
        lambda: split_names(name, tiny[given]),
    ):
        with pytest.raises(UserError) as error:
            call()
        message = str(error.value)
        assert f"this looks like {given}: give that data set (--dataset {given})" in message
        assert f"{name} is expected as" in message and str(tiny[given]) in message
        assert "\n" not in message


@pytest.mark.parametrize(
    "name, inside",
    [
        ("cityscapes_fine", "leftImg8bit"),
        ("cityscapes_fine", "gtFine/train"),
        ("coco", "annotations"),
        ("camvid", "train"),
        ("voc2012", "VOCdevkit/VOC2012/JPEGImages"),
    ],
)
def test_folder_above_or_below_is_named(tiny, name, inside):
    right = tiny[name] / "VOCdevkit" / "VOC2012" if name == "voc2012" else tiny[name]
    with pytest.raises(UserError, match=f"give the folder {right}$"):
        open_dataset(name, tiny[name] / inside, "train")


def test_folder_one_level_up_is_named(copy):
    root = copy("coco")
    with pytest.raises(UserError, match=f"give the folder {root}$"):
        open_dataset("coco", root.parent, "train")


@pytest.mark.parametrize("name", DATASETS)
def test_nothing_there(tmp_path, name):
    with pytest.raises(UserError, match=f"{tmp_path}/no: no such folder"):
        open_dataset(name, tmp_path / "no", "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected as"):
        open_dataset(name, tmp_path / "empty", "train")
    with pytest.raises(UserError, match="expected as"):
        split_names(name, tmp_path / "empty")
    (tmp_path / "file").write_text("text")
    with pytest.raises(UserError, match=f"{tmp_path}/file"):
        open_dataset(name, tmp_path / "file", "train")


@pytest.mark.parametrize(
    "name, image_folder, label_folder",
    [
        ("camvid", "train", "trainannot"),
        ("cityscapes_fine", "leftImg8bit/train", "gtFine/train"),
        ("cityscapes_coarse", "leftImg8bit/train_extra", "gtCoarse/train_extra"),
        ("voc2012", "VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/SegmentationClass"),
        ("folder", "train/images", "train/masks"),
    ],
)
def test_damage_names_the_file(copy, name, image_folder, label_folder):
    """A mask missing, too small, of 16 bits, no image, with a foreign id; an image gone bad."""
    root = copy(name)
    split = "train_extra" if name == "cityscapes_coarse" else "train"
    dataset = open_dataset(name, root, split)
    label = next(p for p in sorted((root / label_folder).rglob("*.png")) if
                 "_labelIds" in p.name or "cityscapes" not in name)  # fmt: skip
    index = next(i for i in range(len(dataset)) if dataset.labels_source(i) == str(label))
    ids = read_mask(label)[0]
    for content, words in (
        (ids[:, :-1], "95x64 but .* is 96x64"),
        (ids.astype(np.uint16), "uint16"),
        (np.full_like(ids, 77), "id 77 is no class"),
    ):
        cv2.imwrite(str(label), content)
        with pytest.raises(UserError, match=f"{label}: .*{words}"):
            dataset.read(index)
    for content, words in ((b"", "empty"), (b"no image at all, but text", "not a readable image")):
        label.write_bytes(content)
        with pytest.raises(UserError, match=f"{label}: .*{words}"):
            dataset.read(index)
    label.unlink()
    with pytest.raises(UserError, match=f"{label}: missing"):
        open_dataset(name, root, split)
    with pytest.raises(UserError, match=f"{label}: missing"):
        dataset.read(index)
    image = next(p for p in sorted((root / image_folder).rglob("*")) if
                 p.stem.startswith(dataset.sample_name(index)))  # fmt: skip
    image.write_bytes(b"no image")
    with pytest.raises(UserError, match=f"{image}: not a readable image"):
        dataset.read(index)
    shutil.rmtree(root / image_folder)
    with pytest.raises(UserError, match=str(root)):
        open_dataset(name, root, split)
