"""How small can a plan become that still breaks the same promise? Cut, run, keep what fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kcl_py.config import DeliveryConfig, LeaseConfig, PollingConfig
from kcl_py.testing.seeds.plans import Plan, without
from kcl_py.testing.seeds.simulate import simulate_plan
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.cores import production_core
from kcl_py.testing.sim.faults import CALM, Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.testing.seeds.simulate import Outcome
    from kcl_py.testing.sim.cores import CoreMaker

RUNS_MAX: Final = 400
"""Worlds that are tried before it is good enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The smallest plan that was found.

    Attributes:
        outcome: How it goes.
        runs: Worlds that were tried.
    """

    outcome: Outcome
    runs: int


def shrink(
    plan: Plan,
    *,
    make_core: CoreMaker = production_core,
    runs_max: int = RUNS_MAX,
    progress: Callable[[int, Plan], None] | None = None,
) -> Shrunk:
    """Cut a plan down as long as it breaks the same promise.

    Args:
        plan: One that fails.
        make_core: Makes what decides.
        runs_max: Worlds to try at most.
        progress: Told the number of runs and the plan after each cut that holds.

    Raises:
        ValueError: The plan keeps all promises.
    """
    shears = _Shears(plan, make_core, runs_max, progress)
    events = 0
    while shears.best.events != events and shears.is_allowed:
        events = shears.best.events
        shears.cut_end()
        shears.cut_deeds()
        shears.cut_scale()
        shears.calm_down()
    return Shrunk(outcome=shears.best, runs=shears.runs)


class _Shears:
    """The smallest failing plan so far, and what may still be cut off it.

    Attributes:
        best: How that plan goes.
        runs: Worlds that were tried.
    """

    def __init__(
        self,
        plan: Plan,
        make_core: CoreMaker,
        runs_max: int,
        progress: Callable[[int, Plan], None] | None,
    ) -> None:
        self._make_core = make_core
        self._runs_max = runs_max
        self._progress = progress
        self.runs = 1
        self.best = simulate_plan(plan, make_core=make_core)
        if self.best.failure is None:
            raise ValueError(f"seed {plan.seed} keeps all promises; there is nothing to shrink")

    @property
    def is_allowed(self) -> bool:
        """More worlds may be tried."""
        return self.runs < self._runs_max

    def _holds(self, smaller: Plan) -> bool:
        """Try a cut, and keep it if the same promise is broken."""
        if not self.is_allowed or smaller == self.best.plan:
            return False
        outcome = simulate_plan(smaller, make_core=self._make_core)
        self.runs += 1
        if outcome.verdict != self.best.verdict:
            return False
        self.best = outcome
        if self._progress is not None:
            self._progress(self.runs, smaller)
        return True

    def cut_end(self) -> None:
        """Nothing that comes after the failure matters."""
        failed_at = self.best.world.now
        plan = without(self.best.plan, [d for d in self.best.plan.deeds if d.at > failed_at])
        if plan.scale.plague > failed_at:
            plan = replace(plan, scale=replace(plan.scale, plague=round(failed_at, 1)))
        self._holds(plan)

    def cut_deeds(self) -> None:
        """Leave deeds out: many at once, then fewer, then one by one."""
        size = len(self.best.plan.deeds)
        while size >= 1:
            at = 0
            while at < len(self.best.plan.deeds) and self.is_allowed:
                deeds = self.best.plan.deeds
                if not self._holds(without(self.best.plan, deeds[at : at + size])):
                    at += size
            size //= 2

    def cut_scale(self) -> None:
        """Leave workers, shards and records out."""
        for name in ("workers", "shards"):
            for count in _fewer(getattr(self.best.plan.scale, name)):
                scale = replace(self.best.plan.scale, **{name: count})
                if self._holds(replace(self.best.plan, scale=scale)):
                    break
        scale = self.best.plan.scale
        slower = replace(scale, records_per_second=max(1.0, scale.records_per_second / 4))
        self._holds(replace(self.best.plan, scale=slower))

    def calm_down(self) -> None:
        """Let one thing after the other be as it is by default."""
        plan = self.best.plan
        for name in CALM.__dataclass_fields__:
            faults: Faults = replace(self.best.plan.faults, **{name: getattr(CALM, name)})
            self._holds(replace(self.best.plan, faults=faults))
        for calmer in (
            replace(plan, habits=Habits(checkpointing=plan.habits.checkpointing)),
            replace(plan, record_bytes=None),
            replace(plan, user_records_max=1),
            replace(plan, has_index=True),
            replace(plan, late_duration=plan.leases.duration),
            replace(plan, delivery=DeliveryConfig()),
            replace(plan, reading=PollingConfig()),
            replace(plan, leases=LeaseConfig(duration=plan.leases.duration)),
        ):
            self._holds(_merged(self.best.plan, plan, calmer))


def _merged(best: Plan, before: Plan, calmer: Plan) -> Plan:
    """Apply to the best plan what makes one plan calmer than another."""
    merged = best
    for name in Plan.__dataclass_fields__:
        if getattr(before, name) != getattr(calmer, name):
            merged = replace(merged, **{name: getattr(calmer, name)})
    return merged


def _fewer(count: int) -> list[int]:
    """Return smaller numbers, the smallest first."""
    return sorted({1, 2, count // 2, count - 1} - {0}) if count > 1 else []
