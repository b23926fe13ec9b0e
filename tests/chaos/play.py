"""How does one chaos run go, from the first process to the audit?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kcl_py.cli.demo.fleet import wait_until
from kcl_py.cli.demo.world import FACT_SECONDS_MAX, World, WorldSettings
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.chaos.complaints import read_complaints
from tests.chaos.crew import PROCESSOR, Crew
from tests.chaos.done import read_done
from tests.chaos.ending import CATCH_UP_SECONDS_MAX, RECOVERY_SECONDS_MAX, STOP_SECONDS_MAX, Ending
from tests.chaos.hogs import Hogs
from tests.chaos.nemesis import Nemesis
from tests.chaos.plan import Plan
from tests.chaos.report import Outcome
from tests.chaos.troubles import Troubles

EXTRA_SECONDS_MAX = (
    FACT_SECONDS_MAX + 2 * RECOVERY_SECONDS_MAX + CATCH_UP_SECONDS_MAX + STOP_SECONDS_MAX + 60.0
)
"""A run takes at most so much longer than its deeds, whatever happens: starting, ending, audit."""


def play(plan: Plan, directory: Path, say: Callable[[str], None], *, plant: str = "") -> Outcome:
    """Run the plan; afterwards no process is left.

    Args:
        plan: What is done.
        directory: Logs go there.
        say: Told what happens.
        plant: A bug that the workers are started with; empty: none.
    """
    begun = SYSTEM_CLOCK.now()
    settings = WorldSettings(
        directory=directory,
        processor=PROCESSOR,
        shards=plan.shards,
        rate=plan.rate,
        worker_settings=plan.worker_settings,
        engine_flags=plan.engine_flags,
    )
    with World(settings) as world, Hogs() as hogs:
        troubles = Troubles(world.engine, plan.seed)
        crew = Crew(world, plan, say, size=plan.workers, plant=plant)
        nemesis = Nemesis(world, plan, crew, troubles, hogs, say)
        ending = Ending(world, crew, say)
        world.producer.start()
        crew.fill()
        if not plan.cold:
            _wait_until_well(world, crew)
        nemesis.run()
        nemesis.heal()
        ending.run()
        return Outcome(
            seed=plan.seed,
            seconds=SYSTEM_CLOCK.now() - begun,
            verdict=world.verdict(),
            deeds=nemesis.done,
            left_out=nemesis.left_out,
            struck=troubles.struck,
            requests=_requests(world),
            workers=len(world.workers),
            gave_up=crew.gave_up,
            recovered=ending.recovered,
            done=read_done(directory.glob("*.done")),
            written=world.producer.by_shard(),
            others=[
                *crew.violations,
                *ending.violations,
                *read_complaints(sorted(worker.child.log for worker in world.workers.values())),
            ],
        )


def _wait_until_well(world: World, crew: Crew) -> None:
    """A fleet in good health, under load."""
    since = SYSTEM_CLOCK.now()

    def is_well() -> bool:
        crew.look()
        return world.is_settled(since) and world.is_balanced

    wait_until(is_well, "the fleet has started", timeout=FACT_SECONDS_MAX, pump=world.pump)


def _requests(world: World) -> int:
    return sum(
        count
        for operations in world.engine.requests().values()
        for outcomes in operations.values()
        for count in outcomes.values()
    )
