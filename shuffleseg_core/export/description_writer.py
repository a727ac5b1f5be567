"""Putting a description into a .tflite."""

from __future__ import annotations

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from ..model_description import METADATA_NAME, ModelDescription


def with_description(flatbuffer: bytes, description: ModelDescription) -> bytes:
    """The same model with `description` as its metadata, replacing one that it had.

    Args:
        flatbuffer: a whole .tflite file.
        description: what to say.

    Returns:
        A whole .tflite file.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    content = schema.BufferT()
    content.data = list(description.to_json().encode("utf-8"))
    name = METADATA_NAME.encode("ascii")
    entries = [entry for entry in (model.metadata or []) if entry.name != name]
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = len(model.buffers)
    model.buffers.append(content)
    model.metadata = [*entries, entry]
    builder = flatbuffers.Builder(len(flatbuffer) + len(content.data) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
