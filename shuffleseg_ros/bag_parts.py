"""A rosbag2 written in parts, so that a kill costs one part: each is a storage file of the bag.

While it grows it is a folder beside its place. What is in that folder is whole: a part comes into
it by a rename. At the end the parts' metadata become the bag's, and the folder the bag.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

import yaml

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.errors import UserError
from shuffleseg_ros.bag import BAG_VERSION, import_rosbags

_SETTINGS = "settings.json"
_PARTS = "parts"


class BagParts:
    """The parts of one bag; goes on with those of an interrupted run.

    Args:
        path: the bag; must not exist.
        settings: what the bag is made of, JSON's types; parts of other settings are not gone on
            with.
        storage: sqlite3 or mcap.

    Attributes:
        done: how many messages of the input are in finished parts.

    Raises:
        UserError: the bag exists, cannot be written, or its unfinished folder has other settings.
    """

    def __init__(self, path: Path, settings: dict, storage: str):
        self._rosbag2 = import_rosbags()
        self._path = path
        self._storage = storage
        self._folder = path.parent / f".{path.name}.unfinished"
        if os.path.lexists(path):
            raise UserError(f"{path}: exists already; remove it or choose another name")
        file = self._folder / _SETTINGS
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                with atomic_path(file) as temporary:
                    temporary.write_text(json.dumps(settings), encoding="utf-8")
            before = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{self._folder}: cannot be used: {error}") from error
        if before != settings:
            other = ", ".join(k for k in settings if before.get(k) != settings[k])
            raise UserError(
                f"{self._folder}: an interrupted run with another {other}; "
                "give the same again, or remove that folder"
            )
        self._parts = self._folder / _PARTS
        self._parts.mkdir(exist_ok=True)
        finished = sorted(self._parts.iterdir())
        self._number = len(finished)
        self.done = self._end_of(finished[-1]) if finished else 0

    @contextlib.contextmanager
    def part(self):
        """A rosbags Writer for the next part; call `finish` with the input's messages so far before
        it ends."""
        work = self._folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        # The storage's file is named after its folder.
        name = f"{self._path.name}_{self._number}"
        plugin = self._rosbag2.StoragePlugin[self._storage.upper()]
        part = _Part()
        with self._rosbag2.Writer(
            work / name, version=BAG_VERSION, storage_plugin=plugin
        ) as part.writer:
            yield part
        (work / name / "end").write_text(str(part.end), encoding="utf-8")
        os.rename(work / name, self._parts / f"{self._number:06d}")
        self._number += 1
        self.done = part.end

    def finish(self) -> None:
        """Make the bag of its parts."""
        bag = self._folder / "bag"
        shutil.rmtree(bag, ignore_errors=True)
        bag.mkdir()
        parts = sorted(self._parts.iterdir())
        whole = _joined([_metadata(part) for part in parts])
        for part in parts:
            for file in part.glob(f"{self._path.name}_*"):
                try:
                    os.link(file, bag / file.name)
                except OSError:  # a file system without links
                    shutil.copyfile(file, bag / file.name)
        with open(bag / "metadata.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump({"rosbag2_bagfile_information": whole}, file, sort_keys=False)
        os.rename(bag, self._path)
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _end_of(part: Path) -> int:
        return int((part / "end").read_text(encoding="utf-8"))


class _Part:
    writer = None
    end = 0


def _metadata(part: Path) -> dict:
    with open(part / "metadata.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)["rosbag2_bagfile_information"]


def _joined(parts: list[dict]) -> dict:
    """The metadata of a bag of several storage files, from those of bags of one each."""
    whole = dict(parts[0])
    begins = [p["starting_time"]["nanoseconds_since_epoch"] for p in parts]
    ends = [b + p["duration"]["nanoseconds"] for b, p in zip(begins, parts)]
    whole["starting_time"] = {"nanoseconds_since_epoch": min(begins)}
    whole["duration"] = {"nanoseconds": max(ends) - min(begins)}
    whole["message_count"] = sum(p["message_count"] for p in parts)
    whole["relative_file_paths"] = [f for p in parts for f in p["relative_file_paths"]]
    if "files" in whole:
        whole["files"] = [f for p in parts for f in p["files"]]
    counts = {}
    for part in parts:
        for entry in part["topics_with_message_count"]:
            name = entry["topic_metadata"]["name"]
            if name in counts:
                counts[name]["message_count"] += entry["message_count"]
            else:
                counts[name] = dict(entry)
    whole["topics_with_message_count"] = list(counts.values())
    return whole
