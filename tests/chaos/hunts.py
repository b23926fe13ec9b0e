"""When is a worker in the middle of a handoff? Deeds that wait for that moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kcl_py.cli.demo.world import World
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.chaos.deed import Deed


@dataclass(slots=True)
class Hunts:
    """Deeds that wait, each up to a time; an odd target means the taker, an even one the victim."""

    world: World
    _open: list[tuple[Deed, float]] = field(default_factory=list)

    def begin(self, deed: Deed, until: float) -> None:
        """Let this deed wait."""
        self._open.append((deed, until))

    def end_all(self) -> None:
        """Nobody waits any more."""
        self._open.clear()

    def strikes(self) -> Iterator[tuple[Deed, str]]:
        """Yield the deeds whose moment is now, and whom they strike."""
        if not self._open:
            return
        rows = [row for row in self.world.view.leases if row.in_handoff]
        for hunt in list(self._open):
            deed, until = hunt
            name = self._prey(deed, rows)
            if name is not None or SYSTEM_CLOCK.now() > until:
                self._open.remove(hunt)
            if name is not None:
                yield deed, name

    def _prey(self, deed: Deed, rows: list[LeaseRow]) -> str | None:
        if not rows:
            return None
        row = rows[deed.target % len(rows)]
        worker_id = row.owner if deed.target % 2 else row.checkpoint_owner
        living = self.world.live
        return next(
            (name for name in living if self.world.workers[name].worker_id == worker_id), None
        )
