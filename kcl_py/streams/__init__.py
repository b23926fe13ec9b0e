"""Which streams are there, how are they changed, and what is in them?"""

from __future__ import annotations

from kcl_py.streams.account import ensure_stream, list_streams
from kcl_py.streams.descriptions import ShardDescription, ShardRecord, StreamDescription
from kcl_py.streams.reader import Reader
from kcl_py.streams.start import ReadFrom
from kcl_py.streams.stream import Stream

__all__ = [
    "ReadFrom",
    "Reader",
    "ShardDescription",
    "ShardRecord",
    "Stream",
    "StreamDescription",
    "ensure_stream",
    "list_streams",
]
