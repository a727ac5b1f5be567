"""YAML files that come with the package and are asked for by name, or lie anywhere."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import yaml

from shuffleseg_core.errors import UserError
from shuffleseg_core.user_path import user_path


class NamedYaml:
    """The YAML files of one kind.

    Args:
        kind: what such a file is, for messages.
        folder: of this package, where those that come with it are.
    """

    def __init__(self, kind: str, folder: str):
        self._kind = kind
        self._folder = resources.files(__package__) / folder

    def names(self) -> list[str]:
        """Of the files that come with the package."""
        files = (path.name for path in self._folder.iterdir())
        return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))

    def read(self, name_or_path: str) -> tuple[object, str]:
        """(its content, its name: the file's stem).

        Args:
            name_or_path: one of `names`, or a path that ends in .yaml.

        Raises:
            UserError: there is no such file, or it is not valid YAML.
        """
        path = Path(name_or_path)
        try:
            if path.suffix in (".yaml", ".yml") or os.sep in str(name_or_path):
                path = user_path(path)
                text = path.read_text(encoding="utf-8")
            elif name_or_path in self.names():
                text = (self._folder / f"{name_or_path}.yaml").read_text("utf-8")
            else:
                raise UserError(
                    f"{self._kind} {name_or_path!r} is not known; choose from "
                    f"{', '.join(self.names())}, or give the path of a .yaml file"
                )
            return yaml.safe_load(text), path.stem
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = str(error).replace("\n", " ")
            raise UserError(f"{path}: not valid YAML: {where}") from error
