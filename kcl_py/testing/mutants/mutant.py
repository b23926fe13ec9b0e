"""What is a planted bug? One decision of the core as somebody careless would have written it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kcl_py.testing.mutants.arena import RANDOM
from kcl_py.testing.sim.watch import ViolationError

if TYPE_CHECKING:
    from kcl_py.testing.mutants.arena import Arena

ASSERTION = "assertion"
"""Caught by the core itself: an exception of its own, an assertion most often."""

_ABSENT = object()


class Patches:
    """What was replaced in classes and modules, so that it can be put back."""

    def __init__(self) -> None:
        self._old: list[tuple[object, str, object]] = []

    def put(self, owner: object, name: str, value: object) -> None:
        """Replace an attribute of a class or module that has it, itself or from a base."""
        assert hasattr(owner, name), f"{owner} has no {name}: the core has changed"
        self._old.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, value)

    def restore(self) -> None:
        """Put everything back, the newest first."""
        while self._old:
            owner, name, value = self._old.pop()
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


Plant: TypeAlias = Callable[[Patches], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: In plain words.
        rule: What it breaks: section and rule of PROTOCOL.md.
        plant: Changes the core; its docstring says the interleaving that goes wrong.
        caught_by: Invariants any of which may see it; `ASSERTION` for the core's own.
        within: Seeds from 0 on among which it is caught.
        arena: The worlds in which it is looked for.
    """

    name: str
    rule: str
    plant: Plant
    caught_by: tuple[str, ...]
    within: int
    arena: Arena

    @property
    def why(self) -> str:
        """The interleaving that it breaks, on one line."""
        return " ".join((self.plant.__doc__ or "").split())

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug in the core for a while."""
        patches = Patches()
        try:
            self.plant(patches)
            yield
        finally:
            patches.restore()


class Room:
    """The planted bugs of one section of the protocol."""

    def __init__(self, section: str) -> None:
        self.mutants: list[Mutant] = []
        self._section = section

    def plant(
        self, name: str, rule: str, *caught_by: str, within: int, arena: Arena = RANDOM
    ) -> Callable[[Plant], Plant]:
        """Register what is decorated as a planted bug."""

        def register(plant: Plant) -> Plant:
            mutant = Mutant(
                name=name,
                rule=f"{self._section}: {rule}",
                plant=plant,
                caught_by=caught_by,
                within=within,
                arena=arena,
            )
            self.mutants.append(mutant)
            return plant

        return register


def caught_by(failure: BaseException) -> str:
    """Return which invariant a failed world names."""
    return failure.invariant if isinstance(failure, ViolationError) else ASSERTION
