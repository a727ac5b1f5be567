"""Reading pickled data without running any of it.

Python's `pickle` imports and calls what a file names, so that a weights file can do anything. Here
the file's opcodes are read one by one (`pickletools` only takes them apart) and only plain data is
built: numbers, strings, lists, tuples and dicts. Names of classes and functions are looked up in
a table of the caller's; nothing else is ever imported or called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO


class ForbiddenName(ValueError):
    """The file names a class or function that is not in the caller's table."""


_MARK = object()
_LITERALS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_PUSH_ARGUMENT = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle(
    file: BinaryIO,
    names: Mapping[tuple[str, str], Any],
    persistent_load: Callable[[Any], Any],
) -> Any:
    """Read one pickle; the file is left just behind it.

    Args:
        file: opened for reading bytes.
        names: (module, name) → what stands for it: a value, or a function that is called with
            what the file gives it.
        persistent_load: turns a persistent id into an object.

    Returns:
        What the pickle holds.

    Raises:
        ForbiddenName: a name is not in `names`.
        ValueError: this is no pickle, it is cut off, or it has opcodes that data does not need.
    """
    stack: list = []
    memo: dict[int, Any] = {}

    def pop_to_mark() -> list:
        items = []
        while (item := stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    try:
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name == "STOP":
                return stack.pop()
            if name in ("PROTO", "FRAME"):
                continue
            if name in _PUSH_ARGUMENT:
                stack.append(argument)
            elif name in _LITERALS:
                stack.append(_LITERALS[name])
            elif name == "MARK":
                stack.append(_MARK)
            elif name == "POP":
                stack.pop()
            elif name == "POP_MARK":
                pop_to_mark()
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name == "EMPTY_LIST":
                stack.append([])
            elif name == "EMPTY_DICT":
                stack.append({})
            elif name in _TUPLES:
                items = stack[-_TUPLES[name] :]
                del stack[-_TUPLES[name] :]
                stack.append(tuple(items))
            elif name == "TUPLE":
                stack.append(tuple(pop_to_mark()))
            elif name == "LIST":
                stack.append(pop_to_mark())
            elif name == "DICT":
                items = pop_to_mark()
                stack.append(dict(zip(items[::2], items[1::2])))
            elif name == "APPEND":
                item = stack.pop()
                _of_type(stack[-1], list).append(item)
            elif name == "APPENDS":
                items = pop_to_mark()
                _of_type(stack[-1], list).extend(items)
            elif name == "SETITEM":
                value, key = stack.pop(), stack.pop()
                _of_type(stack[-1], dict)[key] = value
            elif name == "SETITEMS":
                items = pop_to_mark()
                _of_type(stack[-1], dict).update(zip(items[::2], items[1::2]))
            elif name == "GLOBAL":
                stack.append(_look_up(names, *argument.split(" ", 1)))
            elif name == "STACK_GLOBAL":
                member, module = stack.pop(), stack.pop()
                stack.append(_look_up(names, module, member))
            elif name == "REDUCE":
                arguments, function = _of_type(stack.pop(), tuple), stack.pop()
                if not any(function is known for known in names.values()):
                    raise ValueError("calls something that is no function of the table")
                stack.append(function(*arguments))
            elif name == "BUILD":
                stack.pop()  # attributes, as an OrderedDict's `_metadata`: not data
            elif name == "BINPERSID":
                stack.append(persistent_load(stack.pop()))
            else:
                raise ValueError(f"opcode {name} is not one of plain data")
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"damaged: {type(error).__name__}: {error}") from error
    raise ValueError("cut off")


def _of_type(item, kind):
    """The item, which must be of that very type."""
    if type(item) is not kind:
        raise ValueError(f"damaged: a {type(item).__name__} where a {kind.__name__} belongs")
    return item


def _look_up(names, module, member):
    if (module, member) not in names:
        raise ForbiddenName(f"{module}.{member}")
    return names[module, member]
