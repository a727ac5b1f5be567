"""Other classes than the network's: some of them left out, several made one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import cv2
import numpy as np

from .errors import UserError
from .label_map import LabelMap

UNLABELLED = 255  # of classes that no rule keeps
_REST = "*"


class ClassRemapping:
    """From a network's class ids to those of rules' classes.

    Args:
        label_map: the network's classes.
        rules: one a new class, whose ids are 0, 1 … in the rules' order. `new=old,old` makes the
            old classes one, `old` keeps a class as it is, `new=*` takes all classes that no rule
            names. Spaces around names do not count.

    Attributes:
        label_map: the new classes, each in the colour of the first old one of its rule; its
            ignore id is 255.
        table: uint8 [256]: old id → new id; 255 for classes that no rule keeps and for ids that
            are no class.

    Raises:
        UserError: no or an empty rule, a class that is not known or in two rules, a new name
            twice, more than one `*`, one for which no class is left, or more than 255 rules.
    """

    def __init__(self, label_map: LabelMap, rules: Sequence[str]):
        parsed = [_parse(rule) for rule in rules]
        if not 1 <= len(parsed) <= UNLABELLED:
            raise UserError(f"remap: {len(parsed)} rules; give 1 to {UNLABELLED}")
        taken = {}
        for rule, (_, olds) in zip(rules, parsed):
            for old in olds:
                if old != _REST and old not in label_map.names:
                    raise UserError(f"remap {rule!r}: no class {old!r}; {_hint(old, label_map)}")
                if old in taken:
                    raise UserError(f"remap {rule!r}: {old!r} is in {taken[old]!r} already")
                taken[old] = rule
        rest = [id_ for id_, name in enumerate(label_map.names) if name not in taken]
        self.table = np.full(256, UNLABELLED, np.uint8)
        names, colors = [], []
        for new_id, (rule, (name, olds)) in enumerate(zip(rules, parsed)):
            if name in names:
                raise UserError(f"remap {rule!r}: another rule makes a class {name!r} already")
            ids = []
            for old in olds:
                ids += rest if old == _REST else [label_map.names.index(old)]
            if not ids:
                raise UserError(f"remap {rule!r}: the other rules leave no class for it")
            self.table[ids] = new_id
            names.append(name)
            colors.append(label_map.colors[ids[0]])
        self.label_map = LabelMap(tuple(names), tuple(colors), ignore_id=UNLABELLED)

    @classmethod
    def of(cls, label_map: LabelMap, rules: Sequence[str]) -> ClassRemapping | None:
        """None where there are no rules: an empty list, or one empty text, which stands for it in
        ROS parameters. Otherwise as the class itself."""
        return None if list(rules) in ([], [""]) else cls(label_map, rules)

    def apply(self, labels: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """New ids of old ones.

        Args:
            labels: uint8 [H, W].
            out: uint8 [H, W], C-contiguous, to write into, which may be `labels`; None takes a
                new array.

        Returns:
            uint8 [H, W].

        Raises:
            ValueError: `out` is no such array.
        """
        if out is not None and (
            out.dtype != np.uint8 or out.shape != labels.shape or not out.flags.c_contiguous
        ):
            raise ValueError(f"out is {out.dtype} {out.shape}; give a whole uint8 {labels.shape}")
        return cv2.LUT(labels, self.table, dst=out)


def _parse(rule: str) -> tuple[str, list[str]]:
    """ "new=old,old" → (new, [old, old])."""
    new, equals, olds = rule.partition("=")
    new = new.strip()
    olds = [old.strip() for old in (olds if equals else rule).split(",")]
    if not new or not all(olds) or new == _REST or (len(olds) > 1 and not equals):
        raise UserError(f"remap {rule!r}: write new=old,old or old or new=* (* is all the others)")
    return new, olds


def _hint(name: str, label_map: LabelMap) -> str:
    close = difflib.get_close_matches(name, label_map.names, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known are {', '.join(label_map.names)}"
