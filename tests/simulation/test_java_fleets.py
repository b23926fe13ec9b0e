"""Does a worker notice that a Java KCL uses its table: one that was there, or one that comes later?

A worker of the Java KCL 2.x leaves leases only. Source: DynamoDBLeaseSerializer of that version.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.leases.java import find_java, is_foreign_move
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel, StrangeRow
from kcl_py.errors import LeaseTableError
from kcl_py.testing.sim.wire_store import TABLE_NAME
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, finish_cleanly, running_world
from tests.simulation.test_edited_rows import call, edit

JAVA_RENEW_SECONDS = 3.308
"""Source: DynamoDBLeaseCoordinator of the Java KCL at its defaults, (10 s - 25 ms) / 3."""


def java_lease(key: str, counter: int = 7, **more: object) -> dict[str, object]:
    """A lease as the Java KCL 2.x makes it."""
    return {
        "leaseKey": {"S": key},
        "leaseCounter": {"N": str(counter)},
        "leaseOwner": {"S": "ip-10-0-0-1.ec2.internal:6f1c"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        **more,
    }


def renew_as_java(world: World, key: str, *, times: int) -> None:
    """Take a lease as a worker of the Java KCL 2.x steals one, and renew it."""
    for _ in range(times):
        values = {":j": {"S": "ip-10-0-0-1:6f1c"}, ":one": {"N": "1"}}
        edit(world, key, "SET leaseOwner = :j, leaseCounter = leaseCounter + :one", values)
        world.run_for(JAVA_RENEW_SECONDS)


@pytest.mark.parametrize("checkpoint", ["TRIM_HORIZON", "LATEST"])
def test_a_table_with_leases_of_java_is_refused(checkpoint: str) -> None:
    world = World(workers=0, shards=1)
    (key,) = world.stream.logs
    item = java_lease(key, checkpoint={"S": checkpoint})
    call(world, "PutItem", {"TableName": TABLE_NAME, "Item": item})
    late = world.start_worker()
    world.run_until(lambda: not late.alive, within=60)

    assert isinstance(late.error, LeaseTableError)
    assert "ip-10-0-0-1.ec2.internal:6f1c" in str(late.error)
    assert "migrate-from-the-kcl" in str(late.error)


@pytest.mark.parametrize("seed", range(3))
def test_a_java_worker_that_comes_to_a_fleet_stops_it(seed: int) -> None:
    world = running_world(workers=2, shards=2, seed=seed)
    fleet = world.living()
    key = world.open_keys()[0]
    world.forget()

    renew_as_java(world, key, times=6)
    world.run_until(lambda: not world.living(), within=60)

    for worker in fleet:
        assert isinstance(worker.error, LeaseTableError)
        assert "Java" in str(worker.error)


def test_a_counter_that_somebody_edits_once_stops_nobody() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]

    renew_as_java(world, key, times=1)
    world.run_until(lambda: all_processing(world, [key]), within=60)

    finish_cleanly(world)


# ------------------------------------------------------------------------------- what shows it


def lease(nonce: str | None, *, counter: int = 1, finished: bool = False) -> LeaseRow:
    checkpoint = Sentinel.SHARD_END if finished else Sentinel.TRIM_HORIZON
    return LeaseRow(key="s", counter=counter, checkpoint=checkpoint, owner="a", nonce=nonce)


OURS = ApplicationRow(
    stream_arn="arn",
    stream_created_at=1.0,
    table_id="t",
    protocol=1,
    position=Sentinel.TRIM_HORIZON,
)


def test_leases_of_kcl_py_are_not_of_java() -> None:
    assert find_java([lease("n"), OURS]) is None
    assert find_java([]) is None


def test_finished_leases_of_others_prove_nothing_once_the_table_is_ours() -> None:
    done = lease(None, finished=True)

    assert find_java([done]) is not None
    assert find_java([done, OURS]) is None
    assert find_java([done, OURS, lease(None)]) is not None


def test_a_row_of_version_3_is_named_first() -> None:
    leader = StrangeRow(key="Leader", why="a row of the Java KCL", is_java=True)

    assert find_java([lease(None), leader]) is leader


@given(st.integers(0, 9), st.integers(0, 9), *[st.sampled_from([None, "a", "b"])] * 2)
def test_only_a_counter_that_moves_under_one_nonce_is_foreign(
    old: int, new: int, before: str | None, after: str | None
) -> None:
    found = is_foreign_move(lease(before, counter=old), lease(after, counter=new))

    assert found == (new > old and before == after)
