"""What happens when the table vanishes, comes back as another one, or goes back in time."""

from __future__ import annotations

from kcl_py.errors import LeaseTableError
from tests.simulation.fleet import running_world


def test_a_table_that_is_deleted_under_a_fleet_stops_every_worker_with_a_clear_error() -> None:
    world = running_world(workers=3, shards=3)
    fleet = world.living()
    world.forget()

    world.table.store.drop()
    world.run_until(lambda: not world.living(), within=120)

    for worker in fleet:
        assert isinstance(worker.error, LeaseTableError)


def test_nobody_reads_on_after_the_table_was_deleted() -> None:
    world = running_world(workers=2, shards=2)
    world.table.store.drop()
    world.run_for(15)
    noted = len(world.trace.lines)

    world.put(20)
    world.run_for(60)

    assert [line for line in world.trace.lines[noted:] if line.what == "delivered"] == []


def test_a_table_that_was_recreated_is_not_taken_for_the_old_one() -> None:
    world = running_world(workers=2, shards=2)
    fleet = world.living()

    world.table.store.drop()
    world.table.store.create()
    world.forget()
    world.run_until(lambda: not world.living(), within=120)

    for worker in fleet:
        assert isinstance(worker.error, LeaseTableError)


def test_a_table_that_went_back_in_time_stops_whoever_notices() -> None:
    world = running_world(workers=2, shards=2)
    fleet = world.living()
    old = world.table.store.save()
    world.run_for(60)

    world.table.store.restore(old)
    world.forget()
    world.run_until(lambda: not world.living(), within=120)

    assert any(isinstance(worker.error, LeaseTableError) for worker in fleet)


def test_a_worker_that_starts_on_a_restored_table_refuses() -> None:
    world = running_world(workers=1, shards=1)
    only = world.living()[0]
    only.stop()
    world.run_until(lambda: not only.alive, within=40)
    saved = world.table.store.save()

    world.table.store.restore(saved, table_id="restored")
    late = world.start_worker()
    world.run_until(lambda: not late.alive, within=60)

    assert isinstance(late.error, LeaseTableError)
