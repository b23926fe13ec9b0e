"""What happens to a fleet whose rows somebody edits, breaks or deletes by hand?"""

from __future__ import annotations

from collections.abc import Mapping

from kcl_py.aws.attributes import KEY
from kcl_py.testing.sim.wire_store import TABLE_NAME, WireStore
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, finish_cleanly, running_world


def call(world: World, operation: str, request: Mapping[str, object]) -> None:
    store = world.table.store
    assert isinstance(store, WireStore)
    store._model.call(operation, request)


def edit(world: World, key: str, expression: str, values: Mapping[str, object]) -> None:
    request = {
        "TableName": TABLE_NAME,
        "Key": {KEY: {"S": key}},
        "UpdateExpression": expression,
    }
    if values:
        request["ExpressionAttributeValues"] = values
    call(world, "UpdateItem", request)


def delete(world: World, key: str) -> None:
    request = {"TableName": TABLE_NAME, "Key": {KEY: {"S": key}}}
    call(world, "DeleteItem", request)


def told(world: World, what: str, key: str) -> int:
    return sum(line.what == what and line.key == key for line in world.trace.lines)


def test_a_broken_lease_row_is_skipped_with_one_warning_and_the_others_go_on() -> None:
    world = running_world(workers=2, shards=4)
    broken, *others = world.open_keys()
    workers = [worker.worker_id for worker in world.living()]

    edit(world, broken, "SET leaseCounter = :bad", {":bad": {"S": "many"}})
    world.run_for(60)

    assert all_processing(world, others)
    assert world.owner(broken) is None
    warned = [
        line.who for line in world.trace.lines if (line.what, line.key) == ("row.skipped", broken)
    ]
    assert sorted(warned) == sorted(workers)


def test_a_lease_row_that_is_deleted_by_hand_is_made_again() -> None:
    world = running_world(workers=2, shards=2)
    key, other = world.open_keys()
    world.forget()

    delete(world, key)
    world.run_until(lambda: world.owner(key) is None, within=10)
    assert all_processing(world, [other])
    world.run_until(lambda: all_processing(world, [key, other]), within=900)

    assert told(world, "lease.lost", key) == 1


def test_a_worker_row_that_is_deleted_by_hand_is_put_back() -> None:
    world = running_world(workers=2, shards=4)
    worker = world.living()[0]
    held = set(world.held(worker))

    delete(world, worker.worker_id)
    world.run_for(30)

    assert set(world.held(worker)) == held
    assert world.table.store.read(worker.worker_id) is not None
    finish_cleanly(world)


def test_an_owner_that_is_edited_away_gives_up_at_its_next_renewal() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]

    edit(
        world,
        key,
        "SET leaseOwner = :x, leaseCounter = leaseCounter + :one",
        {":x": {"S": "nobody"}, ":one": {"N": "1"}},
    )
    world.run_for(5)
    assert told(world, "lease.lost", key) == 1

    world.run_until(lambda: all_processing(world, [key]), within=60)
    finish_cleanly(world)
