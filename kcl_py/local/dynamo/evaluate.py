"""Is a condition true of an item?

A condition is turned once into nested functions, which are then called for every item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from kcl_py.local.dynamo.syntax import (
    Among,
    Between,
    Both,
    Compare,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Placeholder,
    Test,
)
from kcl_py.local.dynamo.values import (
    SET_KINDS,
    Item,
    Value,
    kind_of,
    sort_form,
    text_size,
)

Names: TypeAlias = Mapping[str, str]
Values: TypeAlias = Mapping[str, Value]
Predicate: TypeAlias = Callable[[Item, Names, Values], bool]
Getter: TypeAlias = Callable[[Item, Names, Values], Value | None]


def compile_condition(condition: Condition) -> Predicate:
    """The condition as a function of item, names and values."""
    match condition:
        case Both(left, right):
            first, second = compile_condition(left), compile_condition(right)
            return lambda item, names, values: (
                first(item, names, values) and second(item, names, values)
            )
        case Either(left, right):
            first, second = compile_condition(left), compile_condition(right)
            return lambda item, names, values: (
                first(item, names, values) or second(item, names, values)
            )
        case Not(inner):
            negated = compile_condition(inner)
            return lambda item, names, values: not negated(item, names, values)
        case Compare():
            return _compile_compare(condition)
        case Between():
            return _compile_between(condition)
        case Among(value, choices):
            return _compile_among(value, choices)
        case Test():
            return _compile_test(condition)
    assert_never(condition)


def compile_operand(operand: Operand) -> Getter:
    """The operand as a function that finds its value, or None."""
    match operand:
        case Placeholder(name):
            return lambda _item, _names, values: values[name]
        case Path():
            return compile_path(operand)
    measured = compile_path(operand.path)

    def size(item: Item, names: Names, values: Values) -> Value | None:
        value = measured(item, names, values)
        length = None if value is None else _length(value)
        return None if length is None else {"N": str(length)}

    return size


def compile_path(path: Path) -> Getter:
    """The path as a function that finds its value, or None."""
    first = path.parts[0]
    assert isinstance(first, str)
    if len(path.parts) > 1:
        return lambda item, names, _values: find(item, resolve(path, names))
    if first.startswith("#"):
        return lambda item, names, _values: item.get(names[first])
    return lambda item, _names, _values: item.get(first)


def resolve(path: Path, names: Names) -> tuple[str | int, ...]:
    """The path with the names that its aliases stand for."""
    return tuple(
        names[part] if isinstance(part, str) and part.startswith("#") else part
        for part in path.parts
    )


def find(item: Item, parts: tuple[str | int, ...]) -> Value | None:
    """What is at a place in an item."""
    value: Value | None = {"M": item}
    for part in parts:
        if value is None:
            return None
        if isinstance(part, str):
            value = value.get("M", {}).get(part)
        else:
            elements = value.get("L", [])
            value = elements[part] if part < len(elements) else None
    return value


def _length(value: Value) -> int | None:
    for kind, content in value.items():
        if kind == "S":
            return text_size(content)
        if kind in ("B", "L", "M") or kind in SET_KINDS:
            return len(content)
    return None


def _compile_compare(condition: Compare) -> Predicate:
    left, right = compile_operand(condition.left), compile_operand(condition.right)
    if condition.sign == "=":

        def equal(item: Item, names: Names, values: Values) -> bool:
            one = left(item, names, values)
            return one is not None and one == right(item, names, values)

        return equal
    if condition.sign == "<>":

        def differs(item: Item, names: Names, values: Values) -> bool:
            one = left(item, names, values)
            return one is None or one != right(item, names, values)

        return differs
    order = _ORDERS[condition.sign]
    return lambda item, names, values: _ordered(
        order, left(item, names, values), right(item, names, values)
    )


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def _ordered(order: Callable[[Any, Any], bool], one: Value | None, other: Value | None) -> bool:
    if one is None or other is None or one.keys() != other.keys():
        return False
    first, second = sort_form(one), sort_form(other)
    return first is not None and second is not None and order(first, second)


def _compile_between(condition: Between) -> Predicate:
    value = compile_operand(condition.value)
    low, high = compile_operand(condition.low), compile_operand(condition.high)

    def between(item: Item, names: Names, values: Values) -> bool:
        found = value(item, names, values)
        return _ordered(_ORDERS["<="], low(item, names, values), found) and _ordered(
            _ORDERS["<="], found, high(item, names, values)
        )

    return between


def _compile_among(value: Operand, choices: tuple[Operand, ...]) -> Predicate:
    sought = compile_operand(value)
    getters = [compile_operand(choice) for choice in choices]

    def among(item: Item, names: Names, values: Values) -> bool:
        found = sought(item, names, values)
        return found is not None and any(found == choice(item, names, values) for choice in getters)

    return among


def _compile_test(test: Test) -> Predicate:
    path = compile_operand(test.path)
    if test.function == "attribute_exists":
        return lambda item, names, values: path(item, names, values) is not None
    if test.function == "attribute_not_exists":
        return lambda item, names, values: path(item, names, values) is None
    assert test.argument is not None
    argument = compile_operand(test.argument)
    decide = _TESTS[test.function]
    return lambda item, names, values: decide(
        path(item, names, values), argument(item, names, values)
    )


def _begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None or value.keys() != prefix.keys():
        return False
    kind = kind_of(prefix)
    return kind in ("S", "B") and bool(value[kind].startswith(prefix[kind]))


def _contains(value: Value | None, part: Value | None) -> bool:
    if value is None or part is None:
        return False
    kind, content = next(iter(value.items()))
    part_kind, part_content = next(iter(part.items()))
    if kind in SET_KINDS:
        return part_kind == kind[0] and part_content in content
    if kind == "L":
        return part in content
    return kind in ("S", "B") and part_kind == kind and part_content in content


def _has_type(value: Value | None, kind: Value | None) -> bool:
    return value is not None and kind is not None and kind_of(value) == kind["S"]


_TESTS: dict[str, Callable[[Value | None, Value | None], bool]] = {
    "begins_with": _begins_with,
    "contains": _contains,
    "attribute_type": _has_type,
}
