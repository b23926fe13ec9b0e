"""Which part of a partition does a key condition name?"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from kcl_py.local.dynamo.evaluate import Names, Values, resolve
from kcl_py.local.dynamo.keys import KeySchema
from kcl_py.local.dynamo.syntax import (
    Between,
    Both,
    Compare,
    Condition,
    Operand,
    Path,
    Placeholder,
    Test,
)
from kcl_py.local.dynamo.values import as_number
from kcl_py.local.errors import AwsError, invalid


class KeyRange(NamedTuple):
    """One partition, and bounds of the sort value inside it."""

    hash: int
    partition: Any
    low: Any = None
    low_included: bool = True
    high: Any = None
    high_included: bool = True
    prefix: Any = None


def read_key_range(
    schema: KeySchema, condition: Condition, names: Names, values: Values
) -> KeyRange:
    """Turn a condition on the key into a range.

    Raises:
        AwsError: It is not an equality on the partition key with at most one bound on the other.
    """
    parts = [condition.left, condition.right] if isinstance(condition, Both) else [condition]
    partition: Any = None
    bounds: dict[str, Any] = {}
    for part in parts:
        name = _attribute(part, names)
        if name == schema.partition and partition is None:
            partition = _partition_value(schema, part, values)
        elif name == schema.sort and not bounds:
            bounds = _bounds(schema, part, values)
        else:
            raise _unsupported()
    if partition is None:
        raise invalid(f"the key condition needs an equality on {schema.partition}")
    raw = partition if isinstance(partition, bytes) else str(partition).encode()
    return KeyRange(zlib.crc32(raw), partition, **bounds)


def _unsupported() -> AwsError:
    return invalid("the key condition is not supported: partition = value AND one bound at most")


def _attribute(part: Condition, names: Names) -> str:
    match part:
        case Compare(left=Path() as path):
            pass
        case Between(value=Path() as path):
            pass
        case Test(function="begins_with", path=Path() as path):
            pass
        case _:
            raise _unsupported()
    place = resolve(path, names)
    if len(place) != 1:
        raise _unsupported()
    return str(place[0])


def _content(operand: Operand | None, kind: str | None, values: Values) -> Any:  # noqa: ANN401
    if not isinstance(operand, Placeholder):
        raise _unsupported()
    content = values[operand.name].get(kind or "")
    if content is None:
        raise invalid(f"{operand.name} has not the data type of the key attribute")
    return as_number(content) if kind == "N" else content


def _partition_value(schema: KeySchema, part: Condition, values: Values) -> Any:  # noqa: ANN401
    if not isinstance(part, Compare) or part.sign != "=":
        raise invalid(f"the key condition needs an equality on {schema.partition}")
    return _content(part.right, schema.partition_kind, values)


def _bounds(schema: KeySchema, part: Condition, values: Values) -> dict[str, Any]:
    kind = schema.sort_kind
    match part:
        case Between(_, low, high):
            return {"low": _content(low, kind, values), "high": _content(high, kind, values)}
        case Test(_, _, argument):
            if kind == "N":
                raise _unsupported()
            prefix = _content(argument, kind, values)
            return {"low": prefix, "prefix": prefix}
        case Compare("=", _, right):
            value = _content(right, kind, values)
            return {"low": value, "high": value}
        case Compare("<" | "<=" as sign, _, right):
            return {"high": _content(right, kind, values), "high_included": sign == "<="}
        case Compare(">" | ">=" as sign, _, right):
            return {"low": _content(right, kind, values), "low_included": sign == ">="}
    raise _unsupported()
