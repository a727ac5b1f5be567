"""Label frames with models and keep everything: label_frames.py FRAMES.npz OUT.npz MODEL..."""

import platform
import sys

import numpy as np

from shuffleseg_core import Segmenter, compiled_labels
from shuffleseg_core.upsampling import LabelUpsampler


def main(frames_file, out_file, *models):
    with np.load(frames_file) as file:
        frames = [file[name] for name in file.files]
    kept = {"machine": platform.machine()}
    if not compiled_labels.IS_BUILT:
        sys.exit(
            "test-arm64 compares C's labels with numpy's, and needs a C compiler on both sides"
        )
    for model in models:
        segmenter = Segmenter(model, num_threads=1)
        for number, frame in enumerate(frames):
            print(f"{platform.machine()}: {model}, frame {number + 1} of {len(frames)}", flush=True)
            kept[f"{model}/labels/{number}"] = segmenter.segment(frame)
        # Of the last frame alone: under qemu one more inference is slow.
        logits = segmenter.logits(frame)
        kept[f"{model}/logits/{number}"] = logits
        both = [
            LabelUpsampler(compiled=compiled)(logits, frame.shape[1::-1])
            for compiled in (False, True)
        ]
        kept[f"{model}/as_numpy"] = np.array_equal(*both)
    np.savez(out_file, **kept)


if __name__ == "__main__":
    main(*sys.argv[1:])
