"""Is a row deleted only after one has looked for as long as the protocol asks?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kcl_py.admin.cleaning import Cleaning, delete
from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases.rows import LeaseRow, Row, Sentinel, WorkerRow
from kcl_py.errors import AccessDenied, KclError, Throttled, Unavailable
from kcl_py.records import Position

END = Sentinel.SHARD_END


def lease(key: str, checkpoint: Any = END, **facts: Any) -> LeaseRow:
    return LeaseRow(key=key, counter=1, checkpoint=checkpoint, **facts)


def worker(key: str) -> WorkerRow:
    return WorkerRow(key=key, beat=1)


@dataclass
class Place:
    """A table and a stream whose time passes while somebody sleeps."""

    table: dict[str, Row]
    listed: list[str] = field(default_factory=lambda: ["s9"])
    at: float = 0.0
    beats: set[str] = field(default_factory=set)
    listings: int = 0

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        for key in self.beats:
            row = self.table[key]
            assert isinstance(row, WorkerRow)
            self.table[key] = replace(row, beat=row.beat + 1)

    def shard_ids(self) -> list[str]:
        self.listings += 1
        return self.listed

    def cleaning(self) -> Cleaning:
        made = Cleaning(
            rows=lambda: dict(self.table),
            shard_ids=self.shard_ids,
            now=lambda: self.at,
            sleep=self.sleep,
        )
        made.begin()
        return made


def keys(found: Any) -> list[str]:
    return [each.row.key for each in found]


def test_a_tombstone_goes_after_two_listings_a_minute_apart() -> None:
    place = Place({"s0": lease("s0"), "s9": lease("s9")})
    cleaning = place.cleaning()

    assert keys(cleaning.candidates()) == ["s0"]
    assert cleaning.patience() == 60.0
    assert keys(cleaning.find()) == []
    cleaning.watch(60.0)
    assert keys(cleaning.find()) == ["s0"]


def test_a_tombstone_that_is_listed_again_stays() -> None:
    place = Place({"s0": lease("s0")})
    cleaning = place.cleaning()
    cleaning.watch(60.0)
    place.listed = ["s0", "s9"]

    assert keys(cleaning.find()) == []


def test_a_tombstone_that_a_child_still_waits_for_stays() -> None:
    child = lease("s1", Sentinel.TRIM_HORIZON, parents=("s0",))
    place = Place({"s0": lease("s0"), "s1": child})
    cleaning = place.cleaning()
    cleaning.watch(60.0)

    assert keys(cleaning.find()) == []
    assert [row.key for row in cleaning.left_alone()] == ["s1"]


def test_a_dead_worker_goes_after_ten_of_its_durations() -> None:
    place = Place(
        {
            "dead": WorkerRow(key="dead", beat=7, duration=20.0),
            "live": WorkerRow(key="live", beat=1, duration=20.0),
        },
        beats={"live"},
    )
    cleaning = place.cleaning()
    assert cleaning.patience() == 200.0

    cleaning.watch(100.0)
    assert keys(cleaning.find()) == []
    cleaning.watch(100.0)
    assert keys(cleaning.find()) == ["dead"]


def test_a_worker_whose_leases_move_lives() -> None:
    moving = lease("s9", Position("1"), owner="w")
    place = Place({"w": WorkerRow(key="w", beat=7), "s9": moving})
    cleaning = place.cleaning()
    place.table["s9"] = replace(moving, counter=2)
    cleaning.watch(200.0)

    assert keys(cleaning.find()) == []


def test_what_was_not_as_it_was_seen_stays() -> None:
    cleaning = Place({"s0": lease("s0")}).cleaning()
    [tombstone] = cleaning.candidates()
    waits: list[float] = []
    lost = Failure(FailureKind.UNKNOWN, "dynamodb:DeleteItem", "timed out")
    answers: list[Any] = [lost, Refused(None)]

    assert delete(lambda _: answers.pop(0), tombstone, waits.append)
    assert len(waits) == 1
    assert delete(lambda _: Applied(None), tombstone, waits.append)
    assert not delete(lambda _: Refused(lease("s0")), tombstone, waits.append)
    with pytest.raises(Unavailable):
        delete(lambda _: lost, tombstone, waits.append)


@pytest.mark.parametrize("error", [Unavailable("no answer"), Throttled("slow")])
def test_a_look_without_an_answer_costs_no_watch_and_calls_nobody_dead(error: KclError) -> None:
    place = Place({"w1": worker("w1"), "w2": worker("w2"), "s9": lease("s9")}, beats={"w1"})
    cleaning = place.cleaning()
    answers = iter([True, *[False, True] * 1000])

    def rows() -> dict[str, Row]:
        if not next(answers):
            raise error
        return dict(place.table)

    cleaning.rows = rows
    cleaning.watch(cleaning.patience())
    cleaning.rows = lambda: dict(place.table)

    assert keys(cleaning.find()) == ["w2"]


def test_no_rights_any_more_end_a_watch() -> None:
    place = Place({"w1": worker("w1")})
    cleaning = place.cleaning()

    def rows() -> dict[str, Row]:
        raise AccessDenied("no", action="dynamodb:Scan")

    cleaning.rows = rows
    with pytest.raises(AccessDenied):
        cleaning.watch(100.0)
