"""On which event loop does async user code run? On one for each simulated process."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


class InsideLoopError(RuntimeError):
    """An async processor cannot be run: the caller is on an event loop itself."""


class Loops:
    """The loops of all simulated processes; of all code one call at a time goes on."""

    def __init__(self) -> None:
        self._loops: dict[str, asyncio.AbstractEventLoop] = {}

    def run(self, worker_id: str, call: Coroutine[object, object, None]) -> None:
        """Run a call of user code to its end, on the loop of its process.

        Raises:
            InsideLoopError: A loop that is none of these is running here.
        """
        if worker_id not in self._loops:
            self._loops[worker_id] = asyncio.new_event_loop()
        loop = self._loops[worker_id]
        try:
            around = asyncio.get_running_loop()
        except RuntimeError:
            loop.run_until_complete(call)
            return
        if around in self._loops.values():
            # The process around is frozen. A thread may run one loop only, so here is another.
            with ThreadPoolExecutor(1, "kcl-simulated") as beside:
                beside.submit(copy_context().run, loop.run_until_complete, call).result()
            return
        call.close()
        raise InsideLoopError(
            "run_processor runs async processors on a loop of its own; call it from a plain "
            "function, or as `await asyncio.to_thread(run_processor, ...)`"
        )

    def close(self) -> None:
        """Nothing runs any more."""
        for loop in self._loops.values():
            loop.close()
