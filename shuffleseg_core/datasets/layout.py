"""How a data set lies on disk, and what to say where it does not lie so."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError
from .dataset import Dataset


class WrongLayout(UserError):
    """The folder is not laid out as this data set is."""


class Layout(ABC):
    """Finds the files of one data set.

    Attributes:
        name: of the data set.
        expected: where images and labels should be, for messages.
    """

    name: str
    expected: str

    @abstractmethod
    def splits(self, root: Path) -> tuple[str, ...]:
        """Names of the splits with images and labels below `root`; empty where it lies otherwise.

        Looks at folder names alone.
        """

    @abstractmethod
    def open(self, root: Path, split: str, need_labels: bool) -> Dataset:
        """Open one split; decodes no image.

        Raises:
            WrongLayout: folders or lists are missing.
            UserError: images or (where `need_labels`) labels are missing, or a file is wrong.
        """

    def wrong(self, path: Path, what: str = "no such folder") -> WrongLayout:
        """What to raise where `path` should be and is not."""
        return WrongLayout(f"{path}: {what}; {self.name} is expected as {self.expected}")


def advice(layout: Layout, layouts: Iterable[Layout], root: Path) -> str:
    """What a user who gave a wrong folder or split may have meant; empty where nobody can tell."""
    found = _splits(layout, root)
    if found:
        return f"; splits found there: {', '.join(found)}"
    for other in layouts:
        if _splits(other, root):
            return f"; this looks like {other.name}: give that data set (--dataset {other.name})"
    for near in [root.parent, root.parent.parent, *subfolders(root)]:
        if _splits(layout, near):
            return f"; give the folder {near}"
    return ""


def _splits(layout: Layout, root: Path) -> tuple[str, ...]:
    try:
        return layout.splits(root)
    except (OSError, UserError):
        return ()


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name; none where it is missing."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names]


def files(folder: Path, suffix: str = "") -> list[Path]:
    """The visible entries of a folder, sorted by name; none where it is missing.

    Args:
        folder: where to look.
        suffix: what their names end with.
    """
    try:
        names = sorted(os.listdir(folder))  # names sort ten times faster than paths
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names if name.endswith(suffix) and name[0] != "."]


def read_list(path: Path) -> list[str]:
    """The lines of a text file that are not blank. Raises UserError where it is unreadable."""
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no text file; give the data set's own list") from error
