"""Reading PyTorch's weights files (`.pth`, `.pth.tar`) without PyTorch and without `pickle`.

`torch.save` writes a zip archive since PyTorch 1.6, and a row of pickles with raw data behind them
before. Both are taken apart here with `read_pickle`, so nothing in the file is ever executed.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from ..errors import UserError
from .pickle_reader import ForbiddenName, read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
#: torch.serialization writes bfloat16 as its two bytes: the upper half of a float32.
_BFLOAT16 = "bfloat16"
_DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
#: Entries of a training's checkpoint that hold the state dict, as common scripts name them.
_STATE_DICT_KEYS = ("state_dict", "model")
#: What the parsers raise on files that are not what they should be.
_DAMAGE = (
    ValueError,
    KeyError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,  # an encrypted archive
)
_ADVICE = "give a state dict as torch.save(model.state_dict(), …) writes it"


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict.

    A training's checkpoint with the state dict in its entry `state_dict` or `model` is read too.
    The prefix `module.` that DataParallel gives all names is left out.

    Args:
        path: a file that torch.save wrote, of either format.

    Returns:
        Name → array, in the file's order; bfloat16 becomes float32.

    Raises:
        UserError: the file is damaged or cut off, or holds anything but a state dict.
    """
    try:
        data = Path(path).read_bytes()
        content, storages = (_read_zip if data.startswith(b"PK") else _read_legacy)(data)
        tensors = {
            name: _to_array(tensor, storages) for name, tensor in _state_dict(content).items()
        }
    except ForbiddenName as error:
        raise UserError(
            f"{path}: names {error}, which is no part of a state dict (nothing was run); {_ADVICE}"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise UserError(
            f"{path}: not a whole PyTorch weights file: {' '.join(str(error).split())}; "
            f"download it again, or {_ADVICE}"
        ) from error
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): array for name, array in tensors.items()}
    return tensors


@dataclass(frozen=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True)
class _Storage:
    """Raw memory that tensors look into."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _ordered_dict(pairs=()):
    return dict(pairs)


def _rebuild_tensor(storage, offset, size, stride, *_):
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without its storage")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("a tensor of a size that cannot be")
    return _Tensor(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(tensor, *_):
    return tensor


_NAMES = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): _StorageType(dtype) for name, dtype in _DTYPES.items()},
}


def _load_storage(identity) -> _Storage:
    """Persistent ids are ("storage", type, key, device, count, …)."""
    kind, storage_type, key, _, count, *view = identity
    if kind != "storage" or not isinstance(storage_type, _StorageType) or type(count) is not int:
        raise ValueError("an external object that is no storage")
    if any(view):
        raise ValueError("a view of a storage, as PyTorch before 0.4 wrote them")
    return _Storage(storage_type.dtype, str(key), count)


def _read_zip(data: bytes):
    """(content, storage key → (bytes, byte order)) of the format since PyTorch 1.6."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.split("/", 1)[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("a zip archive, but not of torch.save")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise ValueError("a TorchScript program")
        if sum(info.file_size for info in archive.infolist()) > len(data):
            raise ValueError("compressed, which torch.save does not do")
        content = read_pickle(BytesIO(archive.read(pickles[0])), _NAMES, _load_storage)
        big = f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") == b"big"
        prefix = f"{folder}data/"
        storages = {
            name.removeprefix(prefix): (archive.read(name), ">" if big else "<")
            for name in names
            if name.startswith(prefix)
        }
    return content, storages


def _read_legacy(data: bytes):
    """The same of the format before PyTorch 1.6."""
    file = BytesIO(data)
    seen: dict[str, _Storage] = {}

    def remember(identity):
        storage = _load_storage(identity)
        return seen.setdefault(storage.key, storage)

    def load():
        return read_pickle(file, _NAMES, remember)

    if load() != _LEGACY_MAGIC or load() != _LEGACY_PROTOCOL:
        raise ValueError("PyTorch's number is not at its start")
    system, content, keys = load(), load(), load()
    if not isinstance(system, dict) or not isinstance(keys, list):
        raise ValueError("damaged")
    order = "<" if system.get("little_endian", True) else ">"
    storages = {}
    for key in keys:
        if str(key) not in seen:
            raise ValueError(f"storage {key} belongs to no tensor")
        storage = seen[str(key)]
        (count,) = struct.unpack(f"{order}q", file.read(8))
        length = storage.count * _item_size(storage.dtype)
        data = file.read(length)
        if count != storage.count or len(data) != length:
            raise ValueError("cut off")
        storages[storage.key] = (data, order)
    return content, storages


def _state_dict(content) -> dict[str, _Tensor]:
    for key in _STATE_DICT_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ValueError("holds no state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise ValueError(f"holds no state dict: {str(name)[:80]!r} is no tensor")
    return content


def _item_size(dtype: str) -> int:
    return 2 if dtype == _BFLOAT16 else np.dtype(dtype).itemsize


def _to_array(tensor: _Tensor, storages) -> np.ndarray:
    """A copy of what the tensor shows of its storage."""
    data, order = storages[tensor.storage.key]
    dtype = tensor.storage.dtype
    numbers = np.dtype("u2" if dtype == _BFLOAT16 else dtype).newbyteorder(order)
    if len(data) != tensor.storage.count * numbers.itemsize:
        raise ValueError(f"storage {tensor.storage.key} is not of the size that it should be")
    elements = math.prod(tensor.size)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride))
    if elements > tensor.storage.count or (elements and last >= tensor.storage.count):
        raise ValueError("a tensor reaches beyond its storage")
    flat = np.frombuffer(data, numbers)
    view = np.lib.stride_tricks.as_strided(
        flat[tensor.offset :],
        tensor.size,
        [step * numbers.itemsize for step in tensor.stride],
    )
    array = view.astype(numbers.newbyteorder("="))
    if dtype == _BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array
