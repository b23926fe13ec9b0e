"""Which planted bugs break the rules of reading? Iterators, empty pages, memory, pace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcl_py.core.commands import StartKind
from kcl_py.core.consumer import supply
from kcl_py.core.consumer.budget import PAGE_BYTES_MAX, Budget
from kcl_py.core.consumer.pacing import Pacing
from kcl_py.core.consumer.reading import Reading, place_of
from kcl_py.testing.mutants.arena_code import FAILING
from kcl_py.testing.mutants.arena_shards import MEMORY
from kcl_py.testing.mutants.mutant import ASSERTION, Room

if TYPE_CHECKING:
    from kcl_py.core.consumer.reading import Place
    from kcl_py.core.events import PageFetched
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.records import Position
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("Reading (design, I5, I8, I11)")


@ROOM.plant(
    "empty page taken for the end of a shard",
    "an end is said",
    "I5",
    "I6",
    within=10,
)
def empty_page_is_the_end(patches: Patches) -> None:
    """A quiet moment, and the shard is never read again."""
    arrived = Reading._arrived

    def ending(self: Reading, answer: PageFetched) -> None:
        if answer.page is None:
            answer = replace(answer, next_iterator=None)
        arrived(self, answer)

    patches.put(Reading, "_arrived", ending)


@ROOM.plant(
    "iterator re-made AT instead of AFTER",
    "behind the last record",
    "I3",
    ASSERTION,
    within=40,
    arena=FAILING,
)
def iterator_at(patches: Patches) -> None:
    """An iterator expires, and the last record comes once more."""
    arrived = Reading._arrived

    def at(self: Reading, answer: PageFetched) -> None:
        arrived(self, answer)
        if self._start.kind is StartKind.AFTER:
            self._start = replace(self._start, kind=StartKind.AT)
            self._skip = None

    patches.put(Reading, "_arrived", at)
    patches.put(Reading, "_report_lost", lambda self, asked, found: None)


@ROOM.plant(
    "the rest of an aggregated record is passed over",
    "a position is read at",
    "I5",
    within=10,
)
def rest_of_an_aggregate(patches: Patches) -> None:
    """A checkpoint lies inside of an aggregated record, and reading goes on behind that record."""

    def behind(row: LeaseRow, after: Position | None) -> Place:
        place = place_of(row, after)
        if after is None or after.sub_sequence_number == 0:
            return place
        return replace(place, start=replace(place.start, kind=StartKind.AFTER))

    patches.put(supply, "place_of", behind)


@ROOM.plant(
    "a shard is read as fast as it answers", "5 calls a second", "I8", within=5, arena=FAILING
)
def no_pace(patches: Patches) -> None:
    """The service throttles every consumer of the shard."""
    patches.put(Pacing, "next_at", property(lambda self: self._called_at + 0.05))


@ROOM.plant(
    "budget ignores in-flight pages", "pages under way count", "I11", within=20, arena=MEMORY
)
def in_flight_pages_ignored(patches: Patches) -> None:
    """Every shard asks at once, and all the pages arrive."""

    def fits(self: Budget, *, ahead: bool) -> bool:
        limit = self._limit // 2 if ahead else self._limit
        return self._buffered + PAGE_BYTES_MAX <= limit

    patches.put(Budget, "_fits", fits)
