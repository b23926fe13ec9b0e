"""What do producer and AWS say to each other? Records on their way, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from kcl_py.core.events import FailureKind

PUT_RECORDS_MAX: Final = 500
"""Source: PutRecords, Records."""

PUT_BYTES_MAX: Final = 5 * 1024 * 1024
"""Data and keys of one request; only a record that is larger goes alone. Source: PutRecords, before
records of 10 MiB; what it allows now is more, and every service that we know takes this."""

RECORD_BYTES_ALWAYS: Final = 1024 * 1024
"""What every stream takes. Source: UpdateMaxRecordSize, the least value of MaxRecordSizeInKiB."""

RECORD_BYTES_EVER: Final = 10 * 1024 * 1024
"""What no stream exceeds. Source: UpdateMaxRecordSize, the largest value."""

KEY_CHARACTERS_MAX: Final = 256
"""Source: PutRecord, PartitionKey."""

ENTRY_KINDS: Final = MappingProxyType(
    {
        "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
        "KMSThrottlingException": FailureKind.THROTTLED,
        "KMSAccessDeniedException": FailureKind.DENIED,
        "KMSDisabledException": FailureKind.DENIED,
        "KMSInvalidStateException": FailureKind.DENIED,
        "KMSNotFoundException": FailureKind.DENIED,
        "KMSOptInRequired": FailureKind.DENIED,
    }
)
"""What the error code of one entry means; all others may pass. Source: PutRecords, ErrorCode."""

_ENTRY_WORDS: Final = re.compile(
    r"\brecords?\b|partition[ _]?key|hash[ _]?key|\bdata\b", re.IGNORECASE
)


def blames_entries(message: str) -> bool:
    """Whether the service refuses a request for something in its entries.

    Else it is for what they share, such as the stream, and no part of the request would fare
    better. Source: it names the field, as in `at 'records.1.member.data'` and `at 'streamName'`.
    """
    return _ENTRY_WORDS.search(message) is not None


class Outgoing(Protocol):
    """One entry of a request."""

    @property
    def data(self) -> bytes:
        """As it will be stored."""

    @property
    def key(self) -> str:
        """Partition key."""

    @property
    def hash_key(self) -> str | None:
        """Explicit hash key, in decimal."""


class EntrySaid(Protocol):
    """What the service said of one entry: shard and sequence number, or an error."""

    @property
    def shard_id(self) -> str | None:
        """Where it is."""

    @property
    def sequence_number(self) -> str | None:
        """None: it is not stored."""

    @property
    def error_code(self) -> str | None:
        """Why not."""

    @property
    def error_message(self) -> str | None:
        """More of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRefused:
    """A whole request that failed. With the kind UNKNOWN it may have been carried out.

    Attributes:
        passing: Trying again may help, without anybody doing something about the request.
        code: The service's error code, or the name of what went wrong on the way.
        blames_entries: It is for something in the entries, of which the others may be right.
    """

    kind: FailureKind
    passing: bool
    code: str
    message: str
    blames_entries: bool = False


PutSaid: TypeAlias = Sequence[EntrySaid] | PutRefused
