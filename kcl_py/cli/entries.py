"""What is known of a command before it is made?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast


@dataclass(frozen=True, slots=True)
class Entry:
    """One command.

    Attributes:
        place: Module of `kcl_py.cli` and function.
        summary: The first line of its docstring.
        examples: What to type.
    """

    place: str
    summary: str
    examples: tuple[str, ...] = ()

    def load(self) -> Callable[..., int]:
        """Import the function."""
        module, _, name = self.place.partition(":")
        return cast("Callable[..., int]", getattr(import_module(f"kcl_py.cli.{module}"), name))

    @property
    def epilog(self) -> str | None:
        """What stands at the end of the help text."""
        return epilog_of(self.examples)


def epilog_of(examples: Sequence[str]) -> str | None:
    """Examples as a help text shows them; its lines are kept as they are."""
    if not examples:
        return None
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are about one thing.

    Attributes:
        summary: What is said of all of them.
        commands: By name.
        examples: What to type; those of `alone` if there is one.
        alone: What the name of the group does by itself; None: it shows the help.
    """

    summary: str
    commands: Mapping[str, Entry]
    examples: tuple[str, ...] = ()
    alone: Entry | None = None
