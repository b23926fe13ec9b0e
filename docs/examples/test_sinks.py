"""Do the sinks keep their promise? Each is tested beside an old owner who will not give up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import count

import pytest
from kcl_py import LeaseLost, Position, ShardContext
from kcl_py.testing import (
    CrashAt,
    HandOffAfter,
    LoseLeaseAfter,
    LoseLeaseAt,
    Simulation,
    make_batch,
    make_record,
    moment,
)

from fake_s3 import FakeS3
from sink_dynamodb import TABLE, DynamoCounts
from sink_s3 import NUMBERS, S3Parts

PEOPLE = [{"name": f"person {number % 7}", "id": number} for number in range(120)]


# ------------------------------------------------------------------ what is asked of every sink
class Witness:
    """Stands between the simulated world and a sink, and writes down who got through."""

    seen: list[tuple[str, int]]

    def initialize(self, shard: ShardContext) -> None:
        self.mine = shard.fencing_token
        super().initialize(shard)
        self.seen.append(("announced", self.mine))

    def write(self, *what: object) -> None:
        moment("write")  # in the middle of a call: the old owner freezes here
        try:
            super().write(*what)
        except LeaseLost:
            self.seen.append(("refused", self.mine))
            raise
        self.seen.append(("wrote", self.mine))
        moment("written")  # the sink has it, and no checkpoint says so


def watched(sink: type) -> type:
    return type("Watched", (Witness, sink), {"seen": []})


def newest_first(seen: list[tuple[str, int]]) -> bool:
    """Nobody gets through once somebody newer has announced itself."""
    newest = 0
    for what, token in seen:
        if what == "announced":
            newest = max(newest, token)
        if what in ("announced", "wrote") and token < newest:
            return False
    return True


def everything_happens(simulation: Simulation, sink: type, make: Callable[[type], object]) -> None:
    ours = watched(sink)
    at = simulation.rng.randint

    run = simulation(
        lambda: make(ours),
        PEOPLE,
        incidents=[
            LoseLeaseAt(moment="write", nth=at(2, 3)),
            CrashAt(moment="written", nth=at(4, 5)),
            HandOffAfter(records=60),
            LoseLeaseAt(moment="initialize", nth=5),
            LoseLeaseAfter(records=at(70, 80)),
            LoseLeaseAt(moment="write", nth=at(9, 10)),
        ],
        may_miss=True,
    )

    assert run.shard_ended, run.transcript
    assert run.errors == ()
    assert newest_first(ours.seen)


def an_old_owner_is_refused(simulation: Simulation, sink: type, make: Callable) -> None:
    ours = watched(sink)

    run = simulation(
        lambda: make(ours),
        PEOPLE,
        incidents=[LoseLeaseAt(moment="write", nth=3, until="initialized")],
    )

    assert run.shard_ended
    tokens = sorted({token for _, token in ours.seen})
    assert len(tokens) == 2  # the new owner goes on undisturbed
    assert ("refused", tokens[0]) in ours.seen
    assert ("refused", tokens[1]) not in ours.seen
    assert newest_first(ours.seen)


def a_late_announcement_is_refused(simulation: Simulation, sink: type, make: Callable) -> None:
    ours = watched(sink)

    run = simulation(
        lambda: make(ours),
        PEOPLE,
        incidents=[LoseLeaseAt(moment="initialize", until="initialized")],
    )

    assert run.shard_ended
    assert len({token for what, token in ours.seen if what == "announced"}) == 1


class Unheard(Witness):
    """The answer to one write gets lost; another write is applied when nobody waits any more."""

    calls: Iterator[int]
    late: list[Callable[[], None]]

    def write(self, *what: object) -> None:
        number = next(self.calls)
        while self.late:
            with suppress(Exception):  # it may well be refused
                self.late.pop()()
        if number == 5:
            self.late.append(partial(super().write, *what))
            raise ConnectionError("no answer")
        super().write(*what)
        if number == 3:
            raise ConnectionError("no answer")


def answers_get_lost(simulation: Simulation, sink: type, make: Callable[[type], object]) -> None:
    ours = type("Unheard", (Unheard, sink), {"seen": [], "late": [], "calls": count(1)})

    run = simulation(lambda: make(ours), PEOPLE)

    assert run.shard_ended
    assert [type(error) for error in run.errors] == [ConnectionError, ConnectionError]
    assert ours.late == []


EACH = pytest.mark.parametrize(
    "ask",
    [
        everything_happens,
        an_old_owner_is_refused,
        a_late_announcement_is_refused,
        answers_get_lost,
    ],
)


# ---------------------------------------------------------------------------------- PostgreSQL
@EACH
def test_postgres_has_every_line_once(
    ask: Callable, kcl_simulation: Simulation, postgres: str
) -> None:
    from sink_postgres import PostgresLedger, psycopg

    with ExitStack() as opened:  # a process that dies in the simulation closes nothing

        def make(sink: type) -> object:
            made = sink(postgres)
            opened.callback(made.close)
            return made

        ask(kcl_simulation, PostgresLedger, make)

    with psycopg.connect(postgres) as db:
        lines = [line for (line,) in db.execute("select line from ledger order by number")]
    assert [json.loads(line) for line in lines] == PEOPLE


def begin_to_write(sink: object) -> Position:
    """Open a transaction, move the position, and stand still."""
    from sink_postgres import ADVANCE

    sink.db.execute("begin")
    moved = {**sink.facts, "position": "7/0", "done": str(sink.done)}
    assert sink.db.execute(ADVANCE, moved).rowcount == 1
    return Position.parse("7/0")


def two_owners(dsn: str) -> tuple[object, object, ShardContext]:
    """An old owner that has announced itself, a new one that has not, and the new one's shard."""
    from sink_postgres import PostgresLedger

    shards = [make_batch(["a"], fencing_token=token)[0].shard for token in (1, 2)]
    old, new = PostgresLedger(dsn), PostgresLedger(dsn)
    old.initialize(shards[0])
    return old, new, shards[1]


def test_postgres_lets_a_new_owner_in_when_the_old_one_has_committed(postgres: str) -> None:
    old, new, shard = two_owners(postgres)
    with ThreadPoolExecutor(1) as beside, closing(old), closing(new):
        left = begin_to_write(old)
        announced = beside.submit(new.initialize, shard)
        while not old.db.execute("select 1 from pg_locks where not granted").fetchall():
            assert not announced.done()
        old.db.execute("commit")
        announced.result(timeout=10)

        assert new.done == left
        with pytest.raises(LeaseLost):
            old.write([make_record("late")])


def test_postgres_ends_a_transaction_that_stands_still(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sink_postgres

    monkeypatch.setattr(sink_postgres, "OPTIONS", sink_postgres.OPTIONS.replace("5s", "200ms"))
    old, new, shard = two_owners(postgres)
    with closing(old), closing(new):
        begin_to_write(old)
        new.initialize(shard)  # waits until the server has thrown the old one out

        assert new.done == Position.parse("0/0")
        with pytest.raises(sink_postgres.psycopg.Error):
            old.db.execute("commit")


# ------------------------------------------------------------------------------------ DynamoDB
@EACH
def test_dynamodb_counts_everybody_once(
    ask: Callable, kcl_simulation: Simulation, dynamodb
) -> None:
    ask(kcl_simulation, DynamoCounts, lambda sink: sink(dynamodb))

    items = dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]
    counts: Counter[str] = Counter()
    for item in items:
        kind, _, rest = item["id"]["S"].partition("/")
        if kind == "count":
            counts[rest.partition("/")[2]] += int(item["people"]["N"])
    assert counts == Counter(person["name"] for person in PEOPLE)


# ------------------------------------------------------------------------------------------ S3
@EACH
def test_s3_has_every_line_once(
    ask: Callable, kcl_simulation: Simulation, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink_s3.LINES_MAX", 8)
    s3.lose_answers_to = [f"{NUMBERS - number}" for number in (1, 3, 6)]

    ask(kcl_simulation, S3Parts, lambda sink: sink(s3, "archive"))

    parts = [s3.objects[key][0] for key in sorted(s3.objects, reverse=True)]
    assert [json.loads(line) for line in b"".join(parts).splitlines()] == PEOPLE
