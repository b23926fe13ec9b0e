"""Do `kcl leases release`, `kcl leases gc` and `kcl workers` do and say what is so?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kcl_py.core.leases.rows import PLACEHOLDER_OWNER
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import DURATION, App, eventually, rows_of
from tests.cli.typed import Kcl

pytestmark = pytest.mark.slow

FIRST = "shardId-000000000000"
PATIENT = 8.0


def make_app(at_engine: EngineProcess, clients: Mapping[str, Any], shards: int) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(shards)
    return made


def token_of(worker: Any) -> int:
    shards = worker.status().shards
    return int(shards[FIRST].fencing_token) if FIRST in shards else 0


def counts(app: App) -> dict[str | None, int]:
    owners = [row.actual_owner for row in app.rows().values()]
    return {owner: owners.count(owner) for owner in owners}


def is_shared(app: App) -> bool:
    """Each of two workers has its share of three: while some have no owner yet, one may take all.

    Then it could part with two.
    """
    found = counts(app)
    return None not in found and sorted(found.values()) == [1, 2]


def test_a_live_owner_hands_over_what_it_has_beyond_its_share(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = make_app(at_engine, clients, 3)
    at = ("--app", app.name)
    # Long enough that no owner loses a lease because the machine is busy: that is another test.
    with app.worker(duration=PATIENT) as one, app.worker(duration=PATIENT) as two:
        eventually(lambda: is_shared(app))
        owner = max(counts(app), key=lambda name: counts(app)[name])
        other = two.worker_id if owner == one.worker_id else one.worker_id
        key = next(key for key, row in app.rows().items() if row.actual_owner == owner)

        typed = kcl("leases", "release", key, *at)

        assert typed.code == 0, typed.err
        assert "was handed over" in typed.err
        eventually(lambda: app.rows()[key].actual_owner == other)
        mine = next(key for key, row in app.rows().items() if row.actual_owner == owner)
        assert kcl("leases", "release", mine, *at).failed(4, str(owner), "less than its share")
        assert kcl("leases", "release", mine, "--to", "nobody", *at).failed(2, "no live worker")

        typed = kcl("workers", *at, "-o", "jsonl")
        rows = rows_of(typed.out, "worker")
        assert {name: row["leases"] for name, row in rows.items()} == counts(app)
        assert {row["live"] for row in rows.values()} == {"live"}
        assert {row["duration"] for row in rows.values()} == {PATIENT}


def test_a_lone_owner_is_only_fenced(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = make_app(at_engine, clients, 1)
    at = ("--app", app.name)
    with app.worker() as worker:
        app.put("a")
        eventually(lambda: app.texts() == ["a"])
        token = worker.status().shards[FIRST].fencing_token

        assert kcl("leases", "release", FIRST, *at).failed(4, "no other worker", "--fence")
        assert kcl("leases", "release", FIRST, *at, "--fence").failed(2, "--yes")
        typed = kcl("leases", "release", FIRST, *at, "--fence", "--yes")
        assert typed.code == 0, typed.err
        assert app.rows()[FIRST].owner == PLACEHOLDER_OWNER
        app.put("b")
        eventually(lambda: "b" in app.texts())  # perhaps still inside the fence of the old epoch
        eventually(lambda: token_of(worker) > token)
    typed = kcl("leases", "release", FIRST, *at)
    assert (typed.code, "by itself" in typed.err) == (0, True)


def test_a_dead_worker_is_called_so(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = make_app(at_engine, clients, 1)
    app.run_until(lambda: app.is_synced)
    app.clients["dynamodb"].update_item(
        TableName=app.name,
        Key={"leaseKey": {"S": FIRST}},
        UpdateExpression="SET leaseOwner = :w",
        ExpressionAttributeValues={":w": {"S": "w-dead"}},
    )

    typed = kcl("workers", "--app", app.name, "--json")

    [row] = json.loads(typed.out)
    assert (row["worker"], row["live"], row["state"]) == ("w-dead", "dead", "no row")
    assert row["last_sign"] >= DURATION


def test_rows_that_nobody_needs_are_found(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = make_app(at_engine, clients, 1)
    at = ("--app", app.name)
    app.run_until(lambda: app.is_synced)
    assert "nothing to delete" in kcl("leases", "gc", *at).err
    app.clients["dynamodb"].put_item(
        TableName=app.name,
        Item={
            "leaseKey": {"S": "shardId-999"},
            "leaseCounter": {"N": "1"},
            "checkpoint": {"S": "SHARD_END"},
        },
    )

    typed = kcl("leases", "gc", *at, "--dry-run", "-o", "jsonl")

    assert list(rows_of(typed.out, "row")) == ["shardId-999"]
    assert "60 s" in typed.err
    assert "shardId-999" in app.rows()
    assert kcl("leases", "gc", *at, "--yes", "--timeout", "5s").failed(5, "takes 60 s")
    assert kcl("leases", "gc", *at).failed(2, "--yes")


def test_a_shard_that_ends_while_somebody_is_asked_is_not_called_taken_away(
    kcl: Kcl,
    at_engine: EngineProcess,
    clients: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(at_engine, clients, 1)
    app.run_until(lambda: app.is_synced)

    def write(expression: str, values: Mapping[str, Any]) -> None:
        clients["dynamodb"].update_item(
            TableName=app.name,
            Key={"leaseKey": {"S": FIRST}},
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
        )

    class SlowReader:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            write("SET checkpoint = :e, leaseCounter = leaseCounter + :1",
                  {":e": {"S": "SHARD_END"}, ":1": {"N": "1"}})  # fmt: skip
            return "yes\n"

    write("SET leaseOwner = :o REMOVE kclOffer", {":o": {"S": "w-1"}})
    monkeypatch.setattr("sys.stdin", SlowReader())

    typed = kcl("leases", "release", FIRST, "--fence", "--app", app.name)

    assert typed.code == 0, typed.err
    assert "was taken away" not in typed.err
    assert "finished meanwhile" in typed.err
