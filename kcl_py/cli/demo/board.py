"""What does the demo show while it runs? A board on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from kcl_py.cli.demo.processor import Sum
from kcl_py.cli.options import Output, Shared
from kcl_py.cli.output import console, make_table, say
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Group
    from rich.live import Live

    from kcl_py.cli.demo.world import World

DRAW_SECONDS: Final = 0.25


class Board:
    """Says what is being done, and on a terminal draws who has what.

    Args:
        total: Asked for what the workers have stored so far.
    """

    def __init__(self, shared: Shared, total: Callable[[], Sum]) -> None:
        self._shared = shared
        self._total = total
        self._begun = SYSTEM_CLOCK.now()
        self._drawn = float("-inf")
        self._doing = ""
        self._live: Live | None = None
        self.world: World | None = None
        self._is_drawing = shared.form is Output.TABLE and sys.stdout.isatty()

    def begin(self) -> None:
        """Take the screen, if there is one."""
        if self._is_drawing:
            from rich.live import Live

            out = console(self._shared, sys.stdout)
            self._live = Live(console=out, auto_refresh=False, transient=True)
            self._live.start()

    def end(self) -> None:
        """Give the screen back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, doing: str) -> None:
        """Tell what is being done from now on."""
        self._doing = doing
        if self._live is None:
            say(f"{SYSTEM_CLOCK.now() - self._begun:5.1f} s  {doing}")
        self.draw(at_once=True)

    def draw(self, *, at_once: bool = False) -> None:
        """Draw, unless that was just done."""
        now = SYSTEM_CLOCK.now()
        if self._live is None or (now - self._drawn < DRAW_SECONDS and not at_once):
            return
        self._drawn = now
        self._live.update(self._picture(now), refresh=True)

    def _picture(self, now: float) -> Group:
        from rich.console import Group
        from rich.text import Text

        heading = Text(f"{now - self._begun:5.1f} s  {self._doing}", style="bold")
        if self.world is None:
            return Group(heading)
        world, total = self.world, self._total()
        names = {worker.worker_id: name for name, worker in world.workers.items()}
        behind = world.behind()
        rows = [
            {
                "shard": row.key,
                "owner": names.get(row.actual_owner or "", row.actual_owner),
                "handoff": f"to {names.get(row.owner or '', row.owner)}"
                if row.in_handoff
                else None,
                "state": "finished" if row.is_finished else "offered" if row.is_offered else "open",
                "behind": behind[row.key],
            }
            for row in world.view.leases
        ]
        fleet = "  ".join(
            f"{name}: {len(world.leases_of(name)) if name in world.live else 'gone'}"
            for name in world.workers
        )
        figures = (
            f"{len(world.producer.written)} written   {total.count} stored   "
            f"{world.rate:.0f} records/s   average age {total.average:.2f}"
        )
        table = make_table(rows, ["shard", "state", "owner", "handoff", "behind"], "leases")
        return Group(heading, table, Text(fleet), Text(figures))
