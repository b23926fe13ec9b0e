"""Which of many seeds break a promise? Several processes, one line for each that does."""

from __future__ import annotations

import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.testing.seeds.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SEEDS_AT_ONCE: Final = 10
"""Handed to a process together; their worlds stay in memory until all of them are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one seed went.

    Attributes:
        seconds: Virtual ones.
        verdict: The invariant that was violated, or the kind of exception; None: all is well.
        message: What was wrong.
        digest: Hash of everything that happened.
    """

    seed: int
    seconds: float
    events: int
    workers: int
    shards: int
    verdict: str | None
    message: str
    digest: str


def run_seed(seed: int, *, with_digest: bool = False) -> Result:
    """Run one seed and keep only what counts."""
    outcome = simulate(seed)
    failure = outcome.failure
    return Result(
        seed=seed,
        seconds=outcome.world.now,
        events=outcome.events,
        workers=outcome.plan.scale.workers,
        shards=outcome.plan.scale.shards,
        verdict=outcome.verdict,
        message="" if failure is None else f"{type(failure).__name__}: {failure}",
        digest=outcome.digest() if with_digest else "",
    )


def _run_some(seeds: Sequence[int], with_digest: bool) -> list[Result]:  # noqa: FBT001 - map hands it on
    # A world is one large web that dies as a whole: looking for dead parts of it finds none.
    gc.disable()
    gc.freeze()
    results = [run_seed(seed, with_digest=with_digest) for seed in seeds]
    gc.collect()
    gc.unfreeze()
    gc.enable()
    return results


def search(
    seeds: Sequence[int],
    *,
    jobs: int,
    with_digest: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Result]:
    """Run all seeds and yield how each went, in order.

    Args:
        seeds: Which.
        jobs: Processes that run them; 1: this one.
        with_digest: Hash what happened in each.
        progress: Told how many are done.
    """
    batches = [seeds[at : at + _SEEDS_AT_ONCE] for at in range(0, len(seeds), _SEEDS_AT_ONCE)]
    done = 0
    for results in _batches(batches, jobs, with_digest=with_digest):
        done += len(results)
        if progress is not None:
            progress(done)
        yield from results


def _batches(
    batches: Sequence[Sequence[int]], jobs: int, *, with_digest: bool
) -> Iterator[list[Result]]:
    if jobs == 1:
        for batch in batches:
            yield _run_some(batch, with_digest)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(_run_some, batches, [with_digest] * len(batches))
