"""May the values given beside an expression stand where the expression puts them?

The service judges this before it looks at any item, and so a wrong request fails always, and not
only when an item happens to make the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kcl_py.local.dynamo.syntax import (
    Among,
    Between,
    Both,
    Compare,
    Condition,
    Either,
    IfNotExists,
    ListAppend,
    Not,
    Operand,
    Path,
    Placeholder,
    Size,
    Sum,
    Term,
    Test,
    Update,
)
from kcl_py.local.dynamo.values import KINDS, SET_KINDS, Value, is_in_order, kind_of
from kcl_py.local.errors import invalid

_ORDERED = frozenset({"S", "N", "B"})
_PREFIXED = frozenset({"S", "B"})
_NUMBER = frozenset({"N"})
_LIST = frozenset({"L"})
_TEXT = frozenset({"S"})
_ADDABLE = SET_KINDS | _NUMBER


class Demand(NamedTuple):
    """What one value must be."""

    name: str
    kinds: frozenset[str]
    place: str


class Bounds(NamedTuple):
    """Two values that must be in order."""

    low: str
    high: str


class Demands(NamedTuple):
    """What the values of a request must be."""

    kinds: tuple[Demand, ...]
    bounds: tuple[Bounds, ...]
    type_names: tuple[str, ...]

    def check(self, values: Mapping[str, Value]) -> None:
        """Refuse values that stand in the wrong place.

        Raises:
            AwsError: One does.
        """
        for name, kinds, place in self.kinds:
            kind = kind_of(values[name])
            if kind not in kinds:
                raise invalid(f"{name} has the data type {kind}, which {place} does not take")
        for low, high in self.bounds:
            lowest, highest = values[low], values[high]
            if lowest.keys() != highest.keys() or not is_in_order(lowest, highest):
                raise invalid(f"BETWEEN takes {low} and {high} in order and of one data type")
        for name in self.type_names:
            if values[name]["S"] not in KINDS:
                raise invalid(f"{name} must be the letters of a data type")


def demands_of(condition: Condition | None, update: Update | None) -> Demands:
    """What the condition, the filter or the update of a request demands of its values.

    Raises:
        AwsError: An operand is compared with itself, or can never be right.
    """
    kinds: list[Demand] = []
    bounds: list[Bounds] = []
    type_names: list[str] = []
    for part in () if condition is None else _parts(condition):
        _check_distinct(part)
        kinds += _kinds_of_part(part)
        if isinstance(part, Between):
            bounds += _bounds(part)
        elif isinstance(part, Test) and part.function == "attribute_type":
            type_names += _names(part.argument)
    if update is not None:
        kinds += _kinds_of_update(update)
    return Demands(tuple(kinds), tuple(bounds), tuple(type_names))


def _parts(condition: Condition) -> Iterator[Compare | Between | Among | Test]:
    match condition:
        case Both(left, right) | Either(left, right):
            yield from _parts(left)
            yield from _parts(right)
        case Not(inner):
            yield from _parts(inner)
        case _:
            yield condition


def _check_distinct(part: Compare | Between | Among | Test) -> None:
    operands: tuple[Operand | None, ...] = ()
    match part:
        case Compare(_, first, right):
            operands = (first, right)
        case Between(first, low, high):
            operands = (first, low, high)
        case Among(first, choices):
            operands = (first, *choices)
        case Test(_, first, argument):
            operands = (first, argument)
    if isinstance(operands[0], Path) and operands[0] in operands[1:]:
        raise invalid("the first operand of a comparison must differ from the others")


def _kinds_of_part(part: Compare | Between | Among | Test) -> list[Demand]:
    match part:
        case Compare(sign, left, right) if sign not in ("=", "<>"):
            return _demand((left, right), _ORDERED, sign)
        case Between(value, low, high):
            return _demand((value, low, high), _ORDERED, "BETWEEN")
        case Test("begins_with", path, argument):
            if isinstance(path, Size) or isinstance(argument, Size):
                raise invalid("begins_with does not take a number")
            return _demand((path, argument), _PREFIXED, "begins_with")
        case Test("attribute_type", _, argument):
            if not isinstance(argument, Placeholder):
                raise invalid("attribute_type takes the letters of a data type as a value")
            return _demand((argument,), _TEXT, "attribute_type")
    return []


def _bounds(part: Between) -> list[Bounds]:
    if isinstance(part.low, Placeholder) and isinstance(part.high, Placeholder):
        return [Bounds(part.low.name, part.high.name)]
    return []


def _kinds_of_update(update: Update) -> list[Demand]:
    kinds: list[Demand] = []
    for _, term in update.sets:
        kinds += _kinds_of_term(term)
    kinds += [Demand(value.name, _ADDABLE, "ADD") for _, value in update.adds]
    return kinds + [Demand(value.name, SET_KINDS, "DELETE") for _, value in update.deletes]


def _kinds_of_term(term: Term) -> list[Demand]:
    match term:
        case Sum(sign, left, right):
            terms, kinds, place = (left, right), _NUMBER, sign
        case ListAppend(first, second):
            terms, kinds, place = (first, second), _LIST, "list_append"
        case IfNotExists(path, default):
            if path == default:
                raise invalid("the operands of if_not_exists must differ")
            return _kinds_of_term(default)
        case _:
            return []
    demands = [Demand(name, kinds, place) for inner in terms for name in _names(inner)]
    for inner in terms:
        demands += _kinds_of_term(inner)
    return demands


def _demand(
    operands: tuple[Operand | None, ...], kinds: frozenset[str], place: str
) -> list[Demand]:
    return [Demand(name, kinds, place) for operand in operands for name in _names(operand)]


def _names(operand: Operand | Term | None) -> list[str]:
    return [operand.name] if isinstance(operand, Placeholder) else []
