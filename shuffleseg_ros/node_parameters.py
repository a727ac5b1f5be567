"""Declares a node's parameters from a table, which YAML files and docs are checked against."""

import dataclasses
import difflib
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException

from shuffleseg_core.errors import UserError

#: What rclpy itself reads.
_RCLPY_PARAMETERS = ("use_sim_time", "qos_overrides.", "start_type_description_service")


@dataclasses.dataclass(frozen=True)
class NodeParameter:
    """One parameter: its default gives its type, `minimum` and `maximum` (both or none) its range.

    `choices` are the only values of a text parameter, () allows any; such a parameter is not live.
    `live` ones may change while the node runs, the others are fixed once it has started. Of those
    that are `per_camera` each named camera has one of its own.
    """

    name: str
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    choices: tuple[str, ...] = ()
    per_camera: bool = False


def declare_parameters(node, table):
    """Declare every NodeParameter of `table` on an rclpy node.

    Raises as declare_parameter does. A name from outside that the node lacks is a WARN line.
    """
    for parameter in table:
        declare_parameter(node, parameter)
    warn_of_unknown(node, [parameter.name for parameter in table])


def declare_parameter(node, parameter):
    """Declare one NodeParameter; returns its value.

    A value from outside (YAML, command line) out of range raises
    rclpy.exceptions.ParameterException, one of the wrong type or that is no choice UserError.
    """
    default = parameter.default
    try:
        value = node.declare_parameter(parameter.name, default, _descriptor(parameter)).value
    except InvalidParameterTypeException as error:
        example = " (with a decimal point)" if isinstance(default, float) else ""
        kind = "list of texts" if isinstance(default, list) else type(default).__name__
        raise UserError(
            f"parameter {parameter.name}: takes a {kind} as {default!r}{example}: {error}"
        ) from error
    if parameter.choices and value not in parameter.choices:
        raise UserError(
            f"parameter {parameter.name}: {value!r} is not one of " + ", ".join(parameter.choices)
        )
    return value


def usage(name, table):
    """What --help prints."""
    lines = [f"usage: {name} --ros-args [-p NAME:=VALUE]... [-r image:=TOPIC]...", "parameters:"]
    for parameter in table:
        lines.append(f"  {parameter.name} ({parameter.default!r})")
        lines.append(f"      {parameter.description}")
    return "\n".join(lines)


def warn_of_unknown(node, known):
    """Tell of parameters that somebody set and nobody reads, most likely misspelt.

    `known` are the names of those that are declared.
    """
    # rclpy has no public way to ask; where the attribute is missing, nothing is told.
    for name in getattr(node, "_parameter_overrides", {}):
        if name in known or name.startswith(_RCLPY_PARAMETERS):
            continue
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        node.get_logger().warning(f"parameter {name} is not known and has no effect; {hint}")


def _descriptor(parameter):
    descriptor = ParameterDescriptor(
        name=parameter.name, description=parameter.description, read_only=not parameter.live
    )
    if parameter.choices:
        descriptor.additional_constraints = "One of: " + ", ".join(parameter.choices)
    if parameter.minimum is not None:
        if isinstance(parameter.default, int):
            descriptor.integer_range = [
                IntegerRange(
                    from_value=int(parameter.minimum), to_value=int(parameter.maximum), step=1
                )
            ]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(
                    from_value=float(parameter.minimum), to_value=float(parameter.maximum)
                )
            ]
    return descriptor
