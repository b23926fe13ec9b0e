"""What came of a chaos run? Figures for people and programs, and every promise that was broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil

from kcl_py.testing.audit.auditor import Verdict

EXAMPLES_MAX = 10
"""So many violations are spelled out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is known about a run.

    Attributes:
        seed: Of the plan.
        seconds: From the start of the engine to the end of the last worker.
        deeds: How many of each kind were done.
        left_out: How many were not, because the fleet or the stream was too small or too large.
        struck: Requests that went wrong, by kind.
        requests: That the engine answered.
        workers: That were started.
        gave_up: Workers that could not start because of the faults.
        recovered: Seconds until the fleet was well after the last fault; None: it was not.
        done: Records that user code finished, by shard and sequence number.
        written: Records that the producer knows to be written, by shard.
        others: Violations that the auditor does not know of: liveness, exit codes, logs.
    """

    seed: int
    seconds: float
    verdict: Verdict
    deeds: Mapping[str, int]
    left_out: Mapping[str, int]
    struck: Mapping[str, int]
    requests: int
    workers: int
    gave_up: int
    recovered: float | None
    done: AbstractSet[tuple[str, int]]
    written: Mapping[str, Sequence[str]]
    others: Sequence[str]

    @property
    def unfinished(self) -> list[str]:
        """Records that were written and that no user code ever finished."""
        return [
            f"{shard}: {number} was never finished by user code"
            for shard, numbers in self.written.items()
            for number in numbers
            if (shard, int(number)) not in self.done
        ]

    @property
    def violations(self) -> list[str]:
        """Everything that must not be; what explains the rest comes first."""
        nothing = [] if self.verdict.written else ["nothing was written"]
        return [*nothing, *self.others, *self.verdict.violations, *self.unfinished]

    def figures(self) -> dict[str, object]:
        """JSON-ready."""
        verdict = self.verdict
        takeovers = [move.gap for move in verdict.takeovers if not move.clean]
        moves = [move.gap for move in verdict.takeovers if move.clean]
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "deeds": dict(sorted(self.deeds.items())),
            "left_out": dict(sorted(self.left_out.items())),
            "requests": self.requests,
            "requests_struck": dict(sorted(self.struck.items())),
            "workers": self.workers,
            "gave_up_starting": self.gave_up,
            "written": verdict.written,
            "processed": len(self.done),
            "lost": len(verdict.lost),
            "unfinished": len(self.unfinished),
            "duplicates": verdict.duplicates,
            "repeated_after_a_failure": verdict.repeated,
            "out_of_order": len(verdict.order) + len(verdict.skipped),
            "children_before_parents": len(verdict.parents),
            "overlaps": len(verdict.overlap),
            "overlap_seconds_max": round(verdict.overlap_seconds, 3),
            "epochs_moved": len(verdict.takeovers),
            "takeover_seconds": spread(takeovers),
            "clean_move_seconds": spread(moves),
            "children_begun": len(verdict.starts),
            "fences": verdict.fences,
            "handoffs": verdict.handoffs,
            "recovered_seconds": None if self.recovered is None else round(self.recovered, 1),
            "violations": len(self.violations),
        }

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{name:26}{_text(value)}" for name, value in self.figures().items()]
        found += [f"VIOLATION {text}" for text in self.violations[:EXAMPLES_MAX]]
        if len(self.violations) > EXAMPLES_MAX:
            found.append(f"... and {len(self.violations) - EXAMPLES_MAX} more violations")
        return found


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles by nearest rank, and the longest; empty if there are none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)

    def rank(share: float) -> float:
        return round(ordered[ceil(share * len(ordered)) - 1], 2)

    return {"count": len(ordered), "p50": rank(0.5), "p99": rank(0.99), "max": rank(1.0)}


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return str(value)
