"""How do both services outlive a restart? As two JSON files in a folder."""

from __future__ import annotations

import binascii
from pathlib import Path
from typing import Any

import msgspec

from kcl_py.local.dynamo import Dynamo
from kcl_py.local.kinesis import Kinesis
from kcl_py.local.wire import decode_values

_KINESIS = "kinesis.json"
_DYNAMODB = "dynamodb.json"
_DATA = 2


def save(folder: Path, kinesis: Kinesis, dynamo: Dynamo) -> None:
    """Write both files; each is complete or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _KINESIS, kinesis.dump())
    _write(folder / _DYNAMODB, dynamo.dump())


def load(folder: Path, kinesis: Kinesis, dynamo: Dynamo) -> None:
    """Take over what was saved, if anything was."""
    if (folder / _KINESIS).exists():
        saved = msgspec.json.decode((folder / _KINESIS).read_bytes())
        for stream in saved["streams"]:
            for shard in stream["shards"]:
                for record in shard["records"]:
                    record[_DATA] = binascii.a2b_base64(record[_DATA])
        kinesis.load(saved)
    if (folder / _DYNAMODB).exists():
        saved = msgspec.json.decode((folder / _DYNAMODB).read_bytes())
        for table in saved["tables"]:
            for item in table["items"]:
                for value in item.values():
                    decode_values(value)
        dynamo.load(saved)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(content))
    part.replace(path)
