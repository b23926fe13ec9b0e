"""What is a record, and where is it?

`Record` is decoded from the GetRecords answer in one step, without a dict in between: it is a
`msgspec.Struct` whose fields carry the service's names on the wire. It holds no reference that
could make a cycle, so the garbage collector never looks at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, final, overload

import msgspec

from kcl_py.errors import RecordDecodeError

__all__ = ["Position", "Record"]

_T = TypeVar("_T")

_WIRE_NAMES = {
    "sequence_number": "SequenceNumber",
    "data": "Data",
    "partition_key": "PartitionKey",
    "arrival_timestamp": "ApproximateArrivalTimestamp",
}

_PLACE_IN_MESSAGE = re.compile(r"(?:- at `\$?(?P<path>[^`]*)`|\((?P<byte>byte \d+)\))$")


@final
@dataclass(frozen=True, slots=True)
class Position:
    """A place in a shard: sequence number, and index inside an aggregated record.

    Orders as numbers, never as text. `str()` gives `SEQ/SUB`, which `parse` and every command line
    option read back; store that (or the two fields) beside your data to make a sink idempotent.

    Attributes:
        sequence_number: Digits, without leading zeros (they are taken off).
        sub_sequence_number: From 0.
    """

    sequence_number: str
    sub_sequence_number: int = 0

    def __post_init__(self) -> None:
        text = self.sequence_number
        if not _is_digits(text):
            raise ValueError(f"a sequence number is a string of digits, not {text!r}")
        if self.sub_sequence_number < 0:
            raise ValueError(f"a sub-sequence number counts from 0, not {self.sub_sequence_number}")
        if text.startswith("0"):
            object.__setattr__(self, "sequence_number", text.lstrip("0") or "0")

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `SEQ/SUB`, or `SEQ` alone for the first of its user records."""
        sequence_number, slash, sub = text.partition("/")
        if slash and not _is_digits(sub):
            raise ValueError(f"a position is SEQ or SEQ/SUB, two numbers, not {text!r}")
        return cls(sequence_number, int(sub) if slash else 0)

    def __str__(self) -> str:
        return f"{self.sequence_number}/{self.sub_sequence_number}"

    def _order(self) -> tuple[int, str, int]:
        # Without leading zeros, longer is larger, and equal lengths compare as text.
        return len(self.sequence_number), self.sequence_number, self.sub_sequence_number

    def __lt__(self, other: Position) -> bool:
        return self._order() < other._order() if _is_position(other) else NotImplemented

    def __le__(self, other: Position) -> bool:
        return self._order() <= other._order() if _is_position(other) else NotImplemented

    def __gt__(self, other: Position) -> bool:
        return self._order() > other._order() if _is_position(other) else NotImplemented

    def __ge__(self, other: Position) -> bool:
        return self._order() >= other._order() if _is_position(other) else NotImplemented


@final
class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename=_WIRE_NAMES):
    """One user record (already de-aggregated). Plain data; knows no shard and no connection.

    Picklable, comparable and hashable. `repr` shows position and size, never data or partition
    key. KCL: KinesisClientRecord.

    Attributes:
        sequence_number: Digits, as the service gave them.
        data: The payload, decoded from base64.
        partition_key: Empty where the service sent none.
        arrival_timestamp: Approximate arrival at the service, seconds since 1970 (UTC).
        explicit_hash_key: Of a user record inside an aggregated one; never on the wire.
        sub_sequence_number: Index inside an aggregated record; never on the wire.
    """

    # In the order of the service's JSON, which sorts names: read fastest so, and in any order.
    arrival_timestamp: float = 0.0
    data: bytes
    partition_key: str = ""
    sequence_number: str
    explicit_hash_key: str | None = None
    sub_sequence_number: int = 0

    @property
    def position(self) -> Position:
        """Where this record is; orders records of one shard."""
        return Position(self.sequence_number, self.sub_sequence_number)

    @property
    def arrival_time(self) -> datetime:
        """Approximate arrival at the service, aware, UTC; made when asked for."""
        return datetime.fromtimestamp(self.arrival_timestamp, UTC)

    @overload
    def json(self) -> Any: ...  # noqa: ANN401 - JSON may be anything
    @overload
    def json(self, type: type[_T]) -> _T: ...
    def json(self, type: Any = Any) -> Any:  # noqa: A002 - a public name
        """Decode as JSON; with a type also validate.

        Args:
            type: A dataclass, TypedDict, msgspec.Struct, `list[int]`, ...

        Raises:
            RecordDecodeError: Not JSON, or not of that type. Says where, never what.
        """
        try:
            return msgspec.json.decode(self.data, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wanted = "JSON" if type is Any else f"JSON of type {getattr(type, '__name__', type)}"
            problem = self._decode_error(wanted, _place(error))
        # Raised outside of the handler: what msgspec says may quote the data.
        raise problem

    def text(self, encoding: str = "utf-8") -> str:
        """Decode as text.

        Raises:
            RecordDecodeError: Not text in that encoding. Says where, never what.
        """
        try:
            return self.data.decode(encoding)
        except UnicodeDecodeError as error:
            problem = self._decode_error(f"{encoding} text", f"byte {error.start}")
        # Raised outside of the handler: a UnicodeDecodeError holds the data.
        raise problem

    def _decode_error(self, wanted: str, place: str) -> RecordDecodeError:
        at = f" ({place})" if place else ""
        return RecordDecodeError(
            f"the record at {self.position} is not {wanted}{at}; "
            "read it there, or raise RecordFailed for it",
            position=self.position,
        )

    def __repr__(self) -> str:
        return f"<Record {self.position}, {len(self.data)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # rich would otherwise print every field.
        return [("position", str(self.position)), ("size_bytes", len(self.data))]


def _is_position(value: object) -> bool:
    return isinstance(value, Position)


def _is_digits(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit()


def _place(error: Exception) -> str:
    """Where decoding failed, out of a message of which the rest may quote data."""
    found = _PLACE_IN_MESSAGE.search(str(error))
    if found is None:
        return ""
    return found["byte"] or f"at ${found['path']}"
