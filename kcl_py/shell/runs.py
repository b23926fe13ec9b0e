"""Which processor objects does this worker have, and which are still running?"""

from __future__ import annotations

from math import inf

from kcl_py.core.commands import CallProcessor, MoveFence, StartRun
from kcl_py.shell.run import Call, ProcessorRun, Surroundings


class Runs:
    """All processor objects of a worker, by run id. Used by the control thread alone."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._runs: dict[int, ProcessorRun] = {}

    def start(self, command: StartRun) -> None:
        """Make a processor object and call `initialize`."""
        self._runs = {run_id: run for run_id, run in self._runs.items() if not run.is_over}
        self._runs[command.run_id] = ProcessorRun(command, self._surroundings)

    def call(self, command: Call) -> None:
        """Call another method of it, when the one under way has returned."""
        self._runs[command.run_id].call(command)

    def move_fence(self, command: MoveFence) -> None:
        """Let a run act until then; it has its effect before this returns."""
        run = self._runs.get(command.run_id)
        if run is not None:
            run.learn(command.durable)
            run.move_fence(command.until)

    def busy_keys(self) -> tuple[str, ...]:
        """Return the lease keys of which user code has not returned from `close` yet."""
        return tuple(sorted({run.key for run in self._runs.values() if not run.is_over}))

    def fence_all(self) -> None:
        """End every epoch now: guards raise from here on, whatever fails on the way."""
        for run in tuple(self._runs.values()):
            try:
                run.move_fence(-inf)
            except BaseException as bug:  # noqa: BLE001 - the fence is ended first of all
                self._surroundings.on_crash("kcl-control", bug)

    def abandon(self, timeout: float) -> tuple[str, ...]:
        """Fence everything and close what returns within so many seconds.

        Returns:
            The lease keys of what has not returned.
        """
        self.fence_all()
        left = [run for run in self._runs.values() if not run.is_over]
        for run in left:
            run.call(CallProcessor(run_id=run.run_id, method="close"))
        share = timeout / max(1, len(left))
        for run in left:
            run.join(share)
        return self.busy_keys()
