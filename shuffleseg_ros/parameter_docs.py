"""Writes docs/parameters.md and config/*.yaml from the nodes' declarations, so that they cannot
disagree: `make parameters`."""

import sys
import textwrap
from pathlib import Path

import yaml

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_ros import drive_player, segmentation_parameters

NODES = {
    "segmentation_node": segmentation_parameters.PARAMETERS,
    "drive_player": drive_player.PARAMETERS,
}

_YAML_HEADS = {
    "segmentation_node": """\
# All parameters of segmentation_node, with their defaults. Copy this file, change what you need and
# start with:  ros2 launch shuffleseg_ros segmentation.launch.py params_file:=/path/to/your.yaml
# Those that are "per camera" may be given for each of several cameras: front.roi, left.roi.
# "Live" ones may be changed while the node runs.
""",
    "drive_player": "# All parameters of drive_player, with their defaults.\n",
}
YAML_FILES = {"segmentation_node": "segmentation.yaml", "drive_player": "drive_player.yaml"}


def documents():
    """{path in the repository: text}."""
    files = {"docs/parameters.md": _markdown()}
    for node, parameters in NODES.items():
        files[f"config/{YAML_FILES[node]}"] = _yaml(_YAML_HEADS[node], parameters)
    return files


def _markdown():
    lines = [
        "# Parameters",
        "",
        "Written from the nodes' declarations by `make parameters`. *Live* parameters may be "
        "changed while the node runs (`ros2 param set`); those *per camera* are given for each of "
        "several named cameras as `front.roi`, and without a name are the defaults of all.",
    ]
    for node, parameters in NODES.items():
        lines += [
            "",
            f"## {node}",
            "",
            "| parameter | default | range | |",
            "| --- | --- | --- | --- |",
        ]
        for parameter in parameters:
            marks = [
                word
                for word, holds in (("live", parameter.live), ("per camera", parameter.per_camera))
                if holds
            ]
            description = parameter.description.replace("|", "\\|")
            if marks:
                description += f" *{', '.join(marks)}*"
            cells = (
                f"`{parameter.name}`",
                f"`{_value(parameter)}`",
                _range(parameter),
                description,
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _yaml(head, parameters):
    blocks = []
    for parameter in parameters:
        marks = [_range(parameter)] if _range(parameter) else []
        marks += ["live"] if parameter.live else []
        marks += ["per camera"] if parameter.per_camera else []
        text = parameter.description + (f" ({'; '.join(marks)})" if marks else "")
        comment = textwrap.wrap(text, 94)
        blocks.append(
            "".join(f"    # {line}\n" for line in comment)
            + f"    {parameter.name}: {_value(parameter)}\n"
        )
    return head + "/**:\n  ros__parameters:\n" + "\n".join(blocks)


def _value(parameter):
    text = yaml.safe_dump(parameter.default, default_flow_style=True, width=10**6)
    text = text.replace("\n...\n", "\n").strip()
    return text.replace("''", '""')


def _range(parameter):
    if parameter.choices:
        return ", ".join(parameter.choices)
    if parameter.minimum is None:
        return ""
    return f"{parameter.minimum:.12g} to {parameter.maximum:.12g}"


def main(root="."):
    for name, text in documents().items():
        with atomic_path(Path(root, name)) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
