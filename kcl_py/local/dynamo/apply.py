"""What does an update make of an item?

All values are taken from the item as it was before. Items are never changed in place: what is
written is copied, so that an old version stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, Inexact
from typing import Any, TypeAlias, assert_never

from kcl_py.local.dynamo.evaluate import Getter, Names, Values, compile_path, resolve
from kcl_py.local.dynamo.syntax import (
    IfNotExists,
    ListAppend,
    Path,
    Placeholder,
    Sum,
    Term,
    Update,
)
from kcl_py.local.dynamo.values import (
    DIGITS_MAX,
    SET_KINDS,
    Item,
    Value,
    as_number,
    canonical_number,
    kind_of,
    make_set,
)
from kcl_py.local.errors import AwsError, invalid

Place: TypeAlias = tuple[str | int, ...]
_Action: TypeAlias = Callable[[Item, Names, Values], Value | None]

_EXACT = Context(prec=DIGITS_MAX, traps=[Inexact])


class CompiledUpdate:
    """An update that can be done to any item."""

    __slots__ = ("_actions", "_aliases", "_fixed", "_is_flat", "_known", "_targets")

    def __init__(self, update: Update) -> None:
        self._targets = update.targets()
        self._actions = _actions(update)
        self._is_flat = all(len(path.parts) == 1 for path in self._targets)
        parts = [part for path in self._targets for part in path.parts]
        self._aliases = [part for part in parts if isinstance(part, str) and part.startswith("#")]
        self._fixed = None if self._aliases else self._resolve({})
        self._known: tuple[list[str], tuple[Place, ...]] | None = None

    def places(self, names: Names) -> tuple[Place, ...]:
        """Where the update writes.

        Raises:
            AwsError: In one place twice.
        """
        if self._fixed is not None:
            return self._fixed
        # Most clients give one text the same names each time.
        meant = [names[alias] for alias in self._aliases]
        if self._known is None or self._known[0] != meant:
            self._known = (meant, self._resolve(names))
        return self._known[1]

    def apply(self, item: Item, places: tuple[Place, ...], names: Names, values: Values) -> Item:
        """The new item."""
        results = [action(item, names, values) for action in self._actions]
        made = dict(item)
        if not self._is_flat:
            _write_nested(made, places, results)
            return made
        for place, value in zip(places, results, strict=True):
            name: Any = place[0]
            if value is None:
                made.pop(name, None)
            else:
                made[name] = value
        return made

    def _resolve(self, names: Names) -> tuple[Place, ...]:
        places = tuple(resolve(path, names) for path in self._targets)
        _check_overlap(places)
        return places


def _actions(update: Update) -> list[_Action]:
    """One per target, in the order of `Update.targets`; None means: remove."""
    actions: list[_Action] = [_compile_set(term) for _, term in update.sets]
    actions += [_compile_change(path, value, _add) for path, value in update.adds]
    actions += [_compile_change(path, value, _subtract) for path, value in update.deletes]
    actions += [lambda _item, _names, _values: None for _ in update.removes]
    return actions


def _compile_set(term: Term) -> _Action:
    getter = _compile_term(term)

    def value(item: Item, names: Names, values: Values) -> Value:
        found = getter(item, names, values)
        if found is None:
            raise invalid("the update refers to an attribute that the item does not have")
        return found

    return value


def _compile_term(term: Term) -> Getter:
    match term:
        case Placeholder(name):
            return lambda _item, _names, values: values[name]
        case Path():
            return compile_path(term)
        case IfNotExists(path, default):
            present, otherwise = compile_path(path), _compile_set(default)

            def first_present(item: Item, names: Names, values: Values) -> Value | None:
                # The default must have a value even when it is not needed.
                spare, found = otherwise(item, names, values), present(item, names, values)
                return spare if found is None else found

            return first_present
        case ListAppend(first, second):
            one, other = _compile_set(first), _compile_set(second)
            return lambda item, names, values: _joined(
                one(item, names, values), other(item, names, values)
            )
        case Sum(sign, left, right):
            one, other = _compile_set(left), _compile_set(right)
            return lambda item, names, values: _sum(
                sign, one(item, names, values), other(item, names, values)
            )
    assert_never(term)


def _wrong_operand() -> AwsError:
    return invalid("an operand of the update has the wrong data type")


def _joined(first: Value | None, second: Value | None) -> Value:
    if first is None or second is None or "L" not in first or "L" not in second:
        raise _wrong_operand()
    return {"L": first["L"] + second["L"]}


def _sum(sign: str, left: Value | None, right: Value | None) -> Value:
    if left is None or right is None or "N" not in left or "N" not in right:
        raise _wrong_operand()
    one, other = as_number(left["N"]), as_number(right["N"])
    if isinstance(one, int) and isinstance(other, int):
        return {"N": canonical_number(str(one + other if sign == "+" else one - other))}
    try:
        calculate = _EXACT.add if sign == "+" else _EXACT.subtract
        return {"N": canonical_number(str(calculate(Decimal(one), Decimal(other))))}
    except Inexact:
        raise invalid(f"the result has more than {DIGITS_MAX} digits") from None


def _compile_change(
    path: Path, operand: Placeholder, change: Callable[[Value | None, Value], Value | None]
) -> _Action:
    getter = compile_path(path)
    return lambda item, names, values: change(getter(item, names, values), values[operand.name])


def _add(old: Value | None, operand: Value) -> Value:
    kind = kind_of(operand)
    if kind == "N":
        return operand if old is None else _sum("+", old, operand)
    if kind not in SET_KINDS:
        raise _wrong_operand()
    if old is None:
        return operand
    if kind not in old:
        raise _wrong_operand()
    return make_set(kind, list(dict.fromkeys([*old[kind], *operand[kind]])))


def _subtract(old: Value | None, operand: Value) -> Value | None:
    kind = kind_of(operand)
    if kind not in SET_KINDS or (old is not None and kind not in old):
        raise _wrong_operand()
    if old is None:
        return None
    kept = [element for element in old[kind] if element not in operand[kind]]
    return make_set(kind, kept) if kept else None


def _check_overlap(places: Sequence[Place]) -> None:
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            shorter = min(len(one), len(other))
            if one[:shorter] == other[:shorter]:
                raise invalid("Invalid UpdateExpression: two paths overlap")


def _write_nested(made: Item, places: Sequence[Place], results: list[Value | None]) -> None:
    root: Value = {"M": made}
    written = list(zip(places, results, strict=True))
    for place, value in written:
        if value is not None:
            root = _with(root, place, value)
    # From the highest index down, so that no removal moves the place of the next one.
    removed = [place for place, value in written if value is None]
    for place in sorted(removed, key=_removal_order, reverse=True):
        root = _with(root, place, None)
    made.clear()
    made.update(root["M"])


def _removal_order(place: Place) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in place]


def _with(container: Value, place: Place, value: Value | None) -> Value:
    """A copy of the container with another value at the place."""
    part, rest = place[0], place[1:]
    kind = "M" if isinstance(part, str) else "L"
    if kind not in container:
        raise invalid("a path of the update does not exist in the item")
    copy: Any = container[kind].copy()
    inside = isinstance(part, str) or part < len(copy)
    if rest:
        child = copy.get(part) if kind == "M" else (copy[part] if inside else None)
        if child is None:
            raise invalid("a path of the update does not exist in the item")
        copy[part] = _with(child, rest, value)
    elif value is not None:
        copy[part if inside else slice(len(copy), None)] = value if inside else [value]
    elif kind == "M":
        copy.pop(part, None)
    elif inside:
        del copy[part]
    return {kind: copy}
