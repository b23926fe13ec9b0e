"""Is a worker alive, and is it ready? Decided from what it said of itself, and when.

Alive means that ending the process would mend nothing. So lag, throttling and an outage of AWS are
no reason to say otherwise: a new process would be no better off, and only begin later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kcl_py.status import WorkerStatus

ANSWER_SECONDS_MAX: Final = 15.0
"""So long the control thread may be silent: by then the leases of a default worker are lost."""

WRITE_SECONDS_MAX: Final = 30.0
"""A lease write ends within 2 s, well or badly: one that does not has taken its thread with it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to tell whoever asks.

    Attributes:
        why: One line; of the first thing that is wrong, if one is.
    """

    alive: bool
    ready: bool
    why: str


def judge(status: WorkerStatus, seen_at: float, now: float) -> Verdict:
    """Decide.

    Args:
        status: The newest that the worker gave.
        seen_at: Clock reading when it was asked for that.
        now: The same clock.
    """
    wrong = _stuck(status, seen_at, now)
    if wrong is not None:
        return Verdict(alive=False, ready=False, why=wrong)
    count = len(status.shards)
    if status.state == "running":
        shards = "1 shard" if count == 1 else f"{count} shards"
        paused = sum(shard.state == "paused" for shard in status.shards.values())
        stands = f", {paused} of them paused" if paused else ""
        return Verdict(alive=True, ready=True, why=f"running, {shards}{stands}")
    return Verdict(alive=True, ready=False, why=f"{status.state}")


def _stuck(status: WorkerStatus, seen_at: float, now: float) -> str | None:
    if status.state == "failed":
        return "the worker has failed"
    if now - seen_at > ANSWER_SECONDS_MAX:
        return f"nobody has looked at the worker for {now - seen_at:.0f} s"
    if status.at is not None and status.state != "stopped":
        silent = now - status.at
        if silent > ANSWER_SECONDS_MAX:
            return f"the control thread has not answered for {silent:.0f} s"
    waits = status.call_waits.get("LeaseWrite", 0.0)
    if waits > WRITE_SECONDS_MAX:
        return f"a lease write has not come back for {waits:.0f} s"
    hung = sorted(key for key, shard in status.shards.items() if shard.hung)
    if hung:
        return f"user code hangs in {', '.join(hung[:3])}" + (" and more" if hung[3:] else "")
    return None
