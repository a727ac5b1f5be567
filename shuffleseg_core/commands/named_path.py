"""`[NAME=]PATH` arguments of commands that compare."""

import contextlib

from ..user_path import user_path


def parse_named_path(text: str) -> tuple[str, str]:
    """(name, path); the name is the file's, without its suffix, where none is given."""
    name, equals, path = text.partition("=")
    with contextlib.suppress(OSError):  # a name too long for a file
        if user_path(text).exists():
            equals = ""
    if not equals or not path:
        name, path = "", text
    return name or user_path(path).stem, path
