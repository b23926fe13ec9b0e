"""Runs with a clock that is moved by hand, and everything they say."""

from __future__ import annotations

import contextvars

from kcl_py.core.commands import Report
from kcl_py.core.events import CheckpointAsked
from kcl_py.processor import ProcessorLike, classify
from kcl_py.shell.async_calls import AsyncCalls
from kcl_py.shell.audit import AuditLog
from kcl_py.shell.checkpoints import CheckpointDesk
from kcl_py.shell.letters import ErrorRules, WriteLetters
from kcl_py.shell.run import Surroundings
from kcl_py.shell.runs import Runs
from tests.shell.tools import STREAM, Crashes, HandClock, Returns

FENCE = 1e6
WALL = 1_764_000_000.0


class World:
    """Runs with a clock moved by hand, and everything they say."""

    def __init__(self, audit: AuditLog | None = None) -> None:
        self.hand = HandClock()
        self.returns = Returns()
        self.reports: list[Report] = []
        self.crashes = Crashes()
        self.asked: list[CheckpointAsked] = []
        self.async_calls = AsyncCalls(self.hand.now, self.crashes)
        self._audit = audit

    def runs(
        self,
        processor: ProcessorLike,
        give_up_on: tuple[type[Exception], ...] = (),
        write_letters: WriteLetters | None = None,
    ) -> Runs:
        return Runs(
            Surroundings(
                app_name="app",
                stream=STREAM,
                worker_id="w-1",
                maker=classify(processor),
                errors=ErrorRules(give_up_on=give_up_on, write_letters=write_letters),
                now=self.hand.now,
                wall=lambda: WALL,
                post=self.returns.post,
                report=self.reports.append,
                desk=CheckpointDesk(self.asked.append),
                async_calls=self.async_calls,
                audit=self._audit,
                on_crash=self.crashes,
                context=contextvars.copy_context(),
            )
        )
