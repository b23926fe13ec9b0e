"""What does a check-up say? One finding for each thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look."""
    UNKNOWN = "unknown"
    """It could not be found out, which is not the same as being fine."""
    SKIPPED = "skipped"
    """It was not looked at, because that was asked for."""
    PROBLEM = "problem"
    """Shards are not processed, or will not be, or records are in danger."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: Constant name of the check.
        says: What was seen.
        way_out: What to do; empty if there is nothing to do.
    """

    check: str
    level: Level
    says: str
    way_out: str = ""


def ok(check: str, says: str) -> Finding:
    """All is well with this."""
    return Finding(check, Level.OK, says)


def warning(check: str, says: str, way_out: str) -> Finding:
    """It works; somebody should look."""
    return Finding(check, Level.WARNING, says, way_out)


def unknown(check: str, says: str, way_out: str = "") -> Finding:
    """It could not be found out."""
    return Finding(check, Level.UNKNOWN, says, way_out)


def skipped(check: str, says: str, way_out: str) -> Finding:
    """It was not looked at."""
    return Finding(check, Level.SKIPPED, says, way_out)


def problem(check: str, says: str, way_out: str) -> Finding:
    """Something has to be done."""
    return Finding(check, Level.PROBLEM, says, way_out)


def some(names: list[str], most: int = 3) -> str:
    """A few of these names, and how many more there are."""
    shown = ", ".join(sorted(names)[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
