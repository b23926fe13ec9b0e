"""Do `kcl leases pause` and `resume` stop and start user code, with workers that are real?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.health.verdict import judge
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually, rows_of
from tests.cli.typed import Kcl

FIRST = "shardId-000000000000"


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(1)
    return made


def test_a_shard_rests_through_a_restart_until_it_is_resumed(kcl: Kcl, app: App) -> None:
    at = ("--app", app.name)
    with app.worker() as worker:
        app.put("a")
        eventually(lambda: app.texts() == ["a"])

        typed = kcl("leases", "pause", FIRST, *at, "-o", "jsonl")
        assert typed.code == 0, typed.err
        assert rows_of(typed.out)[FIRST]["change"] == "paused"
        eventually(lambda: _state(worker) == "paused")
        app.put("b")
        assert not worker.status().healthy
        assert judge(worker.status(), 0.0, 0.0).why == "running, 1 shard, 1 of them paused"
    with app.worker() as other:
        eventually(lambda: _state(other) == "paused")
        assert app.texts() == ["a"]
        shown = json.loads(kcl("leases", *at, "--json").out)["leases"][0]
        assert (shown["state"], shown["paused_by"]) == ("paused", "hand")

        typed = kcl("leases", "resume", FIRST, *at, "-o", "jsonl")
        assert rows_of(typed.out)[FIRST]["change"] == "resumed"
        eventually(lambda: app.texts() == ["a", "b"])
        assert other.status().healthy
    assert not app.rows()[FIRST].halted


def _state(worker: Any) -> str | None:
    shards = worker.status().shards
    return shards[FIRST].state if FIRST in shards else None


def test_what_is_so_already_is_said_and_a_dry_run_changes_nothing(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    at = (FIRST, "--app", app.name, "-o", "jsonl")

    def change(*arguments: str) -> str:
        typed = kcl("leases", *arguments)
        assert typed.code == 0, typed.err
        return str(rows_of(typed.out)[FIRST]["change"])

    assert change("resume", *at) == "is not paused"
    assert change("pause", *at, "--dry-run") == "pause"
    assert not app.rows()[FIRST].halted
    assert change("pause", *at) == "paused"
    assert change("pause", *at) == "is paused already"
    assert change("resume", *at) == "resumed"


def test_a_pause_by_errors_is_resumed_as_well(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    from kcl_py.aws.lease_table import LeaseTable

    client = app.clients["dynamodb"]
    table = LeaseTable(writes=client, reads=client, name=app.name)
    table.write(RowWrite(kind=WriteKind.RENEW, key=FIRST, tests=(), sets={"paused": True}))

    kcl("leases", "resume", FIRST, "--app", app.name)

    assert not app.rows()[FIRST].paused


def test_a_wrong_shard_is_answered_with_near_ones(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    at = ("--app", app.name)

    assert kcl("leases", "pause", "shardId-000000000001", *at).failed(
        2, "no lease of shardId-000000000001", f"did you mean {FIRST}"
    )
    assert kcl("leases", "pause", "x", *at).failed(2, f"there are {FIRST}")
    assert kcl("leases", "--app", app.name, "pause", FIRST).failed(
        2, "--app stands before pause", "kcl leases pause --app"
    )


def test_what_was_paused_before_a_change_failed_is_shown(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = App(at_engine.endpoint_url, clients)
    app.create_stream(2)
    app.run_until(lambda: app.is_synced)
    second = "shardId-000000000001"
    denied = {"kind": "deny", "operations": ["UpdateItem"], "key": {"leaseKey": {"S": second}}}
    at_engine.set_faults([denied])
    try:
        typed = kcl("leases", "pause", FIRST, second, "--app", app.name, "-o", "jsonl")
    finally:
        at_engine.set_faults([])

    assert typed.failed(3, "UpdateItem")
    assert {key: row["change"] for key, row in rows_of(typed.out).items()} == {FIRST: "paused"}
    assert [key for key, row in app.rows().items() if row.halted] == [FIRST]
