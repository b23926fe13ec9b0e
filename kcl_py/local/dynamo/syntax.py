"""What parts is an expression made of, once it is read?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Path:
    """An attribute, or a place inside one. Names that begin with `#` are aliases."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value given beside the expression, such as `:owner`."""

    name: str


@dataclass(frozen=True, slots=True)
class Size:
    """`size(path)`."""

    path: Path


Operand: TypeAlias = Path | Placeholder | Size


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands and one of `= <> < <= > >=`."""

    sign: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """`value BETWEEN low AND high`, both included."""

    value: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class Among:
    """`value IN (a, b, ...)`."""

    value: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A function that is true or false, such as `attribute_exists(path)`."""

    function: str
    path: Operand
    argument: Operand | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """`AND`."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """`OR`."""

    left: Condition
    right: Condition


Condition: TypeAlias = Compare | Between | Among | Test | Not | Both | Either


@dataclass(frozen=True, slots=True)
class IfNotExists:
    """`if_not_exists(path, default)`."""

    path: Path
    default: Term


@dataclass(frozen=True, slots=True)
class ListAppend:
    """`list_append(first, second)`."""

    first: Term
    second: Term


@dataclass(frozen=True, slots=True)
class Sum:
    """`left + right` or `left - right`."""

    sign: str
    left: Term
    right: Term


Term: TypeAlias = Path | Placeholder | IfNotExists | ListAppend | Sum


@dataclass(frozen=True, slots=True)
class Update:
    """The four clauses of an update expression."""

    sets: tuple[tuple[Path, Term], ...] = ()
    removes: tuple[Path, ...] = ()
    adds: tuple[tuple[Path, Placeholder], ...] = ()
    deletes: tuple[tuple[Path, Placeholder], ...] = ()

    def targets(self) -> tuple[Path, ...]:
        """Every place that is written."""
        written = (*self.sets, *self.adds, *self.deletes)
        return (*(path for path, _ in written), *self.removes)
