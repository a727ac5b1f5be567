"""Entry points of the nodes, for where ROS 2 may be missing or the user impatient."""

import importlib
import sys


def segmentation_node():
    return _main("segmentation_node")


def segmentation_view():
    return _main("segmentation_view")


def drive_player():
    return _main("drive_player")


def _main(name):
    """Run the node's main(); returns its exit status."""
    try:
        main = importlib.import_module(f"shuffleseg_ros.{name}").main
    except ImportError as error:
        print(
            f"{name}: needs ROS 2 ({error}); source a ROS 2 installation, "
            "or in the checkout run `pip install '.[ros]'`",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:  # Ctrl-C before the node is there to end
        return 0
    return main()
