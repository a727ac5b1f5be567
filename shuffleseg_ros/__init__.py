"""The ROS 2 side of shuffleseg: camera frames in, label images out.

Everything that does not need ROS lives in shuffleseg_core, which knows nothing of this package.
"""

import os

# A compressed image of a few MB may ask for GBs of pixels. OpenCV reads this when it is imported.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))
