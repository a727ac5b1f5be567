"""Files as torch.save writes them, byte by byte and without PyTorch."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np

_STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i8": "LongStorage"}


def string(text):
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(number):
    return b"J" + struct.pack("<i", number)


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


EMPTY_ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def ordered_dict(items):
    """`items` are pairs of name and pickled bytes; with `_metadata`, as state dicts have it."""
    content = b"".join(string(name) + value for name, value in items)
    metadata = b"}" + string("_metadata") + EMPTY_ORDERED_DICT + b"sb"
    return EMPTY_ORDERED_DICT + b"(" + content + b"u" + metadata


class TorchFile:
    """One file, of the format since PyTorch 1.6 ("zip") or before ("legacy")."""

    def __init__(self, kind):
        self.legacy = kind == "legacy"
        self.storages = {}

    def storage(self, data, type_name, count):
        """Add raw data. Returns the pickled reference to it."""
        key = str(len(self.storages))
        self.storages[key] = (count, data)
        fields = [string("storage"), f"ctorch\n{type_name}\n".encode(), string(key)]
        fields += [string("cpu"), integer(count)] + ([b"N"] if self.legacy else [])
        return tuple_of(*fields) + b"Q"

    def tensor(self, array):
        """Pickled tensor with a storage of its own."""
        array = np.asarray(array, order="C")
        steps = [step // array.itemsize for step in array.strides]
        storage = self.storage(array.tobytes(), _STORAGES[array.dtype.str[1:]], array.size)
        return self.view(storage, 0, array.shape, steps)

    def view(self, storage, offset, size, stride):
        """Pickled tensor that shows a part of a storage."""
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n"
            + tuple_of(
                storage,
                integer(offset),
                tuple_of(*map(integer, size)),
                tuple_of(*map(integer, stride)),
                b"\x89",
                EMPTY_ORDERED_DICT,
            )
            + b"R"
        )

    def state_dict(self, variables):
        return ordered_dict((name, self.tensor(array)) for name, array in variables.items())

    def to_bytes(self, content):
        """The file with this pickled content."""
        content = b"\x80\x02" + content + b"."
        if not self.legacy:
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("archive/data.pkl", content)
                archive.writestr("archive/byteorder", "little")
                for key, (_, data) in self.storages.items():
                    archive.writestr(f"archive/data/{key}", data)
                archive.writestr("archive/version", "3\n")
            return file.getvalue()
        magic = b"\x80\x02\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."
        protocol = b"\x80\x02" + integer(1001) + b"."
        system = b"\x80\x02}" + string("little_endian") + b"\x88s."
        keys = b"\x80\x02](" + b"".join(map(string, self.storages)) + b"e."
        data = b"".join(struct.pack("<q", count) + raw for count, raw in self.storages.values())
        return magic + protocol + system + content + keys + data


def save_state_dict(path, variables, kind="zip"):
    """Write name → array as a `.pth`."""
    file = TorchFile(kind)
    path.write_bytes(file.to_bytes(file.state_dict(variables)))
    return path
