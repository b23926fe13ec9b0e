"""What was found out before the core starts?

The table and the stream, as described by the service.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """The lease table.

    Attributes:
        table_id: New for every creation, so that a restored or recreated table is noticed.
        has_index: The index on the owner exists and is usable; without it scans must do.
    """

    name: str
    table_id: str
    has_index: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """The stream.

    Attributes:
        created_at: Unix seconds; tells it apart from a namesake created later.
    """

    name: str
    arn: str
    created_at: float
