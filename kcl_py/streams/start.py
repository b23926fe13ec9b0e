"""Where does a reader begin? One spelling of places, in code and on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from kcl_py.config import InitialPosition, normalise_initial_position
from kcl_py.core.commands import Start, StartKind
from kcl_py.errors import ConfigError
from kcl_py.records import Position
from kcl_py.settings import parse_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

ReadFrom: TypeAlias = InitialPosition | Position | str
"""As on the command line: earliest, latest, 2026-11-21T10:00Z, -15m, at:SEQ/SUB, after:SEQ/SUB.
A Position means after it."""

SPELLINGS: Final = (
    "earliest, latest, a time with its zone as 2026-11-21T10:00Z, a duration before now as -15m, "
    "at:SEQ/SUB or after:SEQ/SUB"
)

SKEW_SECONDS: Final = 1.0
"""The Date header of an answer counts whole seconds."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A place to begin, as asked for.

    Attributes:
        seconds: time: since 1970; ago: before now.
        sequence_number: at, after: of the record.
        sub: Index inside of an aggregated record; None: the record as a whole.
    """

    kind: Literal["earliest", "latest", "time", "ago", "at", "after"]
    seconds: float = 0.0
    sequence_number: str = ""
    sub: int | None = None

    @property
    def is_position(self) -> bool:
        """It is a place in one shard."""
        return self.kind in ("at", "after")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where reading of one shard begins.

    Attributes:
        start: What to get an iterator for, if there is none.
        iterator: To begin with.
        skip: What is before this position was not asked for.
        skips_itself: Nor is the record at `skip`.
    """

    start: Start
    iterator: str | None = None
    skip: Position | None = None
    skips_itself: bool = True


FROM_OLDEST: Final = Entry(Start(kind=StartKind.TRIM_HORIZON))


def beginning_of(start: ReadFrom) -> Beginning:
    """Read a place to begin.

    Raises:
        ConfigError: It is none; the message lists all spellings.
    """
    if isinstance(start, Position):
        return Beginning("after", 0.0, start.sequence_number, start.sub_sequence_number)
    if isinstance(start, datetime):
        return _time(start)
    if not isinstance(start, str):
        raise _unknown(start)
    text = start.strip()
    for kind in ("at", "after"):
        if text.startswith(f"{kind}:"):
            return _position(kind, text)
    if text.startswith("-"):
        return _ago(text)
    try:
        found = cast("InitialPosition", parse_setting("initial_position", text))
    except ConfigError:
        raise _unknown(start) from None
    return _time(found) if isinstance(found, datetime) else _named(found)


def entries_of(
    beginning: Beginning,
    time: float | None,
    iterators: Mapping[str, str],
    *,
    single: str | None,
    opens: bool,
) -> Entries:
    """Where to begin in shards that were there when reading began.

    Args:
        beginning: As asked for.
        time: When that is, unix seconds, for what depends on time.
        iterators: Behind the newest record of a shard, by shard, for `latest`.
        single: The shard that a position is in; those that descend from it are read whole.
        opens: Aggregated records are opened.
    """
    if single is not None:
        return Entries(FROM_OLDEST, {single: _at_position(beginning, opens=opens)})
    if beginning.kind == "earliest":
        return Entries(FROM_OLDEST, {})
    start = Start(kind=StartKind.AT_TIMESTAMP, timestamp=time)
    own = {shard_id: Entry(start, iterator) for shard_id, iterator in iterators.items()}
    return Entries(Entry(start), own)


def _at_position(beginning: Beginning, *, opens: bool) -> Entry:
    """A position inside of an aggregated record is read *at*: its rest comes with it."""
    number, is_after = beginning.sequence_number, beginning.kind == "after"
    at = Start(kind=StartKind.AT, sequence_number=number)
    after = Start(kind=StartKind.AFTER, sequence_number=number)
    if beginning.sub is None or not opens:
        return Entry(after if is_after else at)
    return Entry(at, skip=Position(number, beginning.sub), skips_itself=is_after)


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries by shard."""

    common: Entry
    own: Mapping[str, Entry]

    def of(self, shard_id: str) -> Entry:
        """Where to begin in this shard."""
        return self.own.get(shard_id, self.common)


def time_of(beginning: Beginning, server_time: float) -> float | None:
    """When a beginning is, unix seconds; None if it is no moment.

    Args:
        beginning: As asked for.
        server_time: What the service says; no clock of ours is compared with it.

    Raises:
        ConfigError: It has not come yet.
    """
    match beginning.kind:
        case "time":
            if beginning.seconds > server_time + SKEW_SECONDS:
                raise ConfigError("start is in the future; use 'latest', or a time that has passed")
            return min(beginning.seconds, server_time)
        case "ago":
            return server_time - beginning.seconds
        case "latest":
            return server_time
        case _:
            return None


def _named(name: InitialPosition) -> Beginning:
    found = normalise_initial_position(name)
    if isinstance(found, datetime):
        return _time(found)
    return Beginning(found)


def _time(when: datetime) -> Beginning:
    try:
        normalise_initial_position(when)
    except ConfigError:
        raise ConfigError(
            f"start = {when.isoformat()} has no time zone; "
            "make it aware, as datetime(..., tzinfo=timezone.utc)"
        ) from None
    return Beginning("time", when.timestamp())


def _ago(text: str) -> Beginning:
    try:
        seconds = cast("float", parse_setting("stop_grace", text[1:]))
    except ConfigError:
        raise _unknown(text) from None
    return Beginning("ago", seconds)


def _position(kind: Literal["at", "after"], text: str) -> Beginning:
    place = text.partition(":")[2]
    try:
        position = Position.parse(place)
    except ValueError:
        raise _unknown(text) from None
    sub = position.sub_sequence_number if "/" in place else None
    return Beginning(kind, 0.0, position.sequence_number, sub)


def _unknown(start: object) -> ConfigError:
    return ConfigError(f"start = {start!r} is no place to begin; use {SPELLINGS}")
