"""How does a test run a real fleet.

And what must hold of it in the end, whatever was done to it?
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kcl_py.cli.demo.world import World, WorldSettings
from kcl_py.testing.audit.auditor import Verdict

PROCESSOR = "tests.process.processors:Reader"
FAST = {"leases.duration": "3s", "leases.settle": "2s"}
SLOW = {"leases.duration": "10s"}


@contextmanager
def fleet(
    directory: Path,
    *names: str,
    shards: int = 4,
    rate: float = 100.0,
    settings: Mapping[str, str] = FAST,
    limits: bool = True,
) -> Iterator[World]:
    """Run an engine, a producer and workers that share all shards; faults begin only after that."""
    made = WorldSettings(
        directory=directory,
        processor=PROCESSOR,
        shards=shards,
        rate=rate,
        worker_settings=settings,
        engine_flags=() if limits else ("--no-limits",),
    )
    with World(made) as world:
        world.producer.start()
        for name in names:
            world.start_worker(name, {"AWS_ACCESS_KEY_ID": key_of(name)})
        for name in names:
            world.workers[name].wait_ready()
        world.wait_settled(balanced=True)
        yield world


def join(world: World, *names: str) -> None:
    """Start more workers, each with an access key of its own, and wait until each runs."""
    for name in names:
        world.start_worker(name, {"AWS_ACCESS_KEY_ID": key_of(name)})
    for name in names:
        world.workers[name].wait_ready()


def key_of(name: str) -> str:
    """Return the access key id by which the engine tells this worker from the others."""
    return f"AKID{name.replace('-', '').upper()}"


def finish(world: World) -> Verdict:
    """Stop everything, and check what must hold whatever happened.

    Nothing lost, order, one owner.
    """
    world.producer.stop()
    world.wait_caught_up()
    codes = world.stop_workers()
    verdict = world.verdict()
    assert set(codes.values()) == {0}, codes
    assert list(verdict.violations) == []
    assert verdict.written > 0
    assert verdict.duplicates_of_clean_moves == 0
    return verdict


def gaps_after(verdict: Verdict, cause: str) -> list[float]:
    """Return the seconds from a fault to the first act of the next owner.

    Per shard, and note them.
    """
    found = [
        takeover.since_fault
        for takeover in verdict.takeovers
        if takeover.fault is not None
        and takeover.fault.startswith(cause)
        and takeover.since_fault is not None
    ]
    note(cause, found)
    return found


def note(kind: str, seconds: list[float]) -> None:
    """Keep times for whoever asked for them; tests judge times only under `-m bounds`."""
    path = os.environ.get("KCL_TIMES_FILE")
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps({"kind": kind, "seconds": seconds}) + "\n")
