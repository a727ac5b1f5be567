"""The description that a .tflite file carries of itself.

It is a JSON object in the model's metadata, under `METADATA_NAME`, so that a mask can be
explained wherever the file goes. TensorFlow Lite ignores metadata that it does not know.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from .errors import UserError
from .label_map import LabelMap
from .size import format_size, parse_size
from .tflite_file import TFLiteFile

METADATA_NAME = "shuffleseg_description"


@dataclass(frozen=True)
class ModelDescription:
    """What a model file says of itself.

    Attributes:
        label_map: class names, colours, ignore id.
        input_size: (width, height) of the network's input in pixels.
        input_range: smallest and largest value of the input, per channel RGB.
        output: `labels` (class ids at input size) or `logits` (at output stride).
        align_corners: corner convention for enlarging the logits, as it was trained with.
        architecture: name and options of the network.
        training: data set, steps and settings, as far as known.
        licence: terms of the weights, in words.
        parameters: weights of the trained network, batch norm's four a channel included.
        gmac: 10⁹ multiply-accumulates a frame.
    """

    label_map: LabelMap
    input_size: tuple[int, int]
    output: str
    input_range: tuple[float, float] = (0.0, 255.0)
    align_corners: bool = False
    architecture: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    licence: str = ""
    parameters: int | None = None
    gmac: float | None = None

    def to_json(self) -> str:
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["label_map"] = self.label_map.to_dict()
        data["input_size"] = format_size(self.input_size)
        return json.dumps({"format": 1, **data}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelDescription:
        """Raises UserError where the text is no description. Unknown keys are ignored."""
        try:
            data = json.loads(text)
            known = {f.name for f in dataclasses.fields(cls)}
            values = {key: value for key, value in data.items() if key in known}
            values["label_map"] = LabelMap.from_dict(data["label_map"])
            values["input_size"] = parse_size(data["input_size"])
            values["input_range"] = tuple(float(v) for v in data.get("input_range", (0, 255)))
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"model description: {type(error).__name__}: {error}; export the model again"
            ) from error


def read_description(file: TFLiteFile) -> ModelDescription | None:
    """The description inside a file; None where it has none.

    Raises:
        UserError: there is one, but it cannot be understood.
    """
    text = file.metadata.get(METADATA_NAME)
    if text is None:
        return None
    try:
        return ModelDescription.from_json(text)
    except UserError as error:
        raise UserError(f"model {file.path}: {error}") from error
