"""Who runs, and who ended without being told to? The workers of a chaos run."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final

from kcl_py.cli.demo.world import World
from kcl_py.errors import ServiceError, StopTimeout
from tests.chaos.plan import WORKERS_MAX, Plan
from tests.process.fleets import key_of

PROCESSOR: Final = "tests.chaos.processors:make"
EVERYBODY: Final = "*"
AGAIN_SECONDS: Final = 1.0
"""After so long whoever gave up starting is started again, as by any supervisor."""

_GAVE_UP: Final = ServiceError.exit_code


@dataclass(slots=True)
class Crew:
    """Starts workers, and watches them.

    Attributes:
        size: How many are to run.
        plant: A bug that they are started with, as `plants` names it; empty: none.
        frozen: Names of those that are stopped by a signal.
        leaving: When those were told to end who have not ended yet.
        gave_up: How many could not start because of the faults.
        stopped: Ids of those that ended with exit code 0 after they had run.
        violations: Of whoever ended as nobody should.
    """

    world: World
    plan: Plan
    say: Callable[[str], None]
    size: int
    plant: str = ""
    frozen: set[str] = field(default_factory=set)
    leaving: dict[str, float] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)
    gave_up: int = 0
    stopped: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    _hindered: dict[str, float] = field(default_factory=dict)
    _over: set[str] = field(default_factory=set)

    @property
    def living(self) -> list[str]:
        """Names of those that run and are not on their way out, eldest first."""
        return self.world.live

    def start(self) -> None:
        """One more."""
        number = len(self.world.workers)
        name = f"w{number + 1:03}"
        kind = self.plan.processors[number % len(self.plan.processors)]
        duration = self.plan.durations[number % len(self.plan.durations)]
        self.say(f"{name} starts: {kind}, leases of {duration:g} s")
        directory = self.world.settings.directory
        environment = {
            "AWS_ACCESS_KEY_ID": key_of(name),
            "KCL_LEASES_DURATION": f"{duration:g}s",
            "CHAOS_KIND": kind,
            "CHAOS_SEED": f"{self.plan.seed}/{name}",
            "CHAOS_DONE": str(directory / f"{name}.done"),
            "CHAOS_PLANT": self.plant,
        }
        self.world.start_worker(name, environment)

    def fill(self) -> None:
        """Start as many as are missing."""
        there = len(self.living) + len(self.frozen)
        for _ in range(min(self.size, WORKERS_MAX) - there):
            self.start()

    def kill(self, name: str) -> None:
        """`kill -9`; a worker that is frozen dies as well."""
        self.killed.add(name)
        self.frozen.discard(name)
        self.world.kill(name)

    def may_freeze(self, name: str) -> bool:
        """Say whether it would end with us if we were killed: one that just starts would not yet.

        It would sleep for ever.
        """
        return bool(self.world.workers[name].worker_id)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.frozen.add(name)
        self.world.freeze(name)

    def thaw(self, name: str) -> None:
        """SIGCONT; nothing happens if it is not frozen any more."""
        if name in self.frozen:
            self.frozen.discard(name)
            self.world.workers[name].child.send(signal.SIGCONT)
            if name not in self.leaving:
                self.world.thaw(name)

    def terminate(self, name: str) -> None:
        """SIGTERM; it has its grace."""
        self.leaving[name] = self.world.signal(name, signal.SIGTERM, f"SIGTERM {name}")

    def hinder(self, name: str, until: float) -> None:
        """Note that this worker's life is hard up to then; `EVERYBODY` is a name, too.

        A stop in such times may take longer than its grace.
        """
        self._hindered[name] = max(until, self._hindered.get(name, until))

    def look(self) -> bool:
        """See who has become ready and who has ended; returns whether somebody is missing."""
        is_missing = False
        for name, worker in self.world.workers.items():
            if not worker.worker_id:
                worker.worker_id = _read_worker_id(worker.ready_file)
            if name not in self._over and not worker.child.is_running:
                self._over.add(name)
                is_missing |= self._judge_end(name, worker.child.wait())
        return is_missing

    def _judge_end(self, name: str, code: int) -> bool:
        """Whether it ended while it was to run."""
        told_at = self.leaving.pop(name, None)
        was_leaving = told_at is not None
        if name in self.killed:
            return False
        is_ready = bool(self.world.workers[name].worker_id)
        if code == _GAVE_UP and not is_ready and not was_leaving:
            self.say(f"{name} gave up starting")
            self.gave_up += 1
            return True
        allowed = {0} if was_leaving else set()
        if told_at is not None:
            if not is_ready:
                allowed.add(-signal.SIGTERM)  # Python had not got as far as our handlers.
            if told_at < self._hard_until(name):
                allowed.add(StopTimeout.exit_code)
        if code == 0 and is_ready:
            self.stopped.add(self.world.workers[name].worker_id)
        if code not in allowed:
            told = "after SIGTERM" if was_leaving else "without being told to"
            said = self.world.workers[name].child.tail(2)
            self.violations.append(f"{name} ended {told} with exit code {code}: {said}")
        return not was_leaving

    def _hard_until(self, name: str) -> float:
        return max(self._hindered.get(who, -inf) for who in (name, EVERYBODY))


def _read_worker_id(path: Path) -> str:
    """What a worker said when it was ready, even if it has ended since; empty: nothing yet."""
    text = path.read_text() if path.exists() else ""
    return str(json.loads(text)["worker_id"]) if text.endswith("\n") else ""
