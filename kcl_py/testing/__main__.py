"""Which seeds keep all promises? `python -m kcl_py.testing simulate --seeds 1000`."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import TYPE_CHECKING

from kcl_py.testing.seeds import simulate

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run seeds; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m kcl_py.testing", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("simulate", help="run worlds from seeds")
    command.add_argument("--seeds", type=int, default=100, help="how many (100)")
    command.add_argument("--first", type=int, default=0, help="the first seed (0)")
    command.add_argument("--replay", type=int, help="run one seed and print what happened in it")
    command.add_argument("--key", help="with --replay: only what concerns this lease")
    options = parser.parse_args(arguments)
    if options.replay is not None:
        return _replay(options.replay, options.key)
    return _search(options.first, options.seeds)


def _replay(seed: int, key: str | None) -> int:
    outcome = simulate(seed)
    _say(outcome.world.trace.text(key=key))
    if outcome.failure is None:
        _say(f"seed {seed} kept all promises: {outcome.events} events")
        return 0
    _say("".join(traceback.format_exception(outcome.failure)).rstrip())
    return 1


def _search(first: int, count: int) -> int:
    failed: list[int] = []
    events, seconds = 0, 0.0
    for seed in range(first, first + count):
        outcome = simulate(seed)
        events += outcome.events
        seconds += outcome.world.now
        if outcome.failure is not None:
            failed.append(seed)
            _say(f"seed {seed}: {type(outcome.failure).__name__}: {outcome.failure}")
            _say(f"    {outcome.replay}")
    _say(f"{count} seeds, {len(failed)} failed; {seconds:.0f} virtual seconds, {events} events")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
