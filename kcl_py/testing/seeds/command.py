"""What does `simulate` do? Search many seeds, do one again, cut one down."""

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kcl_py._words import counted
from kcl_py.testing.progress import bar
from kcl_py.testing.seeds.plans import draw_plan, dump_plan, load_plan
from kcl_py.testing.seeds.search import search
from kcl_py.testing.seeds.shrink import shrink
from kcl_py.testing.seeds.simulate import simulate_plan
from kcl_py.testing.seeds.transcript import transcript

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from kcl_py.testing.seeds.plans import Plan
    from kcl_py.testing.seeds.search import Result

_FRESH_MAX: Final = 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options there are."""
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument(
        "--first", type=int, default=0, help="the first seed (0); -1: a fresh one, which is printed"
    )
    jobs = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=jobs, help=f"processes that search ({jobs})")
    parser.add_argument("--digests", action="store_true", help="print a hash of each seed's log")
    parser.add_argument(
        "--replay", metavar="SEED|FILE", help="do one seed again, or a plan from a file, and tell"
    )
    parser.add_argument("--key", help="with --replay: only what concerns this lease")
    parser.add_argument("--transcript", type=Path, metavar="FILE", help="with --replay: save one")
    parser.add_argument("--shrink", action="store_true", help="with --replay: cut it down first")
    parser.add_argument("--save", type=Path, metavar="FILE", help="with --replay: save the plan")


def run(options: argparse.Namespace) -> int:
    """Return 1 if a promise was broken."""
    if options.replay is not None:
        return _replay(options)
    return _search(options)


def _replay(options: argparse.Namespace) -> int:
    plan = _plan_of(options.replay)
    if options.shrink:
        plan = _shrink(plan)
    outcome = simulate_plan(plan)
    if options.save is not None:
        options.save.write_bytes(dump_plan(plan) + b"\n")
    if options.transcript is not None:
        options.transcript.write_text(transcript(outcome))
    _say(outcome.world.trace.text(key=options.key))
    if outcome.failure is None:
        _say(f"seed {plan.seed} kept all promises: {counted(outcome.events, 'event')}")
        return 0
    _say("".join(traceback.format_exception(outcome.failure)).rstrip())
    return 1


def _plan_of(text: str) -> Plan:
    return draw_plan(int(text)) if text.isdecimal() else load_plan(Path(text).read_bytes())


def _shrink(plan: Plan) -> Plan:
    def tell(runs: int, smaller: Plan) -> None:
        scale = smaller.scale
        sys.stderr.write(
            f"{counted(runs, 'run')}: {counted(len(smaller.deeds), 'deed')},"
            f" {counted(scale.workers, 'worker')}, {counted(scale.shards, 'shard')},"
            f" {scale.plague:.0f} s\n"
        )

    try:
        return shrink(plan, progress=tell).outcome.plan
    except ValueError as nothing_to_do:
        sys.stderr.write(f"{nothing_to_do}\n")
        return plan


def _search(options: argparse.Namespace) -> int:
    first = options.first
    if first < 0:
        first = random.SystemRandom().randrange(_FRESH_MAX)
    began = time.monotonic()  # noqa: TID251 - how long people waited
    results: list[Result] = []
    with bar("seeds", options.seeds) as progress:
        seeds = range(first, first + options.seeds)
        found = search(seeds, jobs=options.jobs, with_digest=options.digests, progress=progress)
        for result in found:
            results.append(result)
            _tell(result, with_digest=options.digests)
    failed = sum(result.verdict is not None for result in results)
    took = time.monotonic() - began  # noqa: TID251
    searched = counted(len(results), "seed")
    _say(f"{searched} from {first}, {failed} failed; {_amounts(results)}; {took:.0f} s")
    return 1 if failed else 0


def _tell(result: Result, *, with_digest: bool) -> None:
    if with_digest:
        _say(f"seed {result.seed}: {result.digest}")
    if result.verdict is not None:
        _say(f"seed {result.seed}: {result.message}")
        _say(f"    python -m kcl_py.testing simulate --replay {result.seed}")


def _amounts(results: Sequence[Result]) -> str:
    count = max(1, len(results))
    seconds = sum(result.seconds for result in results)
    events = sum(result.events for result in results)
    workers = sum(result.workers for result in results) / count
    shards = sum(result.shards for result in results) / count
    return (
        f"{counted(round(seconds), 'virtual second')}, {counted(events, 'event')};"
        f" at the start {workers:.1f} workers"
        f" and {shards:.1f} shards on average"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
