"""A trained network on disk: how to build it, what it means, and its weights.

Training writes this, exporting reads it: `model.json` beside `model.weights.h5`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from ..atomic_file import atomic_path
from ..errors import UserError, first_line
from ..label_map import LabelMap
from ..size import format_size, parse_size
from ..trained_files import RECORD
from . import build_model

#: Of the networks that weights are for. Those of version 1, which wrote no number, joined the
#: halves of ShuffleNet's units in another order: their weights fit, but compute something else.
VERSION = 2


@dataclass(frozen=True)
class TrainedNetwork:
    """Everything but the weights.

    Attributes:
        model: `architecture` and the options of its function.
        label_map: classes of the logits.
        input_size: (width, height) that it was trained at and is exported for by default.
        training: data, steps, settings: JSON-ready facts for the description.
        licence: terms of the weights, in words.
    """

    model: dict
    label_map: LabelMap
    input_size: tuple[int, int]
    training: dict = field(default_factory=dict)
    licence: str = ""

    def build(self, **options):
        """The Keras model, untrained; `options` change those of `model`."""
        return build_model(**{**self.model, "num_classes": len(self.label_map), **options})

    def save_record(self, folder: Path) -> None:
        """Write `model.json`."""
        record = {
            "version": VERSION,
            "model": self.model,
            "label_map": self.label_map.to_dict(),
            "input_size": format_size(self.input_size),
            "training": self.training,
            "licence": self.licence,
        }
        with atomic_path(folder / RECORD) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load_record(cls, folder: Path) -> TrainedNetwork:
        """Read `model.json`. Raises UserError where it is missing or of another form."""
        path = Path(folder) / RECORD
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record.get("version", 1) != VERSION:
                raise UserError(
                    f"{path}: weights of another version of shuffleseg "
                    f"({record.get('version', 1)}, not {VERSION}); train anew"
                )
            return cls(
                dict(record["model"]),
                LabelMap.from_dict(record["label_map"]),
                parse_size(record["input_size"]),
                dict(record.get("training", {})),
                str(record.get("licence", "")),
            )
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read: {error.strerror}; give the folder of a training"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: {type(error).__name__}: {error}; train anew") from error

    def load_weights(self, model, path: Path) -> None:
        """Fill `model` with a weights file. Raises UserError where it does not fit."""
        if not Path(path).is_file():
            raise UserError(f"{path}: no such weights; is the training finished?")
        try:
            model.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            reason = first_line(error)
            raise UserError(f"{path}: the weights do not fit the model: {reason}") from error
