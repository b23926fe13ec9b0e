"""What became of an input, in one line, as JSON, and as an exit code?"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kcl_py._words import counted
from kcl_py.cli.errors import ExitCode
from kcl_py.cli.producing.delivering import DENIED, LISTED, NOT_FOUND, Run
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from kcl_py.cli.producing.opening import Input
    from kcl_py.cli.producing.stopping import Stopping


def outcome(run: Run, stream: str) -> dict[str, Any]:
    """Everything that is known at the end, as JSON."""
    counts, seen, undeliverable = run.producer.counters(), run.seen, run.undeliverable
    seconds = max(SYSTEM_CLOCK.now() - seen.begun, 1e-3)
    return {
        "stream": stream,
        "accepted": seen.accepted,
        "delivered": counts.records,
        "bytes": counts.bytes,
        "failed": dict(undeliverable.by_code),
        "skipped": undeliverable.skipped,
        "read_all": seen.is_all,
        "last_place": seen.place,
        "seconds": round(seconds, 3),
        "records_per_second": round(counts.records / seconds, 1),
        "requests": counts.requests,
        "retries": counts.retries,
        "throttles": counts.throttles,
    }


def summary(found: Mapping[str, Any]) -> str:
    """One line for eyes."""
    line = (
        f"{counted(found['delivered'], 'record')} ({counted(found['bytes'], 'byte')}) delivered to "
        f"{found['stream']} in {found['seconds']:.1f} s ({found['records_per_second']:,.0f}/s)"
    )
    failed = sum(found["failed"].values())
    line += f", {failed:,} failed"
    if failed:
        line += f" ({_reasons(found['failed'])})"
    if found["skipped"]:
        line += f", {found['skipped']:,} left out"
    if found["throttles"]:
        line += f", {found['throttles']:,} throttled"
    return line


def verdict(run: Run, source: Input) -> tuple[int, str]:
    """The exit code, and what to say if it is not 0."""
    stopping, undeliverable = run.stopping, run.undeliverable
    seen, failed = run.seen, undeliverable.count
    were = "was" if failed == 1 else "were"
    left = f"{counted(failed, 'record')} {were} not delivered ({_reasons(undeliverable.by_code)})"
    rest = _rest(run, source)
    if undeliverable.problem is not None:
        return ExitCode.CHECK_FAILED, f"--failed is not whole: {undeliverable.problem}; {left}"
    for code in undeliverable.by_code:
        if code == NOT_FOUND or code in DENIED:
            said = undeliverable.messages[code].removeprefix(f"{code}: ")
            if code in DENIED:
                said = f"kinesis:PutRecords is denied ({said})"
            else:
                said += f"; {LISTED}"
            return ExitCode.AWS, f"{left}: {said}{rest}"
    if seen.bad is not None:
        hint = "" if seen.bad.is_last else "; --skip-bad leaves such out"
        where = f"{source.place} {seen.bad.place} of {source.taken_for}"
        also = f"; {left}" if failed else ""
        return ExitCode.USAGE, f"{where}: {seen.bad.problem}{hint}{rest}{also}"
    if stopping.reason == "time" and not (seen.is_all and not failed):
        return ExitCode.OUT_OF_TIME, f"out of time{'; ' + left if failed else ''}{rest}"
    if failed:
        code, message = next(iter(undeliverable.messages.items()))
        return _failure_code(stopping), f"{left}, first {code}: {message}{rest}"
    if stopping.signal is not None and not seen.is_all and not source.is_endless:
        return _signal_code(stopping), f"interrupted; all that was read is delivered{rest}"
    if undeliverable.skipped:
        were = "was" if undeliverable.skipped == 1 else "were"
        skipped = counted(undeliverable.skipped, source.place)
        return ExitCode.CHECK_FAILED, f"{skipped} {were} left out"
    return ExitCode.OK, ""


def _rest(run: Run, source: Input) -> str:
    if run.seen.is_all:
        return ""
    if run.seen.place == 0:
        return "; nothing was sent" if not run.seen.accepted else ""
    return f"; what follows {source.place} {run.seen.place} was not sent"


def _failure_code(stopping: Stopping) -> int:
    return ExitCode.CHECK_FAILED if stopping.signal is None else _signal_code(stopping)


def _signal_code(stopping: Stopping) -> int:
    return ExitCode.TERMINATED if stopping.signal == signal.SIGTERM else ExitCode.INTERRUPTED


def _reasons(by_code: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in by_code.items())
