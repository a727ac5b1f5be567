"""How the executables of this package begin and end.

A user's mistake is one ERROR line and exit status 1, never a traceback; Ctrl-C, SIGTERM and the
shutdown by a launch file are the normal end and exit status 0.
"""

import signal
import sys

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.utilities import remove_ros_args

from shuffleseg_core.errors import UserError
from shuffleseg_ros.fastdds_profile import use_large_image_profile
from shuffleseg_ros.large_allocations import keep_large_allocations
from shuffleseg_ros.node_parameters import usage


def run_node(name, make_node, parameters, work=rclpy.spin, args=None):
    """Run make_node() by work(node) until that returns or the node is told to end.

    `name` is the logger's, for mistakes that keep the node from being made; `parameters` are the
    NodeParameters that --help tells of. The node's close() is called at the end. Returns the exit
    status.
    """
    node = None
    args = sys.argv if args is None else args
    if "--help" in args or "-h" in args:
        print(usage(name, parameters))
        return 0
    try:
        use_large_image_profile()
        keep_large_allocations()
        try:
            rclpy.init(args=args)
        except Exception as error:  # its type differs from release to release
            raise UserError(f"cannot start with these ROS arguments: {error}") from error
        for argument in remove_ros_args(args)[1:]:
            raise UserError(
                f"unknown argument {argument!r}; parameters are given as "
                "--ros-args -p NAME:=VALUE (--help lists them)"
            )
        node = make_node()
        work(node)
        return 0
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (UserError, ParameterException) as error:
        get_logger(name).error(" ".join(str(error).split()))
        return 1
    except Exception:
        if rclpy.ok():
            raise
        return 0  # a signal shut ROS down beneath a call, which failed in its own way
    finally:
        # A launch file and the terminal both send SIGINT; the second must not cut the end short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.close()
        rclpy.try_shutdown()
