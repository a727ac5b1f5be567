"""`python test/float64.py ARGUMENTS` is `shuffleseg ARGUMENTS` with float64 in float32's place.

Adam divides by a gradient's size, so that what a processor's kernels round grows from step to step,
in float32 until it hides what a test is about. In float64 it stays far below that (3e-12 of a loss
after six steps).
"""

import sys

import keras

if keras.backend.backend() == "jax":
    import jax
    from keras.src.backend.common import dtypes

    jax.config.update("jax_enable_x64", True)
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # Keras's own rule for JAX

_parse_name = keras.DTypePolicy._parse_name


def _wider(self, name):
    """(compute dtype, dtype of variables) of a policy's name."""
    return _parse_name(self, "float64" if name == "float32" else name)


keras.config.set_floatx("float64")
keras.DTypePolicy._parse_name = _wider

if __name__ == "__main__":
    from shuffleseg_core.cli import main

    sys.exit(main())
