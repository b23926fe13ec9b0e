"""Which seed shows a planted bug? The first whose world breaks only because of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from time import perf_counter
from typing import TYPE_CHECKING

from kcl_py.testing.mutants.mutant import Mutant, caught_by
from kcl_py.testing.mutants.registry import MUTANTS, named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.testing.mutants.arena import Arena


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What came of one hunt.

    Attributes:
        name: Of the planted bug.
        seed: The first tried that caught it; None: it survived.
        invariant: What saw it.
        message: What it said.
        seeds: Worlds that it took, the one that caught it included.
        virtual_seconds: In all of them together.
        real_seconds: Likewise, on this machine.
    """

    name: str
    seed: int | None
    invariant: str
    message: str
    seeds: int
    virtual_seconds: float
    real_seconds: float

    @property
    def survived(self) -> bool:
        """No world caught it."""
        return self.seed is None


def hunt(mutant: Mutant, *, within: int | None = None, first: int | None = None) -> Hunt:
    """Try seeds from 0 on until one catches the bug that passes without it.

    Args:
        mutant: The bug.
        within: Most seeds to try; None: as many as the bug states.
        first: Of these seeds the one to begin with, such as one that caught it before.
    """
    began, seconds = perf_counter(), 0.0
    most = mutant.within if within is None else within
    for worlds, seed in enumerate(sorted(range(most), key=lambda seed: seed != first), start=1):
        with mutant.planted():
            run = mutant.arena.run(seed)
        seconds += run.seconds
        if run.failure is None or caught_by(run.failure) not in mutant.caught_by:
            continue
        if not passes(mutant.arena, seed):
            continue
        return Hunt(
            name=mutant.name,
            seed=seed,
            invariant=caught_by(run.failure),
            message=str(run.failure),
            seeds=worlds,
            virtual_seconds=seconds,
            real_seconds=perf_counter() - began,
        )
    return Hunt(
        name=mutant.name,
        seed=None,
        invariant="",
        message="",
        seeds=most,
        virtual_seconds=seconds,
        real_seconds=perf_counter() - began,
    )


@lru_cache(maxsize=10_000)
def passes(arena: Arena, seed: int) -> bool:
    """Say whether the core as it is lives through this world."""
    return arena.run(seed).failure is None


def hunt_all(
    names: Sequence[str],
    *,
    jobs: int | None = None,
    within_max: int | None = None,
    told: Callable[[Hunt], None] = lambda _: None,
) -> list[Hunt]:
    """Hunt these, each in a process that has the bug to itself; in the order of the registry.

    Args:
        names: Of planted bugs; none: all.
        jobs: Processes; None: as many as there are processors.
        within_max: Never more seeds than these, whatever a bug states.
        told: Called after each hunt, in the order in which they end.
    """
    wanted = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    tasks = [(mutant.name, _most(mutant, within_max)) for mutant in wanted]
    workers = min(jobs or os.cpu_count() or 1, max(1, len(tasks)))
    found: dict[str, Hunt] = {}
    if workers == 1:
        for task in tasks:
            found[task[0]] = result = _hunt_named(task)
            told(result)
    else:
        with get_context("spawn").Pool(workers) as pool:
            for result in pool.imap_unordered(_hunt_named, tasks):
                found[result.name] = result
                told(result)
    return [found[mutant.name] for mutant in wanted]


def _most(mutant: Mutant, within_max: int | None) -> int:
    return mutant.within if within_max is None else min(mutant.within, within_max)


def _hunt_named(task: tuple[str, int]) -> Hunt:
    name, within = task
    return hunt(named(name), within=within)
