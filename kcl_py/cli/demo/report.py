"""Did the demo keep every promise? What it shows at the end, as data and as one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kcl_py._words import counted
from kcl_py.cli.demo.processor import Sum
from kcl_py.testing.audit.auditor import Takeover, Verdict

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES_MAX = 3
"""So many violations of a kind are spelled out on the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that was done to the fleet under load.

    Attributes:
        settled: Seconds until every shard flowed again.
    """

    name: str
    settled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that the demo found out."""

    acts: Sequence[Act]
    verdict: Verdict
    stored: Sum
    written: Sum
    exit_codes: Mapping[str, int]
    seconds: float

    @property
    def checks(self) -> list[Check]:
        """Every promise, in the order of the screen."""
        verdict = self.verdict
        codes = ", ".join(f"{name}: {code}" for name, code in self.exit_codes.items())
        return [
            Check(
                name="every record was processed",
                ok=verdict.written > 0 and not verdict.lost,
                detail=f"{verdict.written} written, {len(verdict.lost)} lost",
            ),
            _check("in order per shard", [*verdict.order, *verdict.skipped]),
            _check("children after parents", verdict.parents),
            _check("never two owners of a shard", verdict.overlap),
            Check(
                name="no duplicates on clean moves",
                ok=verdict.duplicates_of_clean_moves == 0,
                detail=counted(verdict.duplicates_of_clean_moves, "duplicate"),
            ),
            Check(
                name="the average is right",
                ok=self.stored == self.written,
                detail=f"{self.stored.average:.4f} by the workers, "
                f"{self.written.average:.4f} by what was written",
            ),
            Check(
                name="every worker stopped cleanly",
                ok=bool(self.exit_codes) and not any(self.exit_codes.values()),
                detail=codes,
            ),
        ]

    @property
    def ok(self) -> bool:
        """Every promise was kept."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        verdict = self.verdict
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "checks": [asdict(check) for check in self.checks],
            "acts": [asdict(act) for act in self.acts],
            "records": {
                "written": verdict.written,
                "delivered": verdict.delivered,
                "handed_over": verdict.handed,
                "duplicates": duplicates_by_cause(verdict),
            },
            "average": {"workers": self.stored.average, "written": self.written.average},
            "takeovers": [asdict(takeover) for takeover in verdict.takeovers],
            "children": [asdict(start) for start in verdict.starts],
            "violations": list(verdict.violations),
        }


def _check(name: str, violations: Sequence[str]) -> Check:
    if not violations:
        return Check(name=name, ok=True, detail="0 violations")
    examples = "; ".join(violations[:EXAMPLES_MAX])
    return Check(name=name, ok=False, detail=f"{counted(len(violations), 'violation')}: {examples}")


def duplicates_by_cause(verdict: Verdict) -> dict[str, int]:
    """Records that came again in a later epoch, by what was done to the worker before."""
    found: dict[str, int] = {}
    for takeover in verdict.takeovers:
        if takeover.duplicates:
            cause = cause_of(takeover)
            found[cause] = found.get(cause, 0) + takeover.duplicates
    return found


def cause_of(takeover: Takeover) -> str:
    """Why a shard changed hands, in words."""
    if takeover.fault is not None:
        return takeover.fault
    return "handed over" if takeover.clean else "lost"


def show(out: Console, outcome: Outcome) -> None:
    """One screen."""
    from kcl_py.cli.output import make_table

    marks = [
        {"": "ok" if check.ok else "FAILED", "promise": check.name, "what was found": check.detail}
        for check in outcome.checks
    ]
    out.print(make_table(marks, ["", "promise", "what was found"], "promises"))
    out.print()
    acts = [
        {"act": act.name, "all shards flow again after, s": act.settled} for act in outcome.acts
    ]
    out.print(make_table(acts, ["act", "all shards flow again after, s"], "acts, under load"))
    out.print()
    out.print(make_table(_moves(outcome.verdict), _MOVE_COLUMNS, "how shards changed hands"))
    out.print()
    for cause, count in duplicates_by_cause(outcome.verdict).items():
        records = counted(count, "record")
        out.print(f"{records} came twice after {cause}: not checkpointed yet, as promised")
    word = "every promise was kept" if outcome.ok else "a promise was broken"
    out.print(f"{word}; {outcome.seconds:.0f} s in all")


_MOVE_COLUMNS = ("cause", "shards", "s to next owner, worst", "s after old owner's last act, worst")


def _moves(verdict: Verdict) -> list[dict[str, object]]:
    by_cause: dict[str, list[Takeover]] = {}
    for takeover in verdict.takeovers:
        by_cause.setdefault(cause_of(takeover), []).append(takeover)
    rows: list[dict[str, object]] = [
        {
            "cause": cause,
            "shards": len(moves),
            "s to next owner, worst": _seconds(
                [move.since_fault for move in moves if move.since_fault is not None]
            ),
            "s after old owner's last act, worst": _seconds([move.gap for move in moves]),
        }
        for cause, moves in by_cause.items()
    ]
    if verdict.starts:
        gaps = [start.since_parents for start in verdict.starts]
        rows.append(
            {
                "cause": "split and merge",
                "shards": len(gaps),
                "s after old owner's last act, worst": _seconds(gaps),
            }
        )
    return rows


def _seconds(values: Sequence[float]) -> str | None:
    return f"{max(values):.2f}" if values else None
