"""How is a dead letter spelled as JSON? One object, the same in files, queues and buckets.

    {"version": 1, "app_name": ..., "stream_arn": ..., "shard_id": ..., "sequence_number": ...,
     "sub_sequence_number": 0, "partition_key": ..., "explicit_hash_key": null,
     "arrival_time": "2026-11-26T06:00:00.123000+00:00", "attempts": 3, "error_type": ...,
     "error_message": ..., "failed_at": ..., "data": "<base64>"}

A field that is not known is ignored. A letter that is not whole is refused, never half understood.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Final

from kcl_py.letters import DeadLetter
from kcl_py.records import Position, Record

VERSION: Final = 1


class BadLetter(Exception):
    """What should be a letter is none; says what is wrong with it, and nothing of its data."""


def encode_letter(letter: DeadLetter) -> dict[str, object]:
    """Return a letter as JSON-ready values, its data last."""
    record = letter.record
    return {
        "version": VERSION,
        "app_name": letter.app_name,
        "stream_arn": letter.stream_arn,
        "shard_id": letter.shard_id,
        "sequence_number": record.sequence_number,
        "sub_sequence_number": record.sub_sequence_number,
        "partition_key": record.partition_key,
        "explicit_hash_key": record.explicit_hash_key,
        "arrival_time": record.arrival_time.isoformat(),
        "attempts": letter.attempts,
        "error_type": letter.error_type,
        "error_message": letter.error_message,
        "failed_at": letter.failed_at.isoformat(),
        "data": base64.b64encode(record.data).decode("ascii"),
    }


def letter_line(letter: DeadLetter) -> bytes:
    """Return a letter as one line of JSON, its end included."""
    return json.dumps(encode_letter(letter), separators=(",", ":")).encode() + b"\n"


def decode_line(line: bytes | str) -> DeadLetter:
    """Read a letter.

    Raises:
        BadLetter: It is none.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLetter("it is no JSON") from None
    if not isinstance(found, dict):
        raise BadLetter("it is no JSON object")
    return decode_letter(found)


def decode_letter(found: dict[str, Any]) -> DeadLetter:
    """Make a letter of JSON values.

    Raises:
        BadLetter: Something is missing, or is not what it should be.
    """
    if found.get("version") != VERSION:
        raise BadLetter(f"its version is {found.get('version')!r}, not {VERSION}")
    hash_key = found.get("explicit_hash_key")
    if hash_key is not None:
        hash_key = _whole_text(found, "explicit_hash_key")
    sub = _number(found, "sub_sequence_number")
    sequence_number = _text(found, "sequence_number")
    try:
        Position(sequence_number, sub)
    except ValueError as error:
        raise BadLetter(str(error)) from None
    record = Record(
        data=_data(found),
        partition_key=_whole_text(found, "partition_key"),
        sequence_number=sequence_number,
        sub_sequence_number=sub,
        explicit_hash_key=hash_key,
        arrival_timestamp=_time(found, "arrival_time").timestamp(),
    )
    return DeadLetter(
        record=record,
        app_name=_whole_text(found, "app_name"),
        stream_arn=_whole_text(found, "stream_arn"),
        shard_id=_whole_text(found, "shard_id"),
        attempts=_number(found, "attempts"),
        error_type=_written(_text(found, "error_type")),
        error_message=_written(_text(found, "error_message")),  # of the processor: anything
        failed_at=_time(found, "failed_at"),
    )


def letter_id(letter: DeadLetter) -> str:
    """Return a name that is the same whenever the same record is given up: 16 hex digits."""
    where = f"{letter.app_name}\n{letter.stream_arn}\n{letter.shard_id}\n{letter.record.position}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise BadLetter(f"it has no {name}")
    return value


def _whole_text(found: dict[str, Any], name: str) -> str:
    """One that can be written; JSON can spell halves of characters, which nothing else can."""
    value = _text(found, name)
    if _written(value) != value:
        raise BadLetter(f"its {name} is no text that can be written")
    return value


def _written(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _number(found: dict[str, Any], name: str) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadLetter(f"it has no {name}")
    return value


def _time(found: dict[str, Any], name: str) -> datetime:
    try:
        when = datetime.fromisoformat(_text(found, name))
        if when.tzinfo is None:
            raise BadLetter(f"its {name} has no time zone")
        return when.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: outside of the years that there are
        raise BadLetter(f"its {name} is no time") from None


def _data(found: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(found, "data"), validate=True)
    except (binascii.Error, ValueError):
        raise BadLetter("its data is no base64") from None
