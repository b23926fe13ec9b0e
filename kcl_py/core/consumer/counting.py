"""What is counted when a read is answered, and when a call of user code returns? For metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.events import CallReturned, FailureKind, FetchFailed, PageFetched

if TYPE_CHECKING:
    from kcl_py.core.consumer.machine import ShardMachine
    from kcl_py.core.tallies import ShardTally


def tally_read(tally: ShardTally, answer: PageFetched | FetchFailed) -> None:
    """Count what a read brought."""
    if isinstance(answer, PageFetched):
        tally.reads += 1
        tally.bytes_read += answer.bytes_read
        if answer.page is not None:
            tally.records_read += answer.page.count
    elif answer.failure.kind is FailureKind.EXPIRED:
        tally.iterators_expired += 1
    else:
        tally.read_failures += 1
        tally.read_throttles += answer.failure.kind is FailureKind.THROTTLED


def tally_call(tally: ShardTally, now: float, machine: ShardMachine, event: CallReturned) -> None:
    """Count a call that has returned, before the machine hears of it.

    That the guard ended it is no failure.
    """
    run = machine.run
    if run is None or run.method != event.method:
        return
    error = event.error
    is_failure = error is not None and error.kind != "lease_lost"
    tally.failures += is_failure
    if event.method != "process_records":
        return
    tally.processing.add(now - run.began_at, failed=is_failure)
    part = run.slice
    if part is None:
        return
    tally.retries += machine.patience.attempt > 1
    if error is None:
        count = part.stop - part.start
        tally.batches += 1
        tally.records += count
        # A page counts as the text that it came in; base64 makes four characters of three bytes.
        tally.bytes += part.page.bytes * 3 // 4 * count // part.page.count
