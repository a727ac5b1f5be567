"""A drive that ships: a procedural British street with exact ground truth."""

from .drive import SyntheticDrive

__all__ = ["SyntheticDrive"]
