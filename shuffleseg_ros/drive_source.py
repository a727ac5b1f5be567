"""Opens whatever can be played as a drive, and times its frames."""

from shuffleseg_core.errors import UserError
from shuffleseg_core.frame_source import open_frames
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_core.user_path import user_path
from shuffleseg_ros.bag import BagFrames, is_bag

DEFAULT_RATE = 15.0  # Hz, where neither the frames nor their source know


def open_drive(drive, *, topic="", seed=0, width=640, height=360, num_frames=300):
    """A FrameSource: the synthetic drive for '', else a folder of images, a video or a rosbag2.

    `topic` chooses among a bag's image topics; seed, width, height (pixels) and num_frames are the
    synthetic drive's. Raises UserError where there is nothing to play.
    """
    if not drive:
        return SyntheticDrive(
            seed=seed, width=width, height=height, num_frames=num_frames, rate=DEFAULT_RATE
        )
    drive = user_path(drive)
    if is_bag(drive):
        return BagFrames(drive, topic or None)
    return open_frames(drive)


def timed_frames(source, rate=0.0, loop=False):
    """Yields (seconds since the start, seconds into the round, Frame) in order.

    With `loop` rounds follow each other for ever; else the two times are the same.

    rate: frames a second; 0 keeps the time of each frame. Frames that have none come at the
    source's own rate, 15 Hz if it has none either. Raises UserError at the end of a round without
    any readable frame.
    """
    own_rate = source.rate or DEFAULT_RATE
    begin = 0.0
    while True:
        last = previous = None
        readable = False
        for index, frame in enumerate(source):
            if rate:
                since = index / rate
            elif frame.time is not None:
                since = frame.time
            else:
                since = index / own_rate
            previous, last = last, since
            readable = readable or frame.image is not None
            yield begin + since, since, frame
        if last is not None and not readable:
            raise UserError(f"no frame of the drive can be read; the last: {frame.error}")
        if not loop or last is None:
            return
        # The first frame of the next round comes as long after the last as that after its own.
        step = last - previous if previous is not None else 1 / (rate or own_rate)
        begin += last + max(step, 0.0)
