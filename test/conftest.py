"""What tests share. Missing parts (ROS 2, TensorFlow, CamVid) skip, each with its reason."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Programs under test must see Ctrl-C, also where the tests are a shell's background job, which has
# SIGINT ignored and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before anything imports them.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parent.parent
CAMVID = ROOT.parent / "shared" / "camvid"

requires_camvid = pytest.mark.skipif(
    not CAMVID.is_dir(), reason="CamVid is not beside the checkout (../shared/camvid)"
)
requires_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Folder of small real .tflite files: see `test/models.py`.

    Made in a process of its own, since TensorFlow takes 700 MB that no other test needs.
    """
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("making a .tflite for tests needs TensorFlow, which is not installed")
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, ROOT / "test" / "models.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def tiny_tflite(tiny_models):
    """A small .tflite with logits of CamVid's 11 classes, 64×48, described."""
    return tiny_models / "logits.tflite"


@pytest.fixture
def street():
    """uint8 [90, 160, 3]: one frame of the synthetic drive."""
    from shuffleseg_core.synthetic_drive import SyntheticDrive

    return SyntheticDrive(seed=1, width=160, height=90).frame(10)[0]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def shuffleseg(capsys):
    """Run the command line in this process: shuffleseg("summary", …) → (status, out, err)."""
    from shuffleseg_core.cli import main

    def run(*args):
        capsys.readouterr()
        try:
            status = main([str(arg) for arg in args])
        except SystemExit as exit_:  # argparse
            status = exit_.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
