"""Does a value become the JSON that people expect, or a refusal that names the field?"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.errors import RecordRefused
from kcl_py.producer.encoding import encode, encode_json


@dataclass
class Person:
    name: str
    born: date
    worth: Decimal | None = None


class Colour(Enum):
    RED = "red"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(JSON)
def test_a_json_value_comes_back_as_it_was(value: Any) -> None:
    assert json.loads(encode_json(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_value_to_the_last_digit(value: Decimal) -> None:
    assert json.loads(encode_json({"n": value}), parse_float=Decimal, parse_int=Decimal) == {
        "n": value
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("-1.5"), b"-1.5"),
        (Decimal("-0.25"), b"-0.25"),
        (Decimal(2), b"2"),
        (-1.5, b"-1.5"),
        (2**64, b"18446744073709551616"),
        ({"a": [-(2**64)]}, b'{"a":[-18446744073709551616]}'),
        (datetime(2026, 11, 21, 10, 0, tzinfo=UTC), b'"2026-11-21T10:00:00Z"'),
        (date(2026, 11, 21), b'"2026-11-21"'),
        (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (Person("bob", date(1990, 1, 2)), b'{"name":"bob","born":"1990-01-02","worth":null}'),
        ([Colour.RED, (1, 2), None], b'["red",[1,2],null]'),
        ({"é": "é"}, '{"é":"é"}'.encode()),
        (OrderedDict(a=1), b'{"a":1}'),
        ({1: "one"}, b'{"1":"one"}'),
        ("null NaN", b'"null NaN"'),
    ],
)
def test_values_are_written_as_expected(value: Any, written: bytes) -> None:
    assert encode_json(value) == written


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "$ is of the type object"),
        ({"a": [1, {"b": object()}]}, "$.a[1].b is of the type object"),
        (Person("bob", object()), "$.born is of the type object"),  # type: ignore[arg-type]
        ({"a": float("nan")}, "$.a is a number that JSON does not have"),
        ([Decimal("Infinity")], "$[0] is a number that JSON does not have"),
        ({"a": None, "b": [float("-inf")]}, "$.b[0] is a number that JSON does not have"),
        ({"a": {(1, 2): 3}}, "$.a has a key that is no text (tuple)"),
        ({"a": "\ud800"}, "$.a is of the type str"),
        (CIRCLE, "is nested too deep, or holds itself"),
    ],
)
def test_what_cannot_be_written_is_named_without_its_value(value: Any, said: str) -> None:
    with pytest.raises(RecordRefused) as caught:
        encode_json(value)

    assert said in str(caught.value)
    assert "bob" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_bytes_and_text_are_not_json() -> None:
    assert encode(b"raw", None) == b"raw"
    assert encode("raw", None) == b"raw"
    assert encode(memoryview(b"raw"), None) == b"raw"
    assert encode(bytearray(b"raw"), lambda _: b"not asked") == b"raw"
    assert encode(7, lambda value: str(value).encode()) == b"7"
