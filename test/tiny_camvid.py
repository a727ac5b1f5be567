"""A small data set in CamVid's layout, made of synthetic frames."""

from __future__ import annotations

import cv2

from shuffleseg_core.synthetic_drive import SyntheticDrive


def make_camvid(root, size=(96, 64), train=6, val=2):
    """Write ROOT/{train,val}/{images,labels}; returns ROOT."""
    drive = SyntheticDrive(seed=7, width=size[0], height=size[1])
    for split, frames in (("train", range(train)), ("val", range(100, 100 + val))):
        (root / split / "images").mkdir(parents=True)
        (root / split / "labels").mkdir()
        for index in frames:
            rgb, ids = drive.frame(3 * index % 300)
            cv2.imwrite(str(root / split / "images" / f"f{index:03d}.jpg"), rgb[:, :, ::-1])
            cv2.imwrite(str(root / split / "labels" / f"f{index:03d}.png"), ids)
    return root
