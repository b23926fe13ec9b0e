"""Which bugs are planted? All of them, in the order of the protocol's sections."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from kcl_py.testing.mutants import (
    rule_checkpoints,
    rule_handoff,
    rule_losses,
    rule_plan,
    rule_reading,
    rule_rows,
    rule_shards,
    rule_start_stop,
    rule_time,
    rule_writes,
)

if TYPE_CHECKING:
    from kcl_py.testing.mutants.mutant import Mutant

_ROOMS = (
    rule_time,
    rule_rows,
    rule_writes,
    rule_handoff,
    rule_start_stop,
    rule_shards,
    rule_plan,
    rule_checkpoints,
    rule_losses,
    rule_reading,
)

MUTANTS: Final[tuple[Mutant, ...]] = tuple(
    chain.from_iterable(module.ROOM.mutants for module in _ROOMS)
)


def named(name: str) -> Mutant:
    """Return the planted bug of that name.

    Raises:
        KeyError: There is none.
    """
    for mutant in MUTANTS:
        if mutant.name == name:
            return mutant
    raise KeyError(name)
