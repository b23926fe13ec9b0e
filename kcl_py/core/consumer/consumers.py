"""Which shards does this worker consume, and whom does an event concern?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcl_py.core.commands import AnswerCheckpoint
from kcl_py.core.consumer.budget import Budget
from kcl_py.core.consumer.counting import tally_call
from kcl_py.core.consumer.machine import ShardMachine
from kcl_py.core.consumer.pacing import Pacing
from kcl_py.core.consumer.shown import problem_of, status_of
from kcl_py.core.consumer.states import State
from kcl_py.core.consumer.tools import Tools
from kcl_py.core.events import CallReturned, CheckpointAsked
from kcl_py.errors import LeaseLost

if TYPE_CHECKING:
    from random import Random

    from kcl_py.config import WorkerConfig
    from kcl_py.core.calls import Calls
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.ports import Epoch, LeasePort
    from kcl_py.core.tallies import Tallies
    from kcl_py.core.timers import Timers
    from kcl_py.status import ShardStatus


class Consumers:
    """The consumers of all shards that this worker holds; what the lease side talks to.

    Args:
        leases: The lease side; may be set later, as the two know each other.
    """

    def __init__(
        self,
        *,
        config: WorkerConfig,
        calls: Calls,
        timers: Timers,
        rng: Random,
        leases: LeasePort | None = None,
    ) -> None:
        self._tools = Tools(
            config=config,
            calls=calls,
            timers=timers,
            rng=rng,
            budget=Budget(config.delivery.buffer_bytes),
            port=leases,
        )
        self._machines: dict[str, ShardMachine] = {}
        self._pacings: dict[str, Pacing] = {}

    @property
    def leases(self) -> LeasePort | None:
        """The lease side."""
        return self._tools.port

    @leases.setter
    def leases(self, leases: LeasePort) -> None:
        self._tools.port = leases

    # ------------------------------------------------------------------- told by the lease side

    def begin(self, now: float, epoch: Epoch, *, waits_for_parents: bool) -> None:
        """A lease is ours."""
        key = epoch.row.key
        assert not self.is_running(key), "user code of an earlier epoch still runs"
        self._begin(now, epoch, waits_for_parents=waits_for_parents)
        self._serve(now)

    def parents_done(self, now: float, key: str, token: int) -> None:
        """Every parent is finished."""
        if key in self._machines:
            self._machines[key].parents_done(now, token)
            self._serve(now)

    def fence_moved(self, now: float, key: str, fence: float) -> None:
        """A renewal succeeded."""
        if key in self._machines and now < fence:
            self._machines[key].fence_moved(fence)

    def durable(self, now: float, key: str, row: LeaseRow) -> None:
        """A write of ours succeeded."""
        if key in self._machines:
            self._machines[key].durable(now, row)
            self._serve(now)

    def checkpoint_failed(self, now: float, key: str, *, throttled: bool) -> None:
        """An urgent write got no answer within its budget."""
        del now
        if key in self._machines:
            self._machines[key].checkpoints.failed(throttled=throttled)

    def drain(self, now: float, key: str, reason: Literal["stop", "handoff"]) -> None:
        """Stop the consumer of this shard; `drained` follows."""
        if key in self._machines:
            self._machines[key].drain(now, reason)
            self._serve(now)

    def resume(self, now: float, key: str, epoch: Epoch | None) -> None:
        """The handoff was cancelled."""
        machine = self._machines.get(key)
        if epoch is None:
            if machine is not None:
                machine.resume(now)
        elif machine is not None and machine.run is not None:
            machine.next_epoch = epoch
        else:
            self._begin(now, epoch, waits_for_parents=False)
        self._serve(now)

    def lose(self, now: float, key: str, why: str) -> None:
        """The lease is not ours any more."""
        if key in self._machines:
            self._machines[key].lose(now, why)
            self._serve(now)

    def children_created(self, now: float, key: str) -> None:
        """The child leases exist."""
        if key in self._machines:
            self._machines[key].children_created(now)

    def is_running(self, key: str) -> bool:
        """Say whether a processor object of this shard has not been closed yet."""
        machine = self._machines.get(key)
        return machine is not None and machine.run is not None

    def has_shutdown_begun(self, key: str) -> bool:
        """Say whether `shutdown_requested` was already called in this epoch."""
        machine = self._machines.get(key)
        return machine is not None and machine.has_shutdown_begun

    # ------------------------------------------------------------------------ told by user code

    def on_event(self, now: float, event: CallReturned | CheckpointAsked) -> None:
        """User code returned, or asks for a checkpoint."""
        machine = self._of_run(event.run_id)
        if isinstance(event, CheckpointAsked):
            if machine is None or not machine.asked(now, event):
                key = machine.key if machine is not None else None
                lost = LeaseLost(lease_key=key)
                self._tools.calls.emit(AnswerCheckpoint(event.request_id, None, lost))
        elif machine is not None:
            tally_call(self._tools.tallies.at(machine.key), now, machine, event)
            machine.returned(now, event)
        self._serve(now)

    # -------------------------------------------------------------------------------------- status

    def status(self, now: float) -> dict[str, ShardStatus]:
        """Return the shards in work, by lease key; one that is being given away is not."""
        return {
            key: status_of(machine, now)
            for key, machine in self._machines.items()
            if machine.state is not State.DRAINED
        }

    @property
    def tallies(self) -> Tallies:
        """What was done for each shard."""
        return self._tools.tallies

    def problems(self) -> dict[str, str]:
        """Return why somebody should look, by lease key; empty if all is well."""
        found = {key: problem_of(machine) for key, machine in self._machines.items()}
        return {key: why for key, why in found.items() if why is not None}

    @property
    def is_healthy(self) -> bool:
        """Nobody needs to look."""
        return not self.problems()

    @property
    def buffered_bytes(self) -> int:
        """Bytes of all pages that have arrived and are not processed."""
        return self._tools.budget.buffered_bytes

    # ------------------------------------------------------------------------------------- inside

    def _begin(self, now: float, epoch: Epoch, *, waits_for_parents: bool) -> None:
        key = epoch.row.key
        tools = self._tools
        if key not in self._pacings:
            self._pacings[key] = Pacing(tools.config.reading, tools.rng)
        machine = ShardMachine(tools, epoch, self._pacings[key], self._closed, self._serve)
        self._machines[key] = machine
        machine.begin(now, waits_for_parents=waits_for_parents)

    def _closed(self, now: float, machine: ShardMachine) -> None:
        """There is no processor object any more: whose move is it now?"""
        key, leases = machine.key, self._tools.leases
        if machine.state is State.ENDED:
            self._machines.pop(key, None)
            if not machine.is_lost:
                leases.ended(now, key)
            elif machine.was_cut_off:
                leases.code_returned(now, key)
        elif machine.next_epoch is not None:
            self._begin(now, machine.next_epoch, waits_for_parents=False)
        else:
            leases.drained(now, key)

    def _of_run(self, run_id: int) -> ShardMachine | None:
        machine = self._machines.get(self._tools.runs.get(run_id, ""))
        if machine is None or machine.run is None or machine.run.run_id != run_id:
            return None
        return machine

    def _serve(self, now: float) -> None:
        """Let shards read that waited for memory."""
        while (key := self._tools.budget.next_in_line()) is not None:
            if key in self._machines:
                self._machines[key].pump(now)
