"""Does a fleet of real processes keep every promise in a bad hour? A command that anyone can run.

    python -m tests.chaos --minutes 10 --seed 1

An engine on 127.0.0.1, a producer, and workers as processes of their own, to which the seed's plan
is done. Exit code 0: every promise was kept; 1: one was broken, and the logs are kept; 2: the run
itself failed. It ends by itself after the minutes, and `play.EXTRA_SECONDS_MAX` at most.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType
from typing import TextIO

from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.chaos.plan import draw
from tests.chaos.plants import PLANTS
from tests.chaos.play import EXTRA_SECONDS_MAX, play
from tests.chaos.report import Outcome

MINUTES_MAX = 24 * 60.0


def main(arguments: list[str] | None = None) -> int:
    """Run once, and say what came of it."""
    options = _options(arguments)
    plan = draw(
        options.seed,
        seconds=60.0 * options.minutes,
        duration=options.duration,
        rough=options.rough,
    )
    if options.plan:
        sys.stdout.write(plan.describe() + "\n")
        return 0
    directory = options.keep or Path(tempfile.mkdtemp(prefix="kcl-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "plan.txt").write_text(plan.describe() + "\n")
    _end_in_time(plan.seconds + EXTRA_SECONDS_MAX)
    outcome: Outcome | None = None
    try:
        with (directory / "chaos.log").open("w") as log:
            narrator = _Narrator(log, is_loud=not options.quiet)
            outcome = play(plan, directory, narrator.say, plant=options.plant)
        _tell(outcome, directory, is_json=options.json)
    except Exception:  # noqa: BLE001 - a run that failed says nothing about promises
        traceback.print_exc()
    finally:
        signal.alarm(0)
        is_fine = outcome is not None and not outcome.violations
        if options.keep or not is_fine:
            sys.stderr.write(f"logs and plan are in {directory}\n")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if outcome is None:
        return 2
    return 0 if is_fine else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=_minutes, default=1.0, help="how long deeds are done")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--duration", type=float, default=3.0, help="of leases, seconds")
    parser.add_argument("--rough", action="store_true", help="more deeds, and deeds that meet")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep logs there, always")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quiet", action="store_true", help="do not tell the deeds")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="break the workers")
    return parser.parse_args(arguments)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= MINUTES_MAX:
        raise argparse.ArgumentTypeError(f"between 0 and {MINUTES_MAX:g}")
    return minutes


def _end_in_time(seconds: float) -> None:
    """Make SIGTERM and the end of all patience leave through the `with` blocks, as Ctrl-C does."""

    def end(signum: int, frame: FrameType | None) -> None:
        del frame
        if signum == signal.SIGALRM:
            raise TimeoutError(f"the run did not end within {seconds:g} s")
        sys.exit(128 + signum)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(int(seconds))


class _Narrator:
    """Writes down what happens, with the seconds since the start; shows it unless told not to."""

    def __init__(self, log: TextIO, *, is_loud: bool) -> None:
        self._log = log
        self._is_loud = is_loud
        self._begun = SYSTEM_CLOCK.now()

    def say(self, text: str) -> None:
        """One line."""
        now = SYSTEM_CLOCK.now()
        line = f"{now - self._begun:7.2f} {now:.3f} {text}\n"
        self._log.write(line)
        self._log.flush()
        if self._is_loud:
            sys.stderr.write(line)


def _tell(outcome: Outcome, directory: Path, *, is_json: bool) -> None:
    figures = json.dumps({**outcome.figures(), "what": outcome.violations}, indent=2)
    (directory / "figures.json").write_text(figures + "\n")
    sys.stdout.write(figures if is_json else "\n".join(outcome.lines()))
    sys.stdout.write("\n")


if __name__ == "__main__":
    sys.exit(main())
