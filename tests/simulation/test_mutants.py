"""Planted bugs in the production core: each breaks one rule of the protocol and must be caught."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import pytest

from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.leases import writes
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.mutants import command
from kcl_py.testing.mutants.hunt import Hunt, hunt
from kcl_py.testing.mutants.mutant import ASSERTION, Mutant, Patches
from kcl_py.testing.mutants.registry import MUTANTS, named
from kcl_py.testing.mutants.table import BEGIN, END, markdown, plain, write_into
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.world import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "mutants.md"

SEEN_BY_ONE_ONLY = [
    ("I1", "a wall clock that jumps is ignored"),
    ("I2", "a call returns before it is durable"),
    ("I3", "the old token after a late cancel"),
    ("I4", "a child that waits for nobody"),
    ("I5", "children created after SHARD_END"),
    ("I6", "no look into the index"),
    ("I7", "the maximum is not looked at"),
    ("I8", "a shard is read as fast as it answers"),
    ("I9", "listed before scanned"),
    ("I10", "a lease without its last position"),
    ("I11", "budget ignores in-flight pages"),
]
"""For every invariant a bug that no other sees in the same worlds."""


def cells() -> list[list[str]]:
    """The table of the page, without its head."""
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return [line.removeprefix("| ").split(" | ") for line in table.splitlines()[3:]]


@functools.cache
def caught(name: str) -> Hunt:
    """One hunt for each bug, which begins with the world that caught it when the page was written.

    If that world does not catch it any more, all others follow.
    """
    [took] = [int(row[5]) for row in cells() if row[0] == name]
    return hunt(named(name), first=took - 1)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught_within_its_seeds(mutant: Mutant) -> None:
    found = caught(mutant.name)

    assert found.seed is not None
    assert found.seed < mutant.within
    assert found.invariant in mutant.caught_by


@pytest.mark.parametrize(("invariant", "name"), SEEN_BY_ONE_ONLY, ids=lambda value: value)
def test_a_planted_bug_survives_when_its_checker_is_turned_off(invariant: str, name: str) -> None:
    mutant, found = named(name), caught(name)
    assert found.invariant == invariant
    assert found.seed is not None

    with mutant.planted():
        seen = mutant.arena.run(found.seed)
        unseen = mutant.arena.run(found.seed, muted=(invariant,))

    assert isinstance(seen.failure, ViolationError)
    assert unseen.failure is None


def test_there_are_bugs_for_every_section_and_every_invariant() -> None:
    sections = {mutant.rule[0] for mutant in MUTANTS}
    invariants = {invariant for mutant in MUTANTS for invariant in mutant.caught_by}

    assert len(MUTANTS) >= 36
    assert sections >= set("1234567")
    assert invariants - {ASSERTION} == {f"I{number}" for number in range(1, 12)}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_says_what_goes_wrong_and_leaves_nothing_behind(mutant: Mutant) -> None:
    before: dict[tuple[object, str], object] = {}

    class Noting(Patches):
        def put(self, owner: object, name: str, value: object) -> None:
            before.setdefault((owner, name), vars(owner).get(name))
            super().put(owner, name, value)

    patches = Noting()
    mutant.plant(patches)
    planted = {place: vars(place[0]).get(place[1]) for place in before}
    patches.restore()

    assert before
    assert all(planted[place] is not old for place, old in before.items())
    assert all(vars(owner).get(name) is old for (owner, name), old in before.items())
    assert mutant.why.endswith(".")


def test_what_is_not_there_cannot_be_replaced() -> None:
    patches = Patches()

    with pytest.raises(AssertionError, match="the core has changed"):
        patches.put(Holding, "no_such_thing", None)


def test_the_page_tells_of_every_planted_bug() -> None:
    assert [row[0] for row in cells()] == [mutant.name for mutant in MUTANTS]
    assert "SURVIVED" not in [row[3] for row in cells()]


def test_a_hunt_that_begins_in_the_wrong_world_goes_on_in_all_others() -> None:
    mutant = named("take on whatever the read shows")
    found = hunt(mutant)

    begun_elsewhere = hunt(mutant, first=mutant.within - 1)

    assert found.seed not in {None, mutant.within - 1}
    assert not begun_elsewhere.survived
    assert hunt(mutant, first=found.seed).seeds == 1


def hunted(name: str, *, seed: int | None) -> Hunt:
    return Hunt(
        name=name,
        seed=seed,
        invariant="" if seed is None else "I1",
        message="",
        seeds=3,
        virtual_seconds=12.4,
        real_seconds=0.1,
    )


def test_the_table_says_who_survived(tmp_path: Path) -> None:
    first, second = MUTANTS[0].name, MUTANTS[1].name
    hunts = [hunted(first, seed=2), hunted(second, seed=None)]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    write_into(page, hunts)

    text = page.read_text(encoding="utf-8")
    assert text == f"before\n{BEGIN}\n{markdown(hunts)}\n{END}\nafter\n"
    assert f"| {second} |" in text
    assert "SURVIVED" in plain(hunts)


def test_a_page_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n", encoding="utf-8")

    with pytest.raises(ValueError, match="missing"):
        write_into(page, [])

    assert page.read_text(encoding="utf-8") == "nothing here\n"


def run_command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_the_command_fails_if_one_survives(capsys: pytest.CaptureFixture[str]) -> None:
    caught = ["--only", "shared worker id", "--jobs", "1"]

    assert run_command(*caught) == 0
    assert "0 survived" in capsys.readouterr().out
    assert run_command(*caught, "--within-max", "0") == 1
    assert "SURVIVED" in capsys.readouterr().out


def test_the_command_knows_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("--only", "no such bug") == 2
    assert "no such bug" in capsys.readouterr().err


def test_a_bug_that_breaks_no_world_survives() -> None:
    harmless = MUTANTS[0].__class__(
        name="harmless",
        rule="none",
        plant=lambda patches: patches.put(writes, "take", writes.take),
        caught_by=("I1",),
        within=1,
        arena=named("a take that leaves the counter").arena,
    )

    assert hunt(harmless).survived


def test_another_duration_in_the_row_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a worker with a short duration takes from one with a long one, who is alive."""
    monkeypatch.setattr(LeaseRow, "wait_seconds", lambda self, own: own)
    world = World(workers=0, shards=1)
    patient = world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=20.0)))
    world.put_steadily(5)
    world.run_for(10)
    world.start_worker(config=WorkerConfig(leases=LeaseConfig(duration=3.0)))

    with pytest.raises(ViolationError, match="I1"):
        world.run_for(20)

    assert patient.alive
