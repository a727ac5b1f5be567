"""The ROS 2 side of shuffleseg: camera frames in, label images out.

Everything that does not need ROS lives in shuffleseg_core, which knows nothing of this package.
"""
