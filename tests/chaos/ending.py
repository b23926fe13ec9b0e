"""Does the fleet recover once nothing goes wrong any more? And does it stop as it should?

Failing at this is a violation like any other: a fleet that keeps its promises by doing nothing is
of no use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kcl_py.cli.demo.fleet import wait_until
from kcl_py.cli.demo.world import World
from kcl_py.cli.errors import OutOfTime
from kcl_py.errors import SetupError
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.chaos.crew import Crew

RECOVERY_SECONDS_MAX: Final = 90.0
CATCH_UP_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 60.0


class Ending:
    """The last minutes of a run, after the faults are off.

    Attributes:
        recovered: Seconds until every shard flowed and the load was even.
        violations: What did not happen in time.
    """

    def __init__(self, world: World, crew: Crew, say: Callable[[str], None]) -> None:
        self._world = world
        self._crew = crew
        self._say = say
        self.recovered: float | None = None
        self.violations: list[str] = []

    def run(self) -> None:
        """Let the fleet recover, catch up, and stop."""
        self._recover()
        self._world.producer.stop()
        self._catch_up()
        self._stop()
        self._look_at_table()

    def _pump(self) -> None:
        if self._crew.look():
            self._crew.fill()
        self._world.pump()

    def _recover(self) -> None:
        self._say("no more faults; waiting until every shard flows and the load is even")
        self._crew.fill()
        since = SYSTEM_CLOCK.now()
        ready = [worker for worker in self._world.workers.values() if worker.child.is_running]
        self._wait(
            lambda: all(worker.worker_id or not worker.child.is_running for worker in ready),
            "every worker is ready",
        )
        self.recovered = self._wait(
            lambda: self._world.is_settled(since) and self._world.is_balanced,
            "every shard is processed by a live worker and the load is even",
        )

    def _catch_up(self) -> None:
        self._say("the producer has stopped; waiting until everything is processed")
        missing = {
            shard: set(map(int, numbers))
            for shard, numbers in self._world.producer.by_shard().items()
        }

        def is_caught_up() -> bool:
            return all(numbers <= self._world.handed[shard] for shard, numbers in missing.items())

        self._wait(is_caught_up, "every record is processed", CATCH_UP_SECONDS_MAX)

    def _stop(self) -> None:
        self._say("stopping the workers")
        for name in self._crew.living:
            self._crew.terminate(name)
        self._wait(self._is_over, "every worker has ended", STOP_SECONDS_MAX)

    def _is_over(self) -> bool:
        self._crew.look()
        return not self._crew.leaving

    def _look_at_table(self) -> None:
        """Who stopped well left nothing behind: no row of its own, and no lease."""
        self._world._looked = float("-inf")
        self._world.look()
        view, stopped = self._world.view, self._crew.stopped
        for worker in view.workers:
            if worker.key in stopped:
                self.violations.append(f"{worker.key} has stopped and left its row behind")
        for row in view.leases:
            if not row.is_finished and not row.is_offered and row.actual_owner in stopped:
                self.violations.append(f"{row.actual_owner} has stopped and still owns {row.key}")

    def _wait(
        self, fact: Callable[[], bool], what: str, timeout: float = RECOVERY_SECONDS_MAX
    ) -> float | None:
        try:
            return wait_until(fact, what, timeout=timeout, pump=self._pump)
        except (OutOfTime, SetupError) as error:
            self.violations.append(f"{error}; {self._where()}")
            return None

    def _where(self) -> str:
        rows = ", ".join(
            f"{row.key[-4:]} of {row.actual_owner} for {row.owner} (counter {row.counter})"
            for row in self._world.view.leases
            if not row.is_finished
        )
        behind = {key: count for key, count in self._world.behind().items() if count}
        return f"living {self._crew.living}; rows {rows}; behind {behind}"
