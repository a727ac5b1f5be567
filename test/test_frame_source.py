"""Folders, images and videos as sources of frames, good and bad."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from shuffleseg_core.datasets import open_dataset
from shuffleseg_core.errors import UserError
from shuffleseg_core.frame_source import open_frames
from tiny_camvid import make_camvid


@pytest.fixture
def folder(tmp_path, rng):
    for index in range(4):
        image = rng.integers(0, 256, (20, 30, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    return tmp_path


@pytest.fixture
def video(tmp_path, rng):
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for value in range(5):
        writer.write(np.full((48, 64, 3), 40 * value, np.uint8))
    writer.release()
    return path


def test_folder_in_order_again_and_again(folder):
    (folder / "notes.txt").write_text("not an image")
    source = open_frames(folder)
    for _ in range(2):
        assert [frame.name for frame in source] == ["0", "1", "2", "3"]
    assert len(source) == 4
    assert not source.truth
    image = next(iter(source)).image
    np.testing.assert_array_equal(image[:, :, ::-1], cv2.imread(str(folder / "0.png")))


def _png_that_claims(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(
        ">I", zlib.crc32(chunk)
    )  # fmt: skip


@pytest.mark.parametrize(
    "damage", [b"", b"\x89PNG\r\n\x1a\n broken", b"text", _png_that_claims(60000, 60000)]
)
def test_unreadable_frame_in_the_middle(folder, damage):
    (folder / "1.png").write_bytes(damage)
    frames = list(open_frames(folder))
    assert [frame.image is None for frame in frames] == [False, True, False, False]
    assert "1.png" in frames[1].error and "\n" not in frames[1].error


def test_truth_beside_the_images(tmp_path):
    root = make_camvid(tmp_path)
    source = open_frames(root / "val" / "images")
    assert source.truth
    for index, frame in enumerate(source):
        np.testing.assert_array_equal(
            frame.truth, open_dataset("camvid", root, "val").read(index)[1]
        )


@pytest.mark.parametrize("masks", ["colours", "other size", "text"])
def test_masks_of_somebody_else_leave_the_images_readable(tmp_path, masks):
    root = make_camvid(tmp_path)
    for path in (root / "val" / "labels").iterdir():
        if masks == "text":
            path.write_text("no mask")
        else:
            shape = (64, 96, 3) if masks == "colours" else (10, 10)
            cv2.imwrite(str(path), np.zeros(shape, np.uint8))
    frames = list(open_frames(root / "val" / "images"))
    assert all(frame.image is not None and frame.truth is None for frame in frames)
    assert not open_frames(root / "val" / "images", with_truth=False).truth


def test_video_that_was_cut_short(tmp_path, rng):
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(60):
        writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        frames = list(open_frames(path))
    except UserError:
        return  # some builds of OpenCV do not open such a file at all
    readable = [frame for frame in frames if frame.image is not None]
    assert 20 <= len(readable) <= 40
    assert len(frames) - len(readable) <= 1
    assert all("ends after" in frame.error for frame in frames if frame.image is None)


def test_video(video):
    source = open_frames(video)
    assert source.rate == 10.0
    frames = list(source)
    assert len(frames) == len(source) == 5
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert abs(float(frames[3].image.mean()) - 120) < 4
    assert len(list(source)) == 5


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("nothing_here", None, "no such file"),
        ("text.txt", b"x", "neither an image nor a video"),
        ("broken.mp4", b"no video", "not a readable video"),
        ("broken.jpg", b"no image", "not a readable image"),
        ("x" * 300, None, "cannot be read"),
        ("~nobody_here/x", None, "no such file"),
    ],
)
def test_what_is_no_drive(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        open_frames(tmp_path / name)


def test_empty_folder(tmp_path):
    with pytest.raises(UserError, match="no images"):
        open_frames(tmp_path)


def test_data_set_mistakes_name_the_file(tmp_path):
    root = make_camvid(tmp_path)
    labels = root / "train" / "labels"
    with pytest.raises(UserError, match="test"):
        open_dataset("camvid", root, "test")
    with pytest.raises(UserError, match="kitti"):
        open_dataset("kitti", root, "train")
    for name, image, words in (
        ("f000.png", np.zeros((3, 4), np.uint8), "4x3"),
        ("f001.png", np.full((64, 96), 12, np.uint8), "id 12 is no class"),
        ("f002.png", np.zeros((64, 96, 3), np.uint8), "one byte a pixel"),
        ("f003.png", np.zeros((64, 96), np.uint16), "one byte a pixel"),
    ):
        cv2.imwrite(str(labels / name), image)
        with pytest.raises(UserError, match=f"{name}.*{words}"):
            open_dataset("camvid", root, "train").read(int(name[3]))
    (labels / "f005.png").unlink()
    with pytest.raises(UserError, match="f005.png: missing"):
        open_dataset("camvid", root, "train")
