"""Labels for every image of a rosbag2, as a rosbag2: none lost, order and stamps kept."""

import contextlib
import itertools
import queue
import zlib
from pathlib import Path

from shuffleseg_core.errors import UserError
from shuffleseg_core.prefetch import prefetched
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_core.shipped_models import find_model
from shuffleseg_core.user_path import user_path
from shuffleseg_ros.bag import (
    COMPRESSED_IMAGE,
    IMAGE,
    STORAGES,
    message_to_rgb,
    offered_qos,
    open_bag,
    until_broken,
)
from shuffleseg_ros.bag_parts import BagParts
from shuffleseg_ros.image_conversion import ImageError, to_image

SUFFIX = "/labels"
#: Images of a part: what a kill may cost.
PART_IMAGES = 100


class BagSegmentation:
    """Labels the images of one bag.

    Args:
        source: the bag.
        target: the bag to make; must not exist. An interrupted run is gone on with.
        model, threads: see Segmenter.
        workers: images labelled at once, each by a Segmenter of its own.
        topics: of Image or CompressedImage messages; None takes all of these.
        copy: which messages of the source come along: `all`, `images` (those labelled) or `none`.
        storage: sqlite3 or mcap; None takes the source's.

    Attributes:
        topics: those whose images are labelled.
        total: their messages.
        done: how many of them an earlier run has already seen to.
        labelled: images labelled so far, by this run.

    Raises:
        UserError: the source is no readable bag or has no such images; the target cannot be made.
    """

    def __init__(
        self,
        source,
        target,
        *,
        model=None,
        threads=1,
        workers=1,
        topics=None,
        copy="none",
        storage=None,
    ):
        self._source, self._copy = user_path(source), copy
        with open_bag(self._source) as reader:
            kinds = {c.topic: c.msgtype for c in reader.connections}
            images = [name for name, kind in kinds.items() if kind in (IMAGE, COMPRESSED_IMAGE)]
            self.topics = list(topics or sorted(images))
            self._check_topics(kinds, images)
            copied = {"all": set(kinds), "images": set(self.topics), "none": set()}[copy]
            clash = [t + SUFFIX for t in self.topics if t + SUFFIX in copied]
            if clash:
                raise UserError(f"{source}: has {clash[0]} already; choose topics, or --copy none")
            self._copied, self._read = copied, copied | set(self.topics)
            self.total = sum(c.msgcount for c in reader.connections if c.topic in self.topics)
            if storage is None:
                storage = _storage(self._source)
        if not self.total:
            raise UserError(f"{source}: no messages on {', '.join(self.topics)}")
        model_path = find_model(model)
        self._segmenters = queue.SimpleQueue()
        for _ in range(workers):
            self._segmenters.put(Segmenter(model_path, threads))
        self._workers = workers
        settings = {
            "source": str(self._source.resolve()),
            "model": f"{zlib.crc32(model_path.read_bytes()):08x}",
            "topics": self.topics,
            "copy": copy,
            "storage": storage,
        }
        self._parts = BagParts(user_path(target), settings, storage)
        self.labelled = 0
        self.done = self._count_done()

    def run(self, on_image=lambda: None, on_error=lambda reason: None):
        """Label what is left and make the bag.

        `on_image()` is called after each image; on_error(reason) for one that is none, which has
        no labels in the bag.
        """
        from rosbags.typesys import Stores, get_typestore

        self._types = get_typestore(Stores.ROS2_HUMBLE)
        with open_bag(self._source) as reader:
            read = [c for c in reader.connections if c.topic in self._read]
            messages = enumerate(until_broken(reader.messages(read)))
            steps = itertools.islice(messages, self._parts.done, None)
            results = prefetched(self._label, steps, self._workers)
            with contextlib.closing(results):
                result = next(results, None)
                while result is not None:
                    result = self._write_part(read, result, results, on_image, on_error)
        self._parts.finish()

    def _label(self, step):
        """In a worker: (index, message, labels as serialised bytes or None, error or None)."""
        index, message = step
        connection, _, raw = message
        if connection is None:
            return index, message, None, raw
        if connection.topic not in self.topics:
            return index, message, None, None
        try:
            image = self._types.deserialize_cdr(raw, connection.msgtype)
            rgb = message_to_rgb(image)
        except ImageError as error:
            return index, message, None, str(error)
        except Exception as error:  # rosbags raises many kinds for a damaged message
            return index, message, None, f"damaged: {' '.join(str(error).split())}"
        segmenter = self._segmenters.get()
        try:
            labels = segmenter.segment(rgb)
        finally:
            self._segmenters.put(segmenter)
        answer = to_image(labels, "mono8", image.header, self._types.types[IMAGE])
        return index, message, self._types.serialize_cdr(answer, IMAGE), None

    def _write_part(self, read, result, results, on_image, on_error):
        """Write results until there are enough images; returns the first of the next part."""
        images = 0
        with self._parts.part() as part:
            copies, answers = self._connections(part.writer, read)
            while result is not None and images < PART_IMAGES:
                index, (connection, stamp, raw), labels, error = result
                part.end = index + 1
                if connection is None:
                    on_error(f"{self._source}: {error}")
                    result = next(results, None)
                    continue
                if connection.topic in copies:
                    part.writer.write(copies[connection.topic], stamp, raw)
                if connection.topic in answers:
                    images += 1
                    if error:
                        on_error(f"{self._source}: {connection.topic}: message {index}: {error}")
                    else:
                        part.writer.write(answers[connection.topic], stamp, labels)
                        self.labelled += 1
                    on_image()
                result = next(results, None)
        return result

    def _connections(self, writer, read):
        """(topic → connection of its copy, topic → connection of its labels)."""
        copies, answers = {}, {}
        for connection in read:
            topic = connection.topic
            if topic in self._copied and topic not in copies:
                copies[topic] = writer.add_connection(
                    topic,
                    connection.msgtype,
                    msgdef=connection.msgdef.data,
                    rihs01=connection.digest,
                    serialization_format=connection.ext.serialization_format,
                    offered_qos_profiles=connection.ext.offered_qos_profiles,
                )
            if topic in self.topics and topic not in answers:
                answers[topic] = writer.add_connection(
                    topic + SUFFIX,
                    IMAGE,
                    typestore=self._types,
                    offered_qos_profiles=[offered_qos()],
                )
        return copies, answers

    def _check_topics(self, kinds, images):
        listed = ", ".join(sorted(images)) or "none"
        for topic in self.topics:
            if topic not in images:
                raise UserError(
                    f"{self._source}: no image topic {topic}; its image topics: {listed}"
                )
        if not self.topics:
            raise UserError(f"{self._source}: no image topic; it has {', '.join(sorted(kinds))}")

    def _count_done(self):
        if not self._parts.done:
            return 0
        with open_bag(self._source) as reader:
            read = [c for c in reader.connections if c.topic in self._read]
            messages = itertools.islice(until_broken(reader.messages(read)), self._parts.done)
            return sum(c is not None and c.topic in self.topics for c, _, _ in messages)


def _storage(path: Path) -> str:
    files = [path] if path.is_file() else list(path.iterdir())
    return STORAGES[any(file.suffix == ".mcap" for file in files)]
