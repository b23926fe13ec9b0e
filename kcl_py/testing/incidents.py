"""What may happen to a shard in the middle of its records?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashAfter:
    """The process dies when so many records were handed over; another worker takes the shard."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseLeaseAfter:
    """The process freezes there until another worker has taken the shard; then it goes on."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffAfter:
    """Another worker asks for the shard and gets it, politely."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitAfter:
    """The shard is split; what comes later lies in its children."""

    records: int


Incident: TypeAlias = CrashAfter | LoseLeaseAfter | HandOffAfter | SplitAfter
