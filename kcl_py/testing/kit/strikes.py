"""How does a process die, freeze or starve in the middle of user code, in the simulated world?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.kit.incidents import CrashAfter, CrashAt, LoseLeaseAfter
from kcl_py.testing.kit.real_run import ProcessDiedError
from kcl_py.testing.sim.faults import CALM

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from kcl_py.testing.kit.incidents import Awakening, LoseLeaseAt
    from kcl_py.testing.kit.real_run import Baton
    from kcl_py.testing.kit.script import Momentary, Sudden
    from kcl_py.testing.sim.run import SimRun
    from kcl_py.testing.sim.worker import SimWorker
    from kcl_py.testing.world import World

MOVE_SECONDS_MAX: Final = 60.0
"""Virtual seconds within which a lease must have moved; a bug of ours otherwise."""

AWAKENING_SECONDS_MAX: Final = 10.0
"""Virtual seconds that a frozen process waits for a new owner who has nothing to process."""

_AWAKENINGS: Final[tuple[Awakening, ...]] = ("taken", "initialized", "processed")


class Strikes:
    """Lets incidents strike the process whose code is on the stack; others take its shards."""

    def __init__(
        self,
        world: World,
        baton: Baton,
        *,
        start_worker: Callable[[], object],
        note: Callable[[str], None],
        rng: random.Random,
    ) -> None:
        self._world = world
        self._baton = baton
        self._start_worker = start_worker
        self._note = note
        self._rng = rng
        self._returned: list[tuple[str, int, str]] = []

    def returned(self, run: SimRun, method: str) -> None:
        """A call of user code has returned."""
        self._returned.append((run.key, run.epoch.token, method))

    def others_awake(self, worker: SimWorker) -> list[SimWorker]:
        """Return those who could take a shard of this worker."""
        living = [other for other in self._world.living() if other is not worker]
        return [other for other in living if not other.is_paused and not other.stopping]

    def between_records(self, run: SimRun, incident: Sudden) -> None:
        """Let an incident strike between two records; may raise ProcessDiedError."""
        match incident:
            case CrashAfter():
                self._die(run)
            case LoseLeaseAfter():
                self._note(f"  {run.worker.worker_id} freezes")
                run.worker.pause()
                self._wait_until_taken(run)
                self._go_on(run)
            case _:
                self._throttle(incident.seconds)

    def at_moment(self, run: SimRun, incident: Momentary) -> None:
        """Let an incident strike at its moment; may raise ProcessDiedError."""
        if isinstance(incident, CrashAt):
            self._die(run, f" at {incident.moment!r}")
        until = self._awakening(incident)
        self._note(f"  {run.worker.worker_id} freezes at {incident.moment!r}")
        run.worker.pause()
        with self._baton.lent():
            self._wait_until_taken(run)
            self._world.heap.run_until(
                self._world.now + AWAKENING_SECONDS_MAX, stop=lambda: self._is_as_far(run, until)
            )
        self._go_on(run)

    def _awakening(self, incident: LoseLeaseAt) -> Awakening:
        return self._rng.choice(_AWAKENINGS) if incident.until is None else incident.until

    def _die(self, run: SimRun, where: str = "") -> NoReturn:
        self._note(f"  {run.worker.worker_id} dies{where}")
        run.worker.kill()
        self._start_worker()
        raise ProcessDiedError

    def _throttle(self, seconds: float) -> None:
        self._note(f"  DynamoDB throttles everything for {seconds:g} s")
        faults = self._world.faults
        faults.faults = replace(CALM, throttled=1.0)

        def end() -> None:
            self._note("  DynamoDB answers again")
            faults.faults = CALM

        self._world.after(seconds, end)

    def _wait_until_taken(self, run: SimRun) -> None:
        # Who has an object of an earlier epoch there cannot begin before that one has closed.
        if not any(not other.open_runs(run.key) for other in self.others_awake(run.worker)):
            self._start_worker()

        def taken() -> bool:
            row = self._world.table.store.read(run.key)
            is_over = not isinstance(row, LeaseRow) or row.is_finished
            return is_over or self._world.owner(run.key) not in (None, run.worker)

        self._world.run_until(taken, within=MOVE_SECONDS_MAX)

    def _is_as_far(self, run: SimRun, until: Awakening) -> bool:
        newer = {
            method
            for key, token, method in self._returned
            if key == run.key and token > run.epoch.token
        }
        match until:
            case "taken":
                return True
            case "initialized":
                return bool(newer)
            case "processed":
                return not newer.isdisjoint(("process_records", "shard_ended"))

    def _go_on(self, run: SimRun) -> None:
        self._note(f"  {run.worker.worker_id} goes on; the lease is lost")
        run.worker.resume()
