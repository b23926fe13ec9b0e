"""`kcl demo`: watch a fleet lose workers, take some in, and follow a changing stream."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.demo.board import Board
from kcl_py.cli.demo.processor import DATABASE_VARIABLE, Sum, connect, read_sum
from kcl_py.cli.demo.report import Act, Outcome, show
from kcl_py.cli.errors import ExitCode
from kcl_py.cli.options import Output, Shared

if TYPE_CHECKING:
    from kcl_py.cli.demo.world import World

PROCESSOR: Final = "kcl_py.cli.demo.processor:PeopleAverage"
SHARDS: Final = 4
RECORDS_PER_SECOND: Final = 200.0
FAST_SETTINGS: Final = {"leases.duration": "3s", "leases.settle": "2s"}


def demo(
    shared: Shared,
    *,
    fast: Annotated[
        bool, typer.Option("--fast", help="Leases of 3 s instead of 10: half a minute.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep logs and data, and say where they are.")
    ] = False,
) -> int:
    """Run a fleet on this machine through kill -9, SIGTERM, a join, a split and a merge.

    Everything runs against an engine of our own on 127.0.0.1. Afterwards an auditor accounts for
    every record; the exit code is 0 only if every promise was kept.
    """
    signal.signal(signal.SIGTERM, _end)
    directory = Path(tempfile.mkdtemp(prefix="kcl-demo-"))
    is_fine = False
    try:
        outcome = _perform(shared, directory, fast=fast)
        is_fine = outcome.ok
        _tell(shared, outcome)
    finally:
        if keep or not is_fine:
            sys.stderr.write(f"logs and data are in {directory}\n")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return ExitCode.OK if outcome.ok else ExitCode.CHECK_FAILED


def _end(signum: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + signum)


def _tell(shared: Shared, outcome: Outcome) -> None:
    from kcl_py.cli.output import console, print_json, print_jsonl

    if shared.form is Output.JSON:
        print_json(outcome.to_dict())
    elif shared.form is Output.JSONL:
        print_jsonl([outcome.to_dict()])
    else:
        show(console(shared, sys.stdout), outcome)


@contextlib.contextmanager
def _drawing(board: Board) -> Iterator[None]:
    board.begin()
    try:
        yield
    finally:
        board.end()


def _perform(shared: Shared, directory: Path, *, fast: bool) -> Outcome:
    from kcl_py.cli.demo.world import World, WorldSettings
    from kcl_py.shell.clock import SYSTEM_CLOCK

    begun = SYSTEM_CLOCK.now()
    path = directory / "people.sqlite"
    settings = WorldSettings(
        directory=directory,
        processor=PROCESSOR,
        shards=SHARDS,
        rate=RECORDS_PER_SECOND,
        worker_settings=FAST_SETTINGS if fast else {},
        worker_environment={DATABASE_VARIABLE: str(path)},
    )
    with contextlib.closing(connect(path)) as database:
        board = Board(shared, lambda: read_sum(database))
        with _drawing(board):
            board.say("starting an engine on 127.0.0.1 and a stream of 4 shards")
            with World(settings, board.draw) as world:
                board.world = world
                acts = _Play(world, board).perform()
                return _judge(world, board, acts, database, begun)


def _judge(
    world: World, board: Board, acts: list[Act], database: sqlite3.Connection, begun: float
) -> Outcome:
    from kcl_py.cli.demo.fleet import wait_until
    from kcl_py.shell.clock import SYSTEM_CLOCK

    board.say("the producer stops; waiting until everything is processed")
    world.producer.stop()
    world.wait_caught_up()
    written = Sum(count=len(world.producer.written), ages=world.producer.ages)
    # What was handed over is stored a moment later; a wrong sum shows below.
    with contextlib.suppress(Exception):
        wait_until(lambda: read_sum(database) == written, "all is stored", timeout=10.0)
    board.say("stopping the workers, then auditing")
    exit_codes = world.stop_workers()
    return Outcome(
        acts=acts,
        verdict=world.verdict(),
        stored=read_sum(database),
        written=written,
        exit_codes=exit_codes,
        seconds=SYSTEM_CLOCK.now() - begun,
    )


@dataclass(slots=True)
class _Play:
    """The acts, one after another; each waits for facts."""

    world: World
    board: Board

    def perform(self) -> list[Act]:
        """Start the fleet and do everything to it."""
        world = self.world
        world.producer.start()
        acts = [
            self._act("three workers start", self._start, balanced=True),
            self._act("kill -9 of a worker", lambda: world.kill(self._busiest())),
            self._act("SIGTERM to another", self._terminate),
            self._act("a new worker joins", self._join, balanced=True),
        ]
        halves = world.neighbours()
        split, merged = halves[0][0], halves[-1]
        acts.append(self._act(f"split of {split}", lambda: world.split(split)))
        acts.append(
            self._act(f"merge of {merged[0]} and {merged[1]}", lambda: world.merge(*merged))
        )
        return acts

    def _act(self, name: str, do: Callable[[], object], *, balanced: bool = False) -> Act:
        self.board.say(name)
        do()
        return Act(name=name, settled=round(self.world.wait_settled(balanced=balanced), 2))

    def _start(self) -> None:
        self.world.start_workers("worker-1", "worker-2", "worker-3")

    def _busiest(self) -> str:
        return max(self.world.live, key=lambda name: len(self.world.leases_of(name)))

    def _terminate(self) -> None:
        name = self._busiest()
        self.world.signal(name, signal.SIGTERM, f"SIGTERM {name}")

    def _join(self) -> None:
        self.world.start_workers("worker-4")
