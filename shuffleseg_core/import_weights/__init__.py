"""Weights from elsewhere: readers of foreign files, and their placement in our networks."""

from .placement import PlacementReport
from .starting_weights import load_starting_weights

__all__ = ["PlacementReport", "load_starting_weights"]
