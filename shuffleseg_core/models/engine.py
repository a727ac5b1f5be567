"""Keras where it can run; else its shapes alone, which count a network but cannot run it."""

try:
    import keras
except ImportError:  # no Keras, or Keras without any of its backends
    from . import shape_only as keras

layers = keras.layers

__all__ = ["keras", "layers"]
