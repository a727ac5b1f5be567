"""The model that the node's cameras share, with the classes that it publishes (no ROS in here)."""

import dataclasses
import difflib
import os
import re

import numpy as np

from shuffleseg_core.class_remapping import ClassRemapping
from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.segmenter import Segmenter


def open_warm(model, num_threads):
    """A Segmenter whose memory is set up, so that its first frame takes no longer than others.

    model: a path or a shipped model's name; '' is the default one. Raises UserError as Segmenter.
    """
    segmenter = Segmenter(model or None, num_threads=num_threads)
    width, height = segmenter.input_size
    segmenter.segment(np.zeros((height, width, 3), np.uint8))
    return segmenter


def file_state(path):
    """What tells a file from one that took its place; None where there is none."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def topic_name(class_name):
    """A class's name as a part of a topic's name: letters, digits and _."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", class_name).strip("_")
    return name if name[:1].isalpha() else f"class_{name}"


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A Segmenter and the classes that are published of it.

    Attributes:
        segmenter: for one thread at a time.
        remapping: ClassRemapping or None.
        label_map: of what is published.
        probabilities: published class's name → ids of the model's classes that it stands for.
    """

    segmenter: Segmenter
    remapping: "ClassRemapping | None"
    label_map: LabelMap
    probabilities: "dict[str, tuple[int, ...]]"

    @classmethod
    def of(cls, segmenter, remap, probability_classes):
        """`remap` and `probability_classes` as the parameters have them.

        Raises UserError for a rule that does not fit the model, and an unknown class.
        """
        remapping = ClassRemapping.of(segmenter.label_map, remap)
        label_map = remapping.label_map if remapping else segmenter.label_map
        ids = np.arange(len(segmenter.label_map))
        published = remapping.table[ids] if remapping else ids
        probabilities = {}
        for name in dict.fromkeys(filter(None, map(str.strip, probability_classes))):
            if segmenter.output != "logits":
                raise UserError(
                    "probability_classes: the model gives labels, not logits; export it with "
                    "logits, or leave probability_classes empty"
                )
            if name not in label_map.names:
                close = difflib.get_close_matches(name, label_map.names, 1)
                hint = f"did you mean {close[0]}?" if close else ", ".join(label_map.names)
                raise UserError(f"probability_classes: no class {name!r} is published; {hint}")
            same = [other for other in probabilities if topic_name(other) == topic_name(name)]
            if same:
                raise UserError(
                    f"probability_classes: {same[0]!r} and {name!r} would share the topic "
                    f"{topic_name(name)}; rename one by remap"
                )
            which = published == label_map.names.index(name)
            probabilities[name] = tuple(np.flatnonzero(which).tolist())
        return cls(segmenter, remapping, label_map, probabilities)
