"""The shipped models on aarch64, beside this machine: compare.py PREPARED_FOLDER [IMAGES]

Run by `make test-arm64`. Float files: labels alike on 99.99 % of pixels or more. Files of 8-bit
integers: the number of pixels that differ is stated. C and numpy choose the same labels there.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from shuffleseg_core.frame_source import open_frames
from shuffleseg_core.synthetic_drive import SyntheticDrive

MODELS = [
    name + kind
    for name in ("camvid_fast", "camvid_accurate", "street_open")
    for kind in ("", "_int8")
]
FRAMES = 2
AT_LEAST, AT_LEAST_INT8 = 0.9999, 0.99
PROGRAM = Path(__file__).with_name("label_frames.py")


def frames(images):
    """Real ones where there are, and of the procedural street."""
    drive = SyntheticDrive(seed=5, width=640, height=360)
    found = [drive.frame(40 * number)[0] for number in range(FRAMES)]
    if images:
        real = [frame.image for frame in open_frames(images) if frame.image is not None]
        found += [real[i] for i in np.linspace(0, len(real) - 1, FRAMES).astype(int)]
    return found


def main(folder, images=None):
    folder = Path(folder).resolve()
    given = folder / "frames.npz"
    np.savez(given, *frames(images))
    root = folder / "root"
    (qemu,) = folder.glob("tools/usr/bin/qemu-aarch64-static")
    command = [
        qemu,
        "-cpu",
        "cortex-a72",
        "-L",
        root,
        root / "usr/bin/python3",
        PROGRAM,
        given,
        folder / "arm64.npz",
    ]
    path = os.pathsep.join(str(folder / part) for part in ("package", "site"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    here = [sys.executable, PROGRAM, given, folder / "here.npz"]
    for program, env in ((command, environment), (here, None)):
        status = subprocess.run([*program, *MODELS], env=env).returncode
        if status:
            return status
    arm, here = np.load(folder / "arm64.npz"), np.load(folder / "here.npz")
    print(f"\n{here['machine']} and {arm['machine']}")
    failed = arm["machine"] != "aarch64"
    for model in MODELS:
        names = [name for name in here.files if name.startswith(f"{model}/labels/")]
        pixels = sum(here[name].size for name in names)
        differing = sum(int(np.count_nonzero(here[name] != arm[name])) for name in names)
        as_numpy = bool(arm[f"{model}/as_numpy"])
        logits = [name for name in here.files if name.startswith(f"{model}/logits/")]
        off = max(np.abs(here[n] - arm[n]).max() / np.abs(here[n]).max() for n in logits)
        share = 1 - differing / pixels
        too_few = share < (AT_LEAST_INT8 if "int8" in model else AT_LEAST)
        failed |= too_few or not as_numpy
        print(
            f"{model}: {differing} of {pixels} pixels differ ({100 * share:.4f} % alike"
            f"{', TOO FEW' if too_few else ''}), logits by {off:.1e} of the largest; "
            f"there, numpy's labels are {'the same' if as_numpy else 'NOT THE SAME'} as C's"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
