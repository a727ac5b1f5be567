"""Declares a node's parameters from a table, which YAML files and docs are checked against."""

import dataclasses
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from shuffleseg_core.errors import UserError


@dataclasses.dataclass(frozen=True)
class NodeParameter:
    """One parameter: its default gives its type, `minimum` and `maximum` (both or none) its range.

    `choices` are the only values of a text parameter, () allows any; such a parameter is not live.
    `live` ones may change while the node runs, the others are fixed once it has started.
    """

    name: str
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    live: bool = False
    choices: tuple[str, ...] = ()


def declare_parameters(node, table):
    """Declare every NodeParameter of `table` on an rclpy node.

    A value from outside (YAML, command line) of the wrong type or out of range raises
    rclpy.exceptions.ParameterException, one that is no choice UserError.
    """
    for parameter in table:
        value = node.declare_parameter(
            parameter.name, parameter.default, _descriptor(parameter)
        ).value
        if parameter.choices and value not in parameter.choices:
            raise UserError(
                f"parameter {parameter.name}: {value!r} is not one of "
                + ", ".join(parameter.choices)
            )


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
