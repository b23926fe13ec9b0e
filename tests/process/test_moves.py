"""Do real workers keep every promise while leases move?

Small fleets at D = 3 s, judged by the auditor.
"""

from __future__ import annotations

import signal
from pathlib import Path

from kcl_py.cli.demo.fleet import wait_until
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.process.fleets import finish, fleet, gaps_after, join

LIVELY = 30.0
"""Seconds within which a fleet at D = 3 s recovers from anything; generous."""


def test_kill_minus_nine_loses_nothing(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        world.kill("a")
        world.wait_settled(timeout=LIVELY)
        verdict = finish(world)

    assert len(gaps_after(verdict, "kill")) == 2


def test_sigterm_hands_over_without_duplicates(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        world.signal("a", signal.SIGTERM, "SIGTERM a")
        assert world.workers["a"].child.wait() == 0
        world.wait_settled(timeout=LIVELY)
        verdict = finish(world)

    moves = [t for t in verdict.takeovers if (t.fault or "").startswith("SIGTERM a")]
    assert len(gaps_after(verdict, "SIGTERM a")) == 2
    assert all(move.clean for move in moves)
    assert verdict.duplicates == 0


def test_a_frozen_worker_delivers_nothing_more_and_comes_back(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        frozen = world.workers["a"].worker_id
        old = {row.key: row.counter for row in world.view.leases if row.owner == frozen}
        world.freeze("a")
        world.wait_settled(timeout=LIVELY)
        thawed_at = SYSTEM_CLOCK.now()
        world.thaw("a")
        world.wait_settled(balanced=True, timeout=LIVELY)
        verdict = finish(world)

    assert len(gaps_after(verdict, "SIGSTOP")) == len(old) == 2
    again = [t for t in verdict.takeovers if t.new_worker == frozen and t.at > thawed_at]
    assert again, "it takes part again, in epochs of its own"


def test_a_join_under_load_moves_only_what_it_must(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b", shards=6) as world:
        join(world, "c")
        world.wait_settled(balanced=True, timeout=LIVELY)
        counts = sorted(len(world.leases_of(name)) for name in world.live)
        verdict = finish(world)

    assert counts == [2, 2, 2]
    newcomer = [t for t in verdict.takeovers if t.new_worker.startswith("c-")]
    assert len(newcomer) == 2
    assert verdict.duplicates == 0


def test_children_follow_their_parents_through_a_split_and_a_merge(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        (left, _), (_, _), merged = world.neighbours()
        world.split(left)
        world.merge(*merged)
        world.wait_settled(balanced=True, timeout=LIVELY)
        finished = {row.key for row in world.view.leases if row.is_finished}
        verdict = finish(world)

    assert finished == {left, *merged}
    assert len(verdict.starts) == 3
    assert verdict.duplicates == 0


def test_a_worker_that_is_told_to_end_twice_ends_at_once(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as world:
        world.freeze("a")
        child = world.workers["a"].child
        child.send(signal.SIGTERM)
        child.send(signal.SIGINT)
        child.send(signal.SIGCONT)
        wait_until(lambda: not child.is_running, "a has ended", timeout=LIVELY)
        world.wait_settled(timeout=LIVELY)
        world.producer.stop()
        world.wait_caught_up()
        world.stop_workers()
        assert list(world.verdict().violations) == []
        assert child.process.returncode in (0, 130, 143, -signal.SIGINT, -signal.SIGTERM)
