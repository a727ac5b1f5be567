"""A row of named numbers as a message that plotting tools read: std_msgs/Float64MultiArray."""

from std_msgs.msg import Float64MultiArray, MultiArrayDimension


def number_row(stamp, numbers):
    """A message of `numbers` (name → float), before them `stamp_s`, the stamp in seconds.

    The names, joined by commas, are the label of the message's one dimension.
    """
    data = [stamp.sec + 1e-9 * stamp.nanosec, *map(float, numbers.values())]
    message = Float64MultiArray(data=data)
    message.layout.dim = [
        MultiArrayDimension(label=",".join(("stamp_s", *numbers)), size=len(data), stride=len(data))
    ]
    return message
