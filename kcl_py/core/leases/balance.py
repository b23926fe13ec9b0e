"""What does the plan mean for this worker now?

Views, plans, the share of each, and when to look again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcl_py.core.leases.plan import Plan, PlanWorker, floor_of, plan, score, successors
from kcl_py.core.leases.rows import DURATION_MIN
from kcl_py.core.leases.view import OFFER_GRACE, View, build_view

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.requests import Requests
    from kcl_py.core.leases.taking import Taking

_WORKERS_WARN = 100
"""Scans cost more than renewals beyond this; a leader mode belongs there.

Source: facts on assignment.
"""

_REVIEW_GAP_MIN = 0.02


class Balance:
    """The plan as this worker carries it out.

    Args:
        mine: What this worker holds, takes or gives away: lease key to the worker it counts for.
        running_lost: Lost leases whose user code still runs here: they could not be taken.
        review: Called when it is time to look again.
    """

    def __init__(
        self,
        desk: Desk,
        taking: Taking,
        requests: Requests,
        *,
        mine: Callable[[], Mapping[str, str | None]],
        running_lost: Collection[str],
        review: Callable[[float], None],
    ) -> None:
        self._desk = desk
        self._taking = taking
        self._requests = requests
        self._mine = mine
        self._running_lost = running_lost
        self._review = review
        self._members: tuple[str, ...] = ()
        self._settled_since = 0.0
        self._warned_of_size = False
        self._planned: tuple[View, Plan] | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the workers that ran at the last review, this one included."""
        return self._members

    def start(self, now: float) -> None:
        """Count the settle time from here."""
        self._settled_since = now

    def view(self, now: float) -> View:
        """Return what the plan gets to see now."""
        return build_view(
            self._desk.sights,
            now,
            me=self._desk.me,
            lease_max=self._desk.config.leases.max_leases,
            mine=self._mine(),
            resting=self._requests.resting(now).union(self._running_lost, self._avoided(now)),
        )

    def _avoided(self, now: float) -> Collection[str]:
        """Return the leases that user code gave up and that are left to others for a while."""
        avoid_until = self._desk.avoid_until
        for key in [key for key, at in avoid_until.items() if at <= now]:
            del avoid_until[key]
        return avoid_until

    def carry_out(self, now: float, *, after_scan: bool) -> None:
        """Take what is due, ask for what is planned (only after a complete scan), set a timer."""
        view = self.view(now)
        decided = self._plan(view)
        self._note_members(now, view)
        due = self._taking.review(now, view, decided)
        if after_scan and now - self._settled_since >= self._desk.config.leases.settle:
            self._ask(now, decided)
        at = min((t for t in (due, self._next_change(now)) if t is not None), default=None)
        if at is not None:
            self._desk.timers.at(max(at, now + _REVIEW_GAP_MIN), ("review",), self._review)

    def _plan(self, view: View) -> Plan:
        """Return the plan for a view; that of a fleet at rest is the one before."""
        if self._planned is None or self._planned[0] != view:
            self._planned = (view, plan(view.leases, view.workers))
        return self._planned[1]

    def has_share_without(self, now: float, taker: str) -> bool:
        """Say whether, with `taker` in the fleet, we stay at our floor without one lease more.

        Whoever asks is there, even if nothing of it was seen yet. The lease in question counts for
        the taker already.
        """
        view = self.view(now)
        workers = [w for w in view.workers if w.worker_id != taker]
        unseen = PlanWorker(worker_id=taker, lease_max=None, is_taker=True)
        found = next((w for w in view.workers if w.worker_id == taker), unseen)
        workers.append(replace(found, is_taker=True, is_live=True))
        decided = plan(view.leases, workers)
        held = sum(1 for lease in view.leases if lease.holder == self._desk.me)
        return held >= floor_of(decided, self._desk.me)

    def successors(self, now: float, mine: tuple[str, ...]) -> Mapping[str, str]:
        """Return who should get each of our leases when we leave.

        What others who are leaving still hold is placed as well, by all leavers in the same way: in
        a deploy they leave together, and each lease should move once.
        """
        view = self.view(now)
        leases = [
            replace(lease, holder=None, available=True, movable=False)
            if lease.holder is not None and self._desk.sights.is_leaving(lease.holder)
            else lease
            for lease in view.leases
        ]
        return successors(mine, leases, view.workers, self._desk.me)

    def is_first(self) -> bool:
        """Say whether this worker is the one of the fleet that audits.

        The best by a stable hash.
        """
        best = max(self._members, key=lambda w: (score("kcl-audit", w), w), default=self._desk.me)
        return best == self._desk.me

    def _ask(self, now: float, decided: Plan) -> None:
        moves = [
            (key, victim)
            for key, (victim, taker) in sorted(decided.moves.items())
            if taker == self._desk.me
        ]
        self._requests.ask(now, moves)

    def _note_members(self, now: float, view: View) -> None:
        if view.running != self._members:
            joined = sorted(set(view.running) - set(self._members))
            gone = sorted(set(self._members) - set(view.running))
            self._members = view.running
            self._settled_since = now
            self._desk.calls.report("fleet.changed", "info", joined=joined, gone=gone)
        count = len(self._members)
        self._desk.scan_interval = scan_interval(
            self._desk.config.leases.scan_interval, self._desk.duration, count
        )
        if count >= _WORKERS_WARN and not self._warned_of_size:
            self._warned_of_size = True
            self._desk.calls.report("fleet.large", "warning", workers=count)

    def _next_change(self, now: float) -> float | None:
        """Return when something that nobody touches becomes available by time alone."""
        sights, mine = self._desk.sights, self._mine()
        times = []
        for key, sight in sights.leases.items():
            if key in mine or sight.row.is_finished:
                continue
            if sight.row.is_offered:
                times.append(sight.since + OFFER_GRACE)
            else:
                expiry = sights.expires_at(key)
                if expiry is not None:
                    times.append(expiry)
        return min((t for t in times if t > now), default=None)


def scan_interval(configured: float | None, duration: float, workers: int) -> float:
    """Return S in seconds: `clamp(D/3, W·D/60, 2D/3)` unless configured.

    Source: PROTOCOL section 6.
    """
    assert duration >= DURATION_MIN
    if configured is not None:
        return configured
    return max(duration / 3, min(workers * duration / 60, 2 * duration / 3))
