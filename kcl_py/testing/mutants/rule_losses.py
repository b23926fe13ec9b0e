"""Which planted bugs lose a record that is given up, or give one up that need not be?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcl_py.core.consumer.bisection import Bisection, Blame
from kcl_py.core.consumer.given_up import GivenUp
from kcl_py.core.consumer.losses import Losses
from kcl_py.testing.mutants.arena_code import POISON
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.running import Running
    from kcl_py.core.consumer.states import Signal
    from kcl_py.core.events import UserError
    from kcl_py.records import Position
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("7 Checkpoints")


@ROOM.plant(
    "checkpoint before the letter is durable",
    "a letter first, then the checkpoint",
    "I2",
    within=20,
    arena=POISON,
)
def checkpoint_before_the_letter(patches: Patches) -> None:
    """The worker dies between the two: the record is neither processed nor in a letter."""
    give_up = Losses.give_up

    def early(self: Losses, now: float, run: Running, *rest: Any) -> Signal:
        signal = give_up(self, now, run, *rest)
        if self._lost is not None:
            self._checkpoints.given_up.learn(self._lost.position, self._lost.before)
            self._checkpoints.pass_over(now)
        return signal

    patches.put(Losses, "give_up", early)


@ROOM.plant(
    "a letter that failed counts as written",
    "a letter first, then the checkpoint",
    "I2",
    "I5",
    within=20,
    arena=POISON,
)
def failed_letter_counts(patches: Patches) -> None:
    """The sink raises, and the shard goes on, as if somebody had the record."""
    returned = Losses.letter_returned

    def deaf(self: Losses, now: float, run: Running, error: UserError | None, **how: Any) -> Signal:
        del error
        return returned(self, now, run, None, **how)

    patches.put(Losses, "letter_returned", deaf)


@ROOM.plant(
    "a record is given up for its batch",
    "given up only after it failed by itself",
    "I5",
    within=20,
    arena=POISON,
)
def given_up_for_its_batch(patches: Patches) -> None:
    """The first of a batch that fails goes into a letter, and nothing is wrong with it."""
    failed = Bisection.failed

    def hasty(self: Bisection, part: Slice | None, **how: Any) -> Blame:
        blame = failed(self, part, **how)
        if blame.narrows and part is not None:
            return Blame(position=part.page.position_at(part.start), failures=1)
        return blame

    patches.put(Bisection, "failed", hasty)


@ROOM.plant(
    "a record given up passes what is before it",
    "only what user code accepted",
    "I2",
    within=60,
    arena=POISON,
)
def passes_what_is_before(patches: Patches) -> None:
    """What an explicit processor has in its buffer is lost with the object."""
    learn = GivenUp.learn

    def blind(self: GivenUp, position: Position, before: Position | None) -> None:
        del before
        learn(self, position, None)

    patches.put(GivenUp, "learn", blind)
