"""What a browser shows through Rerun: camera with mask, class names, latencies (no ROS in here)."""

import uuid

import cv2
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

TIMELINE = "stamp"
SECONDS = 30  # of latencies in a plot
SERIES = {"total": (240, 180, 40), "inference": (80, 190, 120), "latency": (230, 80, 80)}
# A class's row in the legend, in its picture's pixels.
_ROW, _ROW_WIDTH = 36, 120


class RerunView:
    """Logs to Rerun, each camera to entities below its name (`camera` for the one without).

    open_sink(recording, blueprint) connects an rr.RecordingStream, once in the beginning and once
    after each restart(). Pictures wider than max_width pixels are made smaller; jpeg_quality 1 to
    100 sends them as JPEG, 0 as they are.
    """

    def __init__(self, cameras, open_sink, max_width=480, jpeg_quality=0):
        self._paths = {camera: camera or "camera" for camera in cameras}
        self._open_sink = open_sink
        self._max_width = max_width
        self._jpeg_quality = jpeg_quality
        self._classes = None
        self._recording = None
        self.restart()

    def restart(self):
        """Begin a recording of its own, which browsers change to: a timeline only goes forward."""
        self.close()
        # Browsers remember how a user arranged an application: one for every set of cameras.
        name = " ".join(["segmentation", *filter(None, self._paths)])
        self._recording = rr.RecordingStream(name, recording_id=uuid.uuid4())
        self._open_sink(self._recording, self._blueprint())
        for path in self._paths.values():
            series = rr.SeriesLines(
                names=[f"{name} (ms)" for name in SERIES], colors=list(SERIES.values())
            )
            self._recording.log(f"{path}/timing", series, static=True)
        if self._classes:
            self.show_classes(*self._classes)

    def show_classes(self, classes, unlabelled_id):
        """`classes`: [(id, name, (r, g, b)), …]; pixels of `unlabelled_id` show the camera."""
        self._classes = (classes, unlabelled_id)
        infos = [rr.AnnotationInfo(id=id_, label=name, color=color) for id_, name, color in classes]
        infos.append(rr.AnnotationInfo(id=unlabelled_id, label="unlabelled", color=(0, 0, 0, 0)))
        log = self._recording.log
        log("/", rr.AnnotationContext(infos), static=True)
        ids = np.array([id_ for id_, _, _ in classes], np.uint8)
        rows = np.repeat(np.repeat(ids[:, None], _ROW, axis=0), _ROW_WIDTH, axis=1)
        log("classes/colors", rr.SegmentationImage(rows, opacity=1.0), static=True)
        centres = [(_ROW_WIDTH / 2, _ROW * (row + 0.35)) for row in range(len(classes))]
        names = rr.Points2D(
            centres,
            labels=[name for _, name, _ in classes],
            colors=(255, 255, 255),
            radii=0.01,
            show_labels=True,
        )
        log("classes/names", names, static=True)

    def show_frame(self, camera, stamp, rgb, labels):
        """A camera's picture, uint8 [h, w, 3] RGB, and its labels, uint8 [h, w]; one may be None.

        `stamp` is in nanoseconds. The sizes may differ: labels are shown at the picture's.
        """
        path = self._paths[camera]
        self._recording.set_time(TIMELINE, timestamp=np.datetime64(stamp, "ns"))
        size = self._shown_size(labels if rgb is None else rgb)
        if rgb is not None:
            smaller = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            self._recording.log(f"{path}/image", self._picture(smaller))
        if labels is None:
            self._recording.log(f"{path}/labels", rr.Clear(recursive=False))
        else:
            shown = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
            self._recording.log(f"{path}/labels", rr.SegmentationImage(shown, opacity=0.5))

    def show_timing(self, camera, stamp, milliseconds):
        """`milliseconds`: of each of SERIES."""
        self._recording.set_time(TIMELINE, timestamp=np.datetime64(stamp, "ns"))
        self._recording.log(f"{self._paths[camera]}/timing", rr.Scalars(milliseconds))

    def close(self):
        if self._recording is not None:
            self._recording.disconnect()
            self._recording = None

    def _shown_size(self, pixels):
        """(width, height), both even, as pictures with colours at half the resolution need."""
        height, width = pixels.shape[:2]
        scale = min(1.0, self._max_width / width)
        return tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))

    def _picture(self, rgb):
        if self._jpeg_quality:
            quality = [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality]
            _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
            return rr.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg")
        height, width = rgb.shape[:2]
        return rr.Image(
            bytes=cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes(),
            width=width,
            height=height,
            pixel_format=rr.PixelFormat.Y_U_V12_LimitedRange,
        )

    def _blueprint(self):
        window = rrb.VisibleTimeRange(
            TIMELINE,
            start=rrb.TimeRangeBoundary.cursor_relative(seconds=-SECONDS),
            end=rrb.TimeRangeBoundary.cursor_relative(),
        )
        cameras = [
            rrb.Vertical(
                rrb.Spatial2DView(
                    origin=path, contents=[f"{path}/image", f"{path}/labels"], name=path
                ),
                rrb.TimeSeriesView(origin=f"{path}/timing", name="latency", time_ranges=window),
                row_shares=[3, 1],
            )
            for path in self._paths.values()
        ]
        legend = rrb.Spatial2DView(origin="classes", name="classes")
        shares = [6] * len(cameras) + [1]
        return rrb.Blueprint(
            rrb.Horizontal(*cameras, legend, column_shares=shares), collapse_panels=True
        )
