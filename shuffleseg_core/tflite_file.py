"""What a .tflite file holds, read without TensorFlow and without running it.

The format is TensorFlow Lite's FlatBuffers schema (schema.fbs); field numbers below are that
schema's. Only what this project needs is read.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import flatbuffers.number_types as number_types
from flatbuffers.table import Table

from .errors import UserError

_IDENTIFIER = b"TFL3"
_ITEM_SIZE = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1, 10: 8}  # TensorType → bytes
_CONV_2D, _DEPTHWISE_CONV_2D, _FULLY_CONNECTED, _CUSTOM, _ARG_MAX = 3, 4, 9, 32, 56


@dataclass(frozen=True)
class Tensor:
    """Name, shape and TensorType of a tensor, and the bytes of its constant value (0: none)."""

    name: str
    shape: tuple[int, ...]
    type: int
    constant_bytes: int


@dataclass(frozen=True)
class Operator:
    """One node of the graph: BuiltinOperator code, name if custom, tensor indices."""

    code: int
    custom_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class TFLiteFile:
    """Read access to a .tflite file.

    Args:
        path: the file.

    Raises:
        UserError: the file cannot be read, or is no (whole) TFLite model. Later property
            reads raise it too where they meet damage.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self.data = self.path.read_bytes()
        except OSError as error:
            raise UserError(f"model {path}: cannot be read: {error.strerror}") from error
        if len(self.data) < 16 or self.data[4:8] != _IDENTIFIER:
            raise UserError(
                f"model {path}: not a TFLite model; give a .tflite file, "
                "as `shuffleseg export` writes it"
            )
        with _DamageReported(self.path):
            self._model = Table(self.data, struct.unpack_from("<I", self.data)[0])
            self.metadata = self._read_metadata()
            self.tensors, self.inputs, self.outputs, self.operators = self._read_graph()

    @cached_property
    def custom_operators(self) -> tuple[str, ...]:
        """Names of operators that are not TFLite builtins ("Flex…" are TensorFlow's)."""
        return tuple(sorted({o.custom_name for o in self.operators if o.code == _CUSTOM}))

    @cached_property
    def weight_count(self) -> int:
        """Elements of the constants that convolutions and dense layers use."""
        weighty = (_CONV_2D, _DEPTHWISE_CONV_2D, _FULLY_CONNECTED)
        used = {i for o in self.operators if o.code in weighty for i in o.inputs[1:] if i >= 0}
        constants = (self.tensors[i] for i in used)
        return sum(prod(t.shape) for t in constants if t.constant_bytes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and dense layers for one input."""
        total = 0
        for operator in self.operators:
            if operator.code in (_CONV_2D, _DEPTHWISE_CONV_2D, _FULLY_CONNECTED):
                kernel = self.tensors[operator.inputs[1]].shape
                positions = prod(self.tensors[operator.outputs[0]].shape[:-1])
                total += positions * prod(kernel)
        return total

    @cached_property
    def argmax_depth(self) -> int | None:
        """Channels that the (last) ARG_MAX chooses from; None where there is none."""
        for operator in reversed(self.operators):
            if operator.code == _ARG_MAX:
                return self.tensors[operator.inputs[0]].shape[-1]
        return None

    def _read_metadata(self) -> dict[str, bytes]:
        buffers = list(self._tables(self._model, 4))
        found = {}
        for entry in self._tables(self._model, 6):
            name = self._string(entry, 0)
            buffer = buffers[self._scalar(entry, 1, number_types.Uint32Flags)]
            found[name] = self._bytes(buffer, 0)
        return found

    def _read_graph(self):
        buffers = list(self._tables(self._model, 4))
        codes = [
            (
                # Codes above 127 are in the newer field, older files have the byte alone.
                max(
                    self._scalar(code, 0, number_types.Int8Flags),
                    self._scalar(code, 3, number_types.Int32Flags),
                ),
                self._string(code, 1),
            )
            for code in self._tables(self._model, 1)
        ]
        graph = next(iter(self._tables(self._model, 2)))
        tensors = []
        for tensor in self._tables(graph, 0):
            shape = tuple(self._ints(tensor, 0))
            type_ = self._scalar(tensor, 1, number_types.Int8Flags)
            buffer = buffers[self._scalar(tensor, 2, number_types.Uint32Flags)]
            tensors.append(
                Tensor(self._string(tensor, 3), shape, type_, self._vector_length(buffer, 0))
            )
        operators = tuple(
            Operator(
                *codes[self._scalar(operator, 0, number_types.Uint32Flags)],
                tuple(self._ints(operator, 1)),
                tuple(self._ints(operator, 2)),
            )
            for operator in self._tables(graph, 3)
        )
        return tuple(tensors), tuple(self._ints(graph, 1)), tuple(self._ints(graph, 2)), operators

    # Field `number` of a table lies at vtable slot 4 + 2 · number.

    @staticmethod
    def _slot(table: Table, number: int) -> int:
        return table.Offset(4 + 2 * number)

    def _scalar(self, table: Table, number: int, flags) -> int:
        offset = self._slot(table, number)
        return table.Get(flags, offset + table.Pos) if offset else 0

    def _string(self, table: Table, number: int) -> str:
        return self._bytes(table, number).decode("utf-8", "replace")

    def _bytes(self, table: Table, number: int) -> bytes:
        length = self._vector_length(table, number)
        if not length:
            return b""
        start = table.Vector(self._slot(table, number))
        return bytes(self.data[start : start + length])

    def _vector_length(self, table: Table, number: int) -> int:
        offset = self._slot(table, number)
        length = table.VectorLen(offset) if offset else 0
        if length > len(self.data):  # damage must not become a loop of 4 billion rounds
            raise ValueError("a vector is longer than the file")
        return length

    def _ints(self, table: Table, number: int):
        length = self._vector_length(table, number)
        if not length:
            return ()
        return struct.unpack_from(f"<{length}i", self.data, table.Vector(self._slot(table, number)))

    def _tables(self, table: Table, number: int):
        for index in range(self._vector_length(table, number)):
            start = table.Vector(self._slot(table, number)) + 4 * index
            yield Table(self.data, table.Indirect(start))


class _DamageReported:
    """Turns whatever a damaged file makes the reader raise into one clear line."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind and issubclass(
            kind,
            (
                struct.error,
                IndexError,
                ValueError,
                TypeError,
                OverflowError,
                StopIteration,
                MemoryError,
            ),
        ):
            raise UserError(
                f"model {self.path}: damaged TFLite model; copy or export it again"
            ) from error
        return False
