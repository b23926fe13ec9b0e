"""In which worlds does a planted bug live? Random ones, and directed ones that a seed times."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kcl_py.testing.seeds.simulate import simulate

if TYPE_CHECKING:
    from kcl_py.testing.world import World

Play: TypeAlias = Callable[["Stage"], None]


class Stage:
    """Where a directed arena says which world it plays in, so that its end can be told.

    Attributes:
        muted: Invariants that are not judged.
        world: Set by the play.
    """

    def __init__(self, seed: int, muted: frozenset[str]) -> None:
        self.seed = seed
        self.muted = muted
        self.world: World | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """How one world went.

    Attributes:
        failure: What was violated, or the exception that escaped; None: all is well.
        seconds: Virtual seconds that it lasted.
    """

    failure: BaseException | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Arena:
    """A world for every seed.

    Attributes:
        name: In plain words.
        play: Plays the world of a seed to its end, without judging some invariants; whatever goes
            wrong is in the result.
    """

    name: str
    play: Callable[[int, frozenset[str]], Run]

    def run(self, seed: int, muted: Collection[str] = ()) -> Run:
        """Play the world of a seed to its end."""
        return self.play(seed, frozenset(muted))


def _random_world(seed: int, muted: frozenset[str]) -> Run:
    outcome = simulate(seed, muted=muted)
    return Run(outcome.failure, outcome.world.now)


RANDOM = Arena("random worlds", _random_world)


def directed(name: str) -> Callable[[Play], Arena]:
    """Make an arena of a play: what happens in the world of a stage, to its end."""

    def arena(play: Play) -> Arena:
        def run(seed: int, muted: frozenset[str]) -> Run:
            stage = Stage(seed, muted)
            failure: BaseException | None = None
            try:
                play(stage)
            except Exception as error:  # noqa: BLE001 - a bug of the core is a finding like any other
                failure = error
            return Run(failure, 0.0 if stage.world is None else stage.world.now)

        return Arena(name, run)

    return arena
