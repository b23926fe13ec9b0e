"""Is an attribute value valid, how large is it, and how is it compared?

Values keep the wire's shape, such as `{"S": "a"}`, but are made canonical on arrival: numbers and
sets have one spelling each, so that equality is plain `==`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from kcl_py.local.errors import AwsError, invalid

Value: TypeAlias = dict[str, Any]
Item: TypeAlias = dict[str, Value]

DIGITS_MAX = 38
_EXPONENT_MAX = 125
_EXPONENT_MIN = -130
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_CACHED = 65_536


@lru_cache(maxsize=_CACHED)
def canonical_number(text: str) -> str:
    """The one spelling of a number.

    Raises:
        AwsError: Not a number, more than 38 digits, or out of range.
    """
    if len(text) <= DIGITS_MAX and text.isascii() and text.isdigit() and text[0] != "0":
        return text
    if not _NUMBER.fullmatch(text):
        raise invalid(f"not a number: {text!r}")
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).lstrip("0")
    kept = plain.rstrip("0")
    if not kept:
        return "0"
    exponent += len(plain) - len(kept)
    if len(kept) > DIGITS_MAX:
        raise invalid(f"a number has at most {DIGITS_MAX} significant digits")
    magnitude = exponent + len(kept) - 1
    if not _EXPONENT_MIN <= magnitude <= _EXPONENT_MAX:
        raise invalid("a number's size must be between 1E-130 and 9.9E+125")
    return format(Decimal((sign, tuple(map(int, kept)), exponent)), "f")


@lru_cache(maxsize=_CACHED)
def as_number(text: str) -> int | Decimal:
    """A canonical number to compare and calculate with."""
    return Decimal(text) if "." in text else int(text)


@lru_cache(maxsize=_CACHED)
def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def text_size(text: str) -> int:
    """In bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def clean(value: Any) -> Value:  # noqa: ANN401
    """The canonical form of a value from outside.

    Raises:
        AwsError: The value is not one that an item may hold.
    """
    if type(value) is dict and len(value) == 1:
        if type(value.get("S")) is str:
            return value
        for kind, content in value.items():
            cleaner = _CLEANERS.get(kind)
            if cleaner is not None:
                return cleaner(value, content)
    raise invalid("an attribute value needs exactly one of the data types S, N, B, ...")


def _wrong_content(kind: str) -> AwsError:
    return AwsError("SerializationException", f"the content of an attribute is no {kind}")


def _text(value: Value, content: Any) -> Value:  # noqa: ANN401
    if type(content) is not str:
        raise _wrong_content("S")
    return value


def _number(value: Value, content: Any) -> Value:  # noqa: ANN401
    if type(content) is not str:
        raise _wrong_content("N")
    canonical = canonical_number(content)
    return value if canonical == content else {"N": canonical}


def _binary(value: Value, content: Any) -> Value:  # noqa: ANN401
    if not isinstance(content, bytes):
        raise _wrong_content("B")
    return value


def _boolean(value: Value, content: Any) -> Value:  # noqa: ANN401
    if type(content) is not bool:
        raise _wrong_content("BOOL")
    return value


def _null(value: Value, content: Any) -> Value:  # noqa: ANN401
    if content is not True:
        raise invalid("NULL must be true")
    return value


def _list(_value: Value, content: Any) -> Value:  # noqa: ANN401
    if not isinstance(content, list):
        raise _wrong_content("L")
    return {"L": [clean(element) for element in content]}


def _map(_value: Value, content: Any) -> Value:  # noqa: ANN401
    if not isinstance(content, dict):
        raise _wrong_content("M")
    return {"M": {name: clean(element) for name, element in content.items()}}


def _set(kind: str) -> Callable[[Value, Any], Value]:
    element_kind = kind[0]

    def cleaner(_value: Value, content: Any) -> Value:  # noqa: ANN401
        if not isinstance(content, list):
            raise _wrong_content(kind)
        elements = [clean({element_kind: element})[element_kind] for element in content]
        return make_set(kind, elements)

    return cleaner


def make_set(kind: str, elements: list[Any]) -> Value:
    """A set of canonical elements, in order."""
    if not elements:
        raise invalid("a set must not be empty")
    if len(set(elements)) != len(elements):
        raise invalid("a set must not hold an element twice")
    return {kind: sorted(elements, key=as_number if kind == "NS" else None)}


_CLEANERS: dict[str, Callable[[Value, Any], Value]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _set("SS"),
    "NS": _set("NS"),
    "BS": _set("BS"),
}

KINDS = frozenset(_CLEANERS)
SET_KINDS = frozenset({"SS", "NS", "BS"})


def kind_of(value: Value) -> str:
    """The data type's letters."""
    return next(iter(value))


def value_size(value: Value) -> int:
    """In bytes. Source: "DynamoDB item sizes and formats" of the developer guide."""
    for kind, content in value.items():
        if kind == "S":
            return text_size(content)
        if kind == "N":
            return _number_size(content)
        return _other_size(kind, content)
    return 0


def _other_size(kind: str, content: Any) -> int:  # noqa: ANN401
    if kind == "B":
        return len(content)
    if kind == "L":
        return 3 + sum(1 + value_size(element) for element in content)
    if kind == "M":
        return 3 + sum(1 + text_size(name) + value_size(part) for name, part in content.items())
    if kind in SET_KINDS:
        return sum(value_size({kind[0]: element}) for element in content)
    return 1


def item_size(item: Item) -> int:
    """In bytes, names included."""
    return sum(text_size(name) + value_size(value) for name, value in item.items())


def sort_form(value: Value) -> Any | None:  # noqa: ANN401
    """What a value is ordered by; None when its type has no order."""
    for kind, content in value.items():
        if kind == "N":
            return as_number(content)
        if kind in ("S", "B"):
            # Text by code points is text by UTF-8 bytes.
            return content
    return None


def is_in_order(one: Value, other: Value) -> bool:
    """Whether `one` is not greater than `other`; false for types without an order."""
    first, second = sort_form(one), sort_form(other)
    return first is not None and second is not None and bool(first <= second)
