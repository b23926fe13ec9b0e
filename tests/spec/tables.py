"""Which runs of the model does docs/spec/README.md name, and what does it say they find?

The tables of that page are the only place where runs are listed: page and tests cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.spec.tlc import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = MODELS / "README.md"
_MODULES = {"handoff": "Handoff", "shards": "Shards"}


@dataclass(frozen=True, slots=True)
class Run:
    """One configuration that must hold: `states` distinct states and no violation."""

    config: str
    states: int

    @property
    def module(self) -> str:
        """Name of the module that it checks."""
        return _MODULES[self.config.partition("-")[0]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule, and what it must (`violated`) or does not (None) violate.

    Attributes:
        broken: Value of the constant Break; "none" where the changed constants are the fault.
        changes: Constant to value, where it differs from `config`.
        trace: States of the shortest way there.
    """

    broken: str
    config: str
    changes: dict[str, str]
    violated: str | None
    trace: int

    @property
    def module(self) -> str:
        """Name of the module that it breaks."""
        return _MODULES[self.config.partition("-")[0]]

    @property
    def constants(self) -> dict[str, str]:
        """Everything to change in `config`."""
        broken = {} if self.broken == "none" else {"Break": f'"{self.broken}"'}
        return self.changes | broken


def _rows(heading: str) -> Iterator[list[str]]:
    """Cells of the table under a heading, without its head."""
    text = PAGE.read_text(encoding="utf-8")
    _, found, section = text.partition(f"\n## {heading}\n")
    if not found:
        raise ValueError(f"{PAGE.name} has no heading {heading!r}")
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def runs(heading: str) -> list[Run]:
    """Read a table of configurations."""
    return [Run(config, int(states.replace(",", ""))) for config, _, states, *_ in _rows(heading)]


def mutants(heading: str) -> list[Mutant]:
    """Read a table of broken rules; those that survive have a dash for the invariant."""
    return [
        Mutant(
            broken,
            config,
            dict(_change(change) for change in with_.split(";") if change.strip()),
            None if violated in ("", "-") else violated,
            int(trace) if trace.isdigit() else 0,
        )
        for _, broken, config, with_, violated, trace, *_ in _rows(heading)
    ]


def _change(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
