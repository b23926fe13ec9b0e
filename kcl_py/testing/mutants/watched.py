"""Which world does a directed arena play in? One that every checker watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kcl_py.testing.sim.code import Habits
from kcl_py.testing.world import World

if TYPE_CHECKING:
    import random

    from kcl_py.testing.mutants.arena import Stage


HABITS: Final = (
    Habits(),
    Habits(checkpointing="explicit"),
    Habits(per_call=(0.0, 2.0), shutdown=(0.0, 1.0)),
    Habits(checkpointing="explicit", checkpoint_every=2, per_record=(0.0, 0.1), idle_after=2.0),
)
"""Kinds of user code that does its work."""


def watched_world(stage: Stage, **parts: Any) -> World:  # noqa: ANN401 - as World takes them
    """Make the world of a stage."""
    world = stage.world = World(stage.seed, muted=stage.muted, **parts)
    return world


def is_balanced(world: World) -> bool:
    """Say whether everything is held, and counts differ by at most one."""
    counts = [len(world.held(worker)) for worker in world.living() if not worker.stopping]
    everything = len(world.open_keys())
    return 0 < everything == sum(counts) and max(counts) - min(counts) <= 1


def begin(world: World, rng: random.Random) -> None:
    """Records flow, everything is held, and the settle time is over."""
    world.put_steadily(rng.uniform(3, 10))
    world.run_until(lambda: is_balanced(world), within=90)
    world.run_for(8)
