"""What is each field of a row called, and typed, in the table? KCL's names, and ours.

Source of KCL's names: `DynamoDBLeaseSerializer`, `WorkerMetricStats` and `CoordinatorState` of the
Java KCL 3.5. Ours begin with `kcl`, but for `leaseDurationMs`. Times are whole milliseconds on the
wire and float seconds here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar, cast

from kcl_py.core.leases.rows import Checkpoint, Pending
from kcl_py.records import Position

_T = TypeVar("_T")

AttributeValue: TypeAlias = Mapping[str, object]
"""One value as DynamoDB spells it: `{"S": "text"}`, `{"N": "1"}`, ..."""

Item: TypeAlias = Mapping[str, AttributeValue]
"""One row as DynamoDB spells it."""

KEY: Final = "leaseKey"
OWNER: Final = "leaseOwner"
INDEX: Final = "LeaseOwnerToLeaseKeyIndex"
ENTITY_TYPE: Final = "entityType"
ENTITY_LEASE: Final = "LEASE"
ENTITY_WORKER: Final = "WORKER_METRIC_STATS"
ENTITY_APPLICATION: Final = "KCL_PY_APPLICATION"
ENTITIES_OF_JAVA: Final = frozenset(
    {"LEADER", "CLIENT_VERSION_MIGRATION", "TABLE_MIGRATION", "STREAM"}
)
LAST_UPDATE: Final = "lut"
"""Unix seconds at which a worker wrote its row; shown by the Java KCL, compared by nobody here."""

TEXT_LENGTH_MAX: Final = 2048  # Source: the longest partition key of a DynamoDB table, bytes.
NAMES_COUNT_MAX: Final = 1000
INTEGER_MAX: Final = 2**63 - 1  # Fencing tokens fit a signed 64-bit column.
HASH_KEY_MAX: Final = 2**128 - 1  # Source: Kinesis, MD5 as a number.
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_SEQUENCE_NUMBER: Final = re.compile(r"[0-9]{1,129}")  # Source: Kinesis, SequenceNumber.
_HASH_KEY: Final = re.compile(r"[0-9]{1,39}")
_HASH_KEYS_KEPT: Final = 8_192


class UnreadableRowError(Exception):
    """A row says what we cannot take; the message names the attribute, never the value."""


# ------------------------------------------------------------------------------------- to the wire


def text(value: object) -> AttributeValue:
    """Return a string."""
    return {"S": str(value)}


def integer(value: object) -> AttributeValue:
    """Return a whole number."""
    return {"N": str(int(cast("int", value)))}


def milliseconds(value: object) -> AttributeValue:
    """Return float seconds as whole milliseconds."""
    return {"N": str(round(cast("float", value) * 1000))}


def flag(value: object) -> AttributeValue:
    """Return a truth value."""
    return {"BOOL": bool(value)}


def names(value: object) -> AttributeValue:
    """Return a set of strings; sorted, because a set of DynamoDB keeps no order."""
    return {"SS": sorted(set(cast("tuple[str, ...]", value)))}


SCALARS: Final[Mapping[str, tuple[str, Callable[[object], AttributeValue]]]] = {
    "counter": ("leaseCounter", integer),
    "owner": (OWNER, text),
    "checkpoint_owner": ("checkpointOwner", text),
    "nonce": ("kclNonce", text),
    "duration": ("leaseDurationMs", milliseconds),
    "offer": ("kclOffer", integer),
    "start_at": ("kclStartAt", milliseconds),
    "root": ("kclRoot", flag),
    "paused": ("kclPaused", flag),
    "halted": ("kclHalted", flag),
    "marks": ("kclMarks", integer),
    "parents": ("parentShardId", names),
    "children": ("childShardIds", names),
    "owner_switches": ("ownerSwitchesSinceCheckpoint", integer),
    "beat": ("kclBeat", integer),
    "state": ("kclState", text),
    "lease_max": ("kclMaxLeases", integer),
    "plan_version": ("kclPlan", integer),
    "stream_arn": ("kclStreamArn", text),
    "stream_created_at": ("kclStreamCreatedAt", milliseconds),
    "table_id": ("kclTableId", text),
    "protocol": ("kclProtocol", integer),
    "position": ("kclPosition", text),
    "initial_sync_done": ("kclInitialSyncDone", flag),
}
"""Fields that are one attribute each: its name and its type."""

_SEVERAL: Final[Mapping[str, tuple[str, ...]]] = {
    "checkpoint": ("checkpoint", "checkpointSubSequenceNumber"),
    "hash_range": ("startingHashKey", "endingHashKey"),
    "pending": (
        "pendingCheckpoint",
        "pendingCheckpointSubSequenceNumber",
        "pendingCheckpointState",
    ),
}


def attributes_of(name: str) -> tuple[str, ...]:
    """Return the attributes that hold a field of a row; the first one is always there if any is."""
    return _SEVERAL[name] if name in _SEVERAL else (SCALARS[name][0],)


def spell(name: str, value: object) -> dict[str, AttributeValue | None]:
    """Return a field's attributes with their values; None for those to remove.

    Args:
        name: Field of a row.
        value: Its value; None removes the field.
    """
    if value is None:
        return dict.fromkeys(attributes_of(name))
    match name:
        case "checkpoint":
            return _spell_checkpoint(cast("Checkpoint", value))
        case "hash_range":
            low, high = cast("tuple[int, int]", value)
            return {"startingHashKey": text(low), "endingHashKey": text(high)}
        case "pending":
            return _spell_pending(cast("Pending", value))
        case _:
            attribute, encode = SCALARS[name]
            return {attribute: encode(value)}


def _spell_checkpoint(value: Checkpoint) -> dict[str, AttributeValue | None]:
    if isinstance(value, Position):
        sequence_number, sub = value.sequence_number, value.sub_sequence_number
    else:
        sequence_number, sub = value.value, 0
    return {"checkpoint": text(sequence_number), "checkpointSubSequenceNumber": integer(sub)}


def _spell_pending(value: Pending) -> dict[str, AttributeValue | None]:
    # The Java KCL refuses empty binaries, so an empty state is no attribute.
    return {
        "pendingCheckpoint": text(value.position.sequence_number),
        "pendingCheckpointSubSequenceNumber": integer(value.position.sub_sequence_number),
        "pendingCheckpointState": {"B": value.state} if value.state else None,
    }


# ----------------------------------------------------------------------------------- from the wire


@dataclass(slots=True)
class ItemReader:
    """Reads the attributes of one row of which nothing is taken on trust.

    Every method returns None for an attribute that is not there, and raises `UnreadableRowError`
    for one of another type, or out of bounds.
    """

    item: Mapping[str, object]

    def text(self, name: str) -> str | None:
        """Read a string of 1 to TEXT_LENGTH_MAX characters."""
        value = self._any(name, "S")
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnreadableRowError(f"{name} is not of type S")
        if not 0 < len(value) <= TEXT_LENGTH_MAX:
            raise UnreadableRowError(f"{name} is empty or too long")
        return value

    def integer(self, name: str, *, low: int = 0, high: int = INTEGER_MAX) -> int | None:
        """Read a whole number inside [low, high]."""
        value = self._any(name, "N")
        if value is None:
            return None
        if not isinstance(value, str):
            raise UnreadableRowError(f"{name} is not of type N")
        if not _INTEGER.fullmatch(value):
            raise UnreadableRowError(f"{name} is no whole number of reasonable size")
        number = int(value)
        if not low <= number <= high:
            raise UnreadableRowError(f"{name} is out of bounds")
        return number

    def seconds(self, name: str, *, low: int = 0) -> float | None:
        """Read milliseconds as seconds."""
        value = self.integer(name, low=low)
        return None if value is None else value / 1000

    def flag(self, name: str) -> bool | None:
        """Read a truth value."""
        return self._typed(name, "BOOL", bool)

    def names(self, name: str) -> tuple[str, ...]:
        """Read a set of strings, sorted; empty if it is not there."""
        value = self._typed(name, "SS", list)
        if value is None:
            return ()
        if len(value) > NAMES_COUNT_MAX:
            raise UnreadableRowError(f"{name} has too many entries")
        if not all(isinstance(entry, str) and 0 < len(entry) <= TEXT_LENGTH_MAX for entry in value):
            raise UnreadableRowError(f"{name} has an entry that is no name")
        return tuple(sorted(value))

    def binary(self, name: str) -> bytes | None:
        """Read bytes; base64 text, as before boto3 decoded it, is taken too."""
        value = self._any(name, "B")
        if isinstance(value, str):
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise UnreadableRowError(f"{name} is no base64") from None
        if value is None:
            return None
        if isinstance(value, bytes | bytearray):
            return bytes(value)
        raise UnreadableRowError(f"{name} is not of type B")

    def sequence_number(self, name: str) -> str | None:
        """Read digits; None also for a sentinel."""
        value = self.text(name)
        return value if value is not None and _SEQUENCE_NUMBER.fullmatch(value) else None

    def hash_key(self, name: str) -> int | None:
        """Read a hash key in decimal."""
        value = self.text(name)
        if value is None:
            return None
        number = _hash_key(value)
        if number is None:
            raise UnreadableRowError(f"{name} is no hash key")
        return number

    def _any(self, name: str, kind: str) -> object:
        value = self.item.get(name)
        if value is None:
            return None
        # The first test is there because the second one is slow.
        content = value.get(kind) if type(value) is dict or isinstance(value, Mapping) else None
        if content is None:
            raise UnreadableRowError(f"{name} is not of type {kind}")
        return content

    def _typed(self, name: str, kind: str, wanted: type[_T]) -> _T | None:
        value = self._any(name, kind)
        if value is None or isinstance(value, wanted):
            return value
        raise UnreadableRowError(f"{name} is not of type {kind}")


@lru_cache(maxsize=_HASH_KEYS_KEPT)
def _hash_key(text: str) -> int | None:
    """Read a hash key; None: it is none. The edges of shards hardly ever change."""
    if not _HASH_KEY.fullmatch(text) or int(text) > HASH_KEY_MAX:
        return None
    return int(text)
