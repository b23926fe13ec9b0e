"""Do real workers keep every promise on their hardest days?

Under `-m process`: these take minutes together.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kcl_py.cli.demo.fleet import wait_until
from tests.process.fleets import finish, fleet, gaps_after, join, key_of

pytestmark = pytest.mark.process

PATIENCE = 90.0
"""Seconds; a bound that only a fault of ours reaches."""


def test_a_chain_of_splits_while_a_worker_dies(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b", "c", shards=2) as world:
        for number in range(4):
            world.split(world.neighbours()[0][0])
            if number == 1:
                world.kill("a")
        world.wait_settled(balanced=True, timeout=PATIENCE)
        verdict = finish(world)

    assert len(verdict.starts) == 8


def test_a_worker_that_is_cut_off_from_dynamodb_only_fences_itself(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        cut = {"kind": "cut", "service": "dynamodb", "source": key_of("a")}
        owned = len(world.leases_of("a"))
        world.engine.set_faults([cut])
        others = {world.workers["b"].worker_id}
        wait_until(
            lambda: {row.owner for row in world.view.leases} == others,
            "the other worker has everything",
            timeout=PATIENCE,
            pump=world.pump,
        )
        world.engine.set_faults([])
        world.wait_settled(balanced=True, timeout=PATIENCE)
        verdict = finish(world)

    from_a = [t for t in verdict.takeovers if t.old_worker.startswith("a-")]
    assert len(from_a) >= owned == 2


def test_throttled_dynamodb_costs_time_but_no_lease(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        before = {row.key: row.owner for row in world.view.leases}
        throttle = {"kind": "throttle", "service": "dynamodb", "probability": 0.4}
        rules = [throttle | {"source": key_of(name)} for name in world.live]
        world.engine.set_faults(rules, seed=7)
        handed = sum(map(len, world.handed.values()))
        wait_until(
            lambda: sum(map(len, world.handed.values())) > handed + 1000,
            "a thousand more records are processed",
            timeout=PATIENCE,
            pump=world.pump,
        )
        world.engine.set_faults([])
        world.wait_settled(timeout=PATIENCE)
        assert {row.key: row.owner for row in world.view.leases} == before
        verdict = finish(world)

    assert verdict.duplicates == 0


def test_writes_that_apply_while_their_answers_are_lost(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        lost = {
            "kind": "lost",
            "service": "dynamodb",
            "operations": ["UpdateItem", "DeleteItem"],
            "probability": 0.3,
        }
        world.engine.set_faults([lost], seed=11)
        join(world, "c")
        world.wait_settled(balanced=True, timeout=PATIENCE)
        world.signal("a", signal.SIGTERM, "SIGTERM a")
        assert world.workers["a"].child.wait() == 0
        world.wait_settled(balanced=True, timeout=PATIENCE)
        world.engine.set_faults([])
        verdict = finish(world)

    assert len(gaps_after(verdict, "SIGTERM a")) >= 1


def test_twelve_workers_start_at_once_on_64_shards(tmp_path: Path) -> None:
    names = [f"w{number:02}" for number in range(12)]
    with fleet(tmp_path, *names, shards=64, rate=300.0) as world:
        counts = [len(world.leases_of(name)) for name in names]
        verdict = finish(world)

    assert sum(counts) == 64
    assert max(counts) - min(counts) <= 1
    assert verdict.duplicates == 0


def test_a_rolling_deploy_of_four_workers(tmp_path: Path) -> None:
    with fleet(tmp_path, "a1", "a2", "a3", "a4", shards=8) as world:
        for number in range(1, 5):
            join(world, f"b{number}")
            world.signal(f"a{number}", signal.SIGTERM, f"SIGTERM a{number}")
            assert world.workers[f"a{number}"].child.wait() == 0
        world.wait_settled(balanced=True, timeout=PATIENCE)
        verdict = finish(world)

    assert verdict.duplicates == 0
    owners = {t.new_worker for t in verdict.takeovers}
    assert any(owner.startswith("b4") for owner in owners)


def test_a_table_deleted_under_a_fleet_stops_every_worker(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        world.dynamodb.delete_table(TableName=world.app)
        codes = [world.workers[name].child.wait(PATIENCE) for name in ("a", "b")]
        tails = [world.workers[name].child.tail(3) for name in ("a", "b")]
        world.producer.stop()
        world._scan = None
        violations = [v for v in world.verdict().violations if "never handed over" not in v]

    assert codes == [4, 4]
    assert all("vanished" in tail for tail in tails), tails
    assert violations == []
