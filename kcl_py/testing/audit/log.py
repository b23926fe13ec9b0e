"""What did a worker write down about what it did? Reads the logs of `shell/audit.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

Place: TypeAlias = tuple[int, int]
"""Sequence number and index inside an aggregated record, as numbers."""

RECORD: Final = "record"
"""About to be handed over."""

BEGUN: Final = "begun"
"""The processor of an epoch is about to be made."""

RETURNED: Final = "returned"
"""A call of user code is over."""

FENCED: Final = "fenced"
"""The core ended the epoch while there was a processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One line of an audit log.

    Attributes:
        at: Seconds on the clock that all processes of the machine share.
        worker: Worker id.
        key: Lease key.
        token: Fencing token of the epoch.
        kind: RECORD, BEGUN, RETURNED, FENCED, or another that is not judged.
        place: Of a record.
        method: Of a call.
        ok: False if the call raised.
    """

    at: float
    worker: str
    key: str
    token: int
    kind: str
    place: Place | None = None
    method: str = ""
    ok: bool = True


def parse_place(text: str) -> Place:
    """Read `SEQ/SUB`, or a bare sequence number."""
    sequence_number, _, sub = text.partition("/")
    return int(sequence_number), int(sub or 0)


def parse_audit_line(line: bytes | str) -> AuditEvent | None:
    """Read one line of an audit log; None if it is about no epoch."""
    facts: Mapping[str, Any] = json.loads(line)
    if "k" not in facts:
        return None
    place = facts.get("p")
    return AuditEvent(
        at=float(facts["t"]),
        worker=str(facts["w"]),
        key=str(facts["k"]),
        token=int(facts["e"]),
        kind=str(facts["kind"]),
        place=parse_place(place) if place else None,
        method=str(facts.get("m") or ""),
        ok=bool(facts.get("ok", True)),
    )


def read_audit_logs(paths: Iterable[Path]) -> list[AuditEvent]:
    """Every event of these logs; the torn last line of a killed process is dropped.

    Raises:
        ValueError: Another line cannot be read.
    """
    return [event for path in paths for event in AuditTail(path).read()]


class AuditTail:
    """Reads one audit log while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[AuditEvent]:
        """Every event since the last call; a line that is not complete yet waits for the next.

        Lines about a worker as a whole are left out.
        """
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [event for line in whole.splitlines() if (event := parse_audit_line(line))]
