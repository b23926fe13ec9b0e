"""How small can a plan become that still breaks the same promise? Cut, run, keep what fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kcl_py.config import DeliveryConfig, LeaseConfig, PollingConfig
from kcl_py.testing.faults import CALM, Faults
from kcl_py.testing.plans import Plan, without
from kcl_py.testing.seeds import simulate_plan
from kcl_py.testing.sim_code import Habits
from kcl_py.testing.world import production_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kcl_py.testing.seeds import Outcome
    from kcl_py.testing.world import CoreMaker

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
    best = simulate_plan(plan, make_core=make_core)
    if best.failure is None:
        raise ValueError(f"seed {plan.seed} keeps all promises; there is nothing to shrink")
    runs = 1
    has_shrunk = True
    while has_shrunk and runs < runs_max:
        has_shrunk = False
        for smaller in _cuts(best.plan, best.world.now):
            if runs >= runs_max:
                break
            outcome = simulate_plan(smaller, make_core=make_core)
            runs += 1
            if outcome.verdict == best.verdict:
                best, has_shrunk = outcome, True
                if progress is not None:
                    progress(runs, smaller)
                break
    return Shrunk(outcome=best, runs=runs)


def _cuts(plan: Plan, failed_at: float) -> Iterator[Plan]:
    """Yield smaller plans, the boldest first."""
    scale = plan.scale
    late = tuple(deed for deed in plan.deeds if deed.at > failed_at)
    if late:
        yield without(plan, late)
    if scale.plague > failed_at:
        yield replace(plan, scale=replace(scale, plague=round(failed_at, 1)))
    size = len(plan.deeds)
    while size >= 1:
        for start in range(0, len(plan.deeds), size):
            yield without(plan, plan.deeds[start : start + size])
        size //= 2
    for workers in {1, scale.workers // 2, scale.workers - 1}:
        if 0 < workers < scale.workers:
            yield replace(plan, scale=replace(scale, workers=workers))
    for shards in {1, scale.shards // 2, scale.shards - 1}:
        if 0 < shards < scale.shards:
            yield replace(plan, scale=replace(scale, shards=shards))
    yield from _calmer(plan)
    if scale.records_per_second > 1.0:
        slower = replace(scale, records_per_second=scale.records_per_second / 2)
        yield replace(plan, scale=slower)


def _calmer(plan: Plan) -> Iterator[Plan]:
    """Yield the plan with one thing as it is by default."""
    for name in CALM.__dataclass_fields__:
        usual = getattr(CALM, name)
        if getattr(plan.faults, name) != usual:
            faults: Faults = replace(plan.faults, **{name: usual})
            yield replace(plan, faults=faults)
    calm_code = Habits(checkpointing=plan.habits.checkpointing)
    plain = replace(
        plan,
        habits=calm_code,
        record_bytes=None,
        has_index=True,
        late_duration=plan.leases.duration,
    )
    for name in ("habits", "record_bytes", "has_index", "late_duration"):
        if getattr(plan, name) != getattr(plain, name):
            yield replace(plan, **{name: getattr(plain, name)})
    if plan.delivery != DeliveryConfig():
        yield replace(plan, delivery=DeliveryConfig())
    if plan.reading != PollingConfig():
        yield replace(plan, reading=PollingConfig())
    if plan.leases != LeaseConfig(duration=plan.leases.duration):
        yield replace(plan, leases=LeaseConfig(duration=plan.leases.duration))
