"""Does `kcl checkpoint reset` move a stopped and a live fleet, and lose nothing on the way?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, Sentinel
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually, rows_of
from tests.cli.typed import Kcl

pytestmark = pytest.mark.slow

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


def make_app(at_engine: EngineProcess, clients: Mapping[str, Any], shards: int) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(shards)
    return made


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> App:
    return make_app(at_engine, clients, 1)


def finish(app: App, *texts: str) -> list[tuple[str, str]]:
    """Put records, and let a fleet finish them and stop."""
    places = app.put(*texts)
    app.run_until(lambda: set(texts) <= set(app.texts()))
    app.seen.clear()
    return places


def test_a_stopped_fleet_begins_again_where_it_is_told(kcl: Kcl, app: App) -> None:
    places = finish(app, "a", "b", "c", "d")
    at = ("--app", app.name, "--shard", FIRST, "--yes", "-o", "jsonl")

    def reset(to: str) -> tuple[str, list[str]]:
        typed = kcl("checkpoint", "reset", "--to", to, *at)
        assert typed.code == 0, typed.err
        before = app.rows()[FIRST]
        assert before.owner == PLACEHOLDER_OWNER
        app.seen.clear()
        marker = f"end-{to}"
        app.put(marker)
        app.run_until(lambda: marker in app.texts())
        return str(rows_of(typed.out)[FIRST]["effect"]), [x for x in app.texts() if len(x) == 1]

    assert reset("earliest") == ("repeats", ["a", "b", "c", "d"])
    assert reset(f"after:{places[1][1]}") == ("repeats", ["c", "d"])
    assert reset(f"at:{places[1][1]}") == ("repeats", ["b", "c", "d"])
    assert reset(f"at:{places[0][1]}") == ("repeats", ["a", "b", "c", "d"])
    assert reset("latest")[1] == []


def test_what_is_skipped_is_said_before_and_nothing_happens_without_a_yes(
    kcl: Kcl, app: App
) -> None:
    finish(app, "a")
    places = app.put("b", "c")
    before = app.rows()

    forward = ("--to", f"after:{places[0][1]}", "--shard", FIRST, "--app", app.name)

    typed = kcl("checkpoint", "reset", *forward, "--dry-run", "-o", "jsonl")

    assert rows_of(typed.out)[FIRST]["effect"] == "skips"
    assert kcl("checkpoint", "reset", *forward).failed(
        2, f"Records of {FIRST} will be skipped", "--yes"
    )
    assert app.rows() == before


def test_a_live_fleet_is_refused_and_left_alone(kcl: Kcl, app: App) -> None:
    # Not so short that a busy machine alone takes the lease away.
    with app.worker(duration=10.0) as worker:
        app.put("a")
        eventually(lambda: app.texts() == ["a"])
        token = worker.status().shards[FIRST].fencing_token

        typed = kcl("checkpoint", "reset", "--to", "earliest", "--app", app.name, "--yes")

        assert typed.failed(4, worker.worker_id, "--fence")
        assert worker.status().shards[FIRST].fencing_token == token
    assert app.texts() == ["a"]


def test_a_live_fleet_is_fenced_and_goes_on_at_the_new_place(kcl: Kcl, app: App) -> None:
    with app.worker() as worker:
        app.put("a", "b")
        eventually(lambda: app.texts() == ["a", "b"])
        token = worker.status().shards[FIRST].fencing_token
        app.gate.clear()
        app.put("c")

        typed = kcl("checkpoint", "reset", "--to", "earliest", "--app", app.name, "--yes",
                    "--fence", "-o", "jsonl")  # fmt: skip
        assert typed.code == 0, typed.err
        row = app.rows()[FIRST]
        assert (row.owner, row.checkpoint) == (PLACEHOLDER_OWNER, Sentinel.TRIM_HORIZON)
        app.gate.set()

        eventually(lambda: app.texts()[-3:] == ["a", "b", "c"] and len(app.seen) >= 5)
        eventually(lambda: FIRST in worker.status().shards)
        assert worker.status().shards[FIRST].fencing_token > token


def test_a_killed_fleet_is_known_to_be_dead_after_its_lease_duration(kcl: Kcl, app: App) -> None:
    finish(app, "a")
    # As a kill leaves it: an owner in the row, and nobody who moves the counter.
    app.clients["dynamodb"].update_item(
        TableName=app.name,
        Key={"leaseKey": {"S": FIRST}},
        UpdateExpression="SET leaseOwner = :w",
        ExpressionAttributeValues={":w": {"S": "w-dead"}},
    )

    typed = kcl("checkpoint", "reset", "--to", "earliest", "--app", app.name, "--yes")

    assert typed.code == 0, typed.err
    assert "watching the table" in typed.err
    assert app.rows()[FIRST].owner == PLACEHOLDER_OWNER


def test_wrong_shards_places_and_streams_are_named(kcl: Kcl, app: App) -> None:
    places = finish(app, "a")
    at = ("--app", app.name, "--yes")
    one = ("--shard", FIRST, *at)

    assert kcl("checkpoint", "reset", "--to", "earliest", "--shard", SECOND, *at).failed(
        2, f"no lease of {SECOND}", f"did you mean {FIRST}"
    )
    assert kcl("checkpoint", "reset", "--to", f"at:{places[0][1]}", *at).failed(2, "--shard")
    assert kcl("checkpoint", "reset", "--to", "at:12345", *one).failed(2, "no record 12345")
    assert kcl("checkpoint", "reset", "--to", "2999-01-01T00:00Z", *at).failed(2, "future")
    assert kcl("checkpoint", "reset", "--to", "soon", *at).failed(2, "soon")
    assert kcl("checkpoint", "reset", "--to", "earliest", *at, "--stream", "x").failed(2, "not x")
    assert kcl("checkpoint", "reset", "--to", "earliest", "--app", "none" + app.name).failed(
        3, "no lease table"
    )


def test_after_a_split_and_a_merge_everything_comes_again_parents_first(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any]
) -> None:
    app = make_app(at_engine, clients, 2)
    old = [f"old-{n}" for n in range(8)]
    app.put(*old)
    stream = ("--stream", app.name, "--wait")
    kcl("stream", "split", FIRST, *stream)
    middle = [f"middle-{n}" for n in range(8)]
    app.put(*middle)
    kcl("stream", "merge", "shardId-000000000003", SECOND, *stream)
    new = [f"new-{n}" for n in range(8)]
    app.put(*new)
    app.run_until(lambda: len(set(app.texts())) == 24)
    assert sum(row.is_finished for row in app.rows().values()) == 3
    app.seen.clear()

    typed = kcl("checkpoint", "reset", "--to", "earliest", "--app", app.name, "--yes", "--json")

    assert typed.code == 0, typed.err
    rows = rows_of(typed.out)
    assert [row["effect"] for row in rows.values()].count("read again") == 3
    assert all(row["done"] for row in rows.values())
    app.run_until(lambda: len(set(app.texts())) == 24)
    assert sorted(app.texts()) == sorted(old + middle + new)
    order = {shard: number for number, (shard, _) in reversed(list(enumerate(app.seen)))}
    last = {shard: number for number, (shard, _) in enumerate(app.seen)}
    for key, row in app.rows().items():
        for parent in row.parents:
            if key in order and parent in last:
                assert last[parent] < order[key]


def test_show_says_where_each_shard_is(kcl: Kcl, app: App) -> None:
    finish(app, "a")
    shown = json.loads(kcl("checkpoint", "show", "--app", app.name, "--json").out)

    assert [row["shard"] for row in shown] == [FIRST]
    assert shown[0]["checkpoint"] == str(app.rows()[FIRST].checkpoint)
