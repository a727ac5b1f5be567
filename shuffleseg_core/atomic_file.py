"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success.

    The temporary name keeps the suffixes of `path`, since many writers choose
    their format by it. If the block raises, what was written is removed and an
    older file at `path` stays as it was.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full.

    Devices and pipes are written directly, since they cannot be replaced.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path  # a device or a pipe takes bytes as they come; a folder raises in the writer
        return
    path = path.resolve()  # a link stays, what it points to is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem.split('.')[0]}-", suffix="".join(path.suffixes)
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; what users get should follow their umask.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
