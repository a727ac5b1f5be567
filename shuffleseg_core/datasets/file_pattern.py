"""Patterns of file names that tell what their wildcards stand for."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import UserError
from ..image_file import is_image_file

#: What the wildcards of a pattern stand for in one path.
Key = tuple[str, ...]


@dataclass(frozen=True)
class FilePattern:
    """A path with `*` and `?`, which stand for parts of one name, and `**/`, for any folders.

    Attributes:
        text: the pattern, with "/" between folders; all other characters stand for themselves.
    """

    text: str

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The pattern cut into its wildcards `**/`, `*`, `?` and the text between them."""
        return tuple(part for part in re.split(r"((?<![^/])\*\*/|[*?])", self.text) if part)

    @property
    def wildcards(self) -> tuple[str, ...]:
        """The wildcards in order."""
        return tuple(token for token in self.tokens if token in _GROUPS)

    def find(self, folder: Path) -> dict[Key, Path]:
        """The image files below `folder` that match, by what the wildcards stand for.

        A pattern that ends in `*` takes any suffix, which does not count as part of the key.

        Raises:
            UserError: two files have the same key.
        """
        regex = re.compile("".join(_GROUPS.get(token) or re.escape(token) for token in self.tokens))
        files: dict[Key, Path] = {}
        found = glob.glob(self.text.replace("[", "[[]"), root_dir=folder, recursive=True)
        for name in sorted(found):
            match = regex.fullmatch(name)
            if match is None or not is_image_file(name):
                continue
            key = tuple(part or "" for part in match.groups())
            if self.text.endswith("*"):
                key = (*key[:-1], str(Path(key[-1]).with_suffix("")))
            path = folder / name
            if files.setdefault(key, path) != path:
                raise UserError(f"{path}: has the name of {files[key]}; rename one of them")
        return files

    def path(self, key: Key) -> str:
        """The path in which the wildcards stand for `key`."""
        parts = iter(key)
        filled = "".join(next(parts) if token in _GROUPS else token for token in self.tokens)
        return f"{filled}.png" if self.text.endswith("*") else filled


# `**/` keeps its slash, and is empty where it stands for no folder.
_GROUPS = {"**/": "((?:.*/)?)", "*": "([^/]*)", "?": "([^/])"}
