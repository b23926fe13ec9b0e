"""Does the world of this seed keep all promises? One whole run: a plague, and then healing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.testing.nemesis import Nemesis
from kcl_py.testing.swarm import (
    draw_config,
    draw_faults,
    draw_habits,
    draw_record_bytes,
    draw_scale,
)
from kcl_py.testing.world import World, production_core

if TYPE_CHECKING:
    from kcl_py.testing.world import CoreMaker

SETTLE_SECONDS = 150.0
"""How long after the last fault everything may take: a hung call, a time-out, an expiry, a move."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one seed went.

    Attributes:
        failure: What was violated, or the exception that escaped; None: all is well.
    """

    seed: int
    world: World
    failure: BaseException | None

    @property
    def events(self) -> int:
        """Return how many things happened."""
        return self.world.heap.count

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"python -m kcl_py.testing simulate --replay {self.seed}"

    def story(self, *, last: int = 40) -> str:
        """Return what went wrong, how to see it again, and the end of the trace."""
        why = f"{type(self.failure).__name__}: {self.failure}"
        return f"seed {self.seed}: {why}\nreplay: {self.replay}\n{self.world.trace.text(last=last)}"


def simulate(seed: int, *, make_core: CoreMaker = production_core) -> Outcome:
    """Run the world of a seed to its end; whatever goes wrong is in the outcome."""
    rng = random.Random(f"nemesis {seed}")
    scale = draw_scale(rng)
    world = World(
        seed,
        workers=scale.workers,
        shards=scale.shards,
        config=draw_config(rng),
        habits=draw_habits(rng),
        faults=draw_faults(rng),
        make_core=make_core,
    )
    world.trace.add("world", "seed", "", seed, scale, world.config.leases, world.habits)
    world.trace.add("world", "faults", "", world.faults.faults)
    failure: BaseException | None = None
    try:
        world.has_index = rng.random() < 0.9  # noqa: PLR2004
        world.stream.record_bytes = draw_record_bytes(rng)
        world.put_steadily(scale.records_per_second)
        nemesis = Nemesis(world, rng, scale.plague)
        nemesis.begin()
        world.run_for(scale.plague)
        nemesis.end()
        world.heal(wakes=True)
        world.check_settles(within=SETTLE_SECONDS)
    except Exception as error:  # noqa: BLE001 - a bug of the core is a finding like any other
        failure = error
    return Outcome(seed, world, failure)
