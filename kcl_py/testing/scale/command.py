"""Which flags has `scale`, and in which order does it work?"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.testing.progress import bar
from kcl_py.testing.scale import report
from kcl_py.testing.scale.cpu import busy_with
from kcl_py.testing.scale.figures import SIZES, Row, Size, simulate
from kcl_py.testing.scale.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BUDGET_SECONDS = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `scale`."""
    sizes = " ".join(f"{workers}x{shards}" for workers, shards in SIZES)
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=_size,
        default=list(SIZES),
        metavar="WxN",
        help=f"workers x shards ({sizes})",
    )
    parser.add_argument(
        "--scenarios",
        nargs="+",
        choices=list(SCENARIOS),
        default=list(SCENARIOS),
        metavar="NAME",
        help=f"one or more of: {', '.join(SCENARIOS)} (all)".replace("%", "%%"),
    )
    parser.add_argument("--seed", type=int, default=1, help="of every run (1)")
    parser.add_argument(
        "--budget",
        type=float,
        default=BUDGET_SECONDS,
        metavar="SECONDS",
        help=f"wall-clock time after which rows are left out ({BUDGET_SECONDS:g})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables into this page as well"
    )


_WORKERS_MIN = 3
"""A third of the workers is at least one."""


def _size(text: str) -> Size:
    workers, times, shards = text.partition("x")
    if not times or not workers.isdigit() or not shards.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write workers x shards: 20x500")
    if int(workers) < _WORKERS_MIN or int(shards) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is too small: at least {_WORKERS_MIN} workers and 1 shard"
        )
    return int(workers), int(shards)


def run(options: argparse.Namespace) -> int:
    """Simulate, and print what came out."""
    now = SYSTEM_CLOCK.now
    began = now()
    rows = simulate_all(
        options.sizes,
        options.scenarios,
        seed=options.seed,
        clock=now,
        until=began + options.budget,
    )
    busy = [busy_with(size) for size in options.sizes]
    if options.json:
        sys.stdout.write(json.dumps(report.as_json(rows, busy), indent=1) + "\n")
    else:
        sys.stdout.write(report.text(rows, busy) + "\n")
    if options.markdown is not None:
        how = f"Seed {options.seed}, {now() - began:.0f} s of wall-clock time on one core."
        page = options.markdown.read_text("utf-8") if options.markdown.exists() else ""
        generated = report.markdown(rows, busy, how)
        options.markdown.write_text(report.put_into(page, generated), "utf-8")
    return 0


def simulate_all(
    sizes: Sequence[Size],
    scenarios: Sequence[str],
    *,
    seed: int,
    clock: Callable[[], float],
    until: float,
) -> list[Row]:
    """Simulate every scenario at every size, the cheap ones first; the order of the rows stays.

    A row may use a third of what is left of the budget, so that one cannot starve all others.
    """
    rows: dict[tuple[str, Size], Row] = {}
    wanted = [(scenario, size) for size in sizes for scenario in scenarios]
    with bar("scale", len(wanted)) as progress, _no_collector():
        for done, (scenario, size) in enumerate(sorted(wanted, key=_cost)):
            progress(done, f"{size[0]:,} x {size[1]:,}: {scenario}")
            share = clock() + max(0.0, until - clock()) / 3
            rows[scenario, size] = simulate(size, scenario, seed=seed, clock=clock, until=share)
            gc.collect()
    return [rows[scenario, size] for size in sizes for scenario in scenarios]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Do not look for cycles while it runs: that walks through every row again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _cost(wanted: tuple[str, Size]) -> tuple[bool, int]:
    """Return what orders runs by how long they take, roughly."""
    scenario, (workers, shards) = wanted
    return scenario not in _SHORT, workers * shards


_SHORT = frozenset({"steady", "join of 1", "kill of 1", "stop of 1"})
"""Those in which little moves: they come first, at every size."""
