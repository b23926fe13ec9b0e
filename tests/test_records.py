"""Do positions order as numbers, and do records tell where they are but never what they hold?"""

from __future__ import annotations

import enum
import io
import operator
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.errors import RecordDecodeError
from kcl_py.records import Position, Record

NUMBERS = st.integers(min_value=0, max_value=10**60)
SUBS = st.integers(min_value=0, max_value=10_000)
PLACES = st.tuples(NUMBERS, SUBS)


def position(place: tuple[int, int], *, zeros: int = 0) -> Position:
    return Position("0" * zeros + str(place[0]), place[1])


def record(data: bytes) -> Record:
    return Record(sequence_number="7", data=data, partition_key="bob")


@given(PLACES, PLACES, st.integers(0, 3))
def test_positions_order_as_numbers(a: tuple[int, int], b: tuple[int, int], zeros: int) -> None:
    left, right = position(a, zeros=zeros), position(b)

    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compare(left, right) == compare(a, b)
    assert (left == right) <= (hash(left) == hash(right))


@given(PLACES, st.integers(0, 3))
def test_a_position_is_read_back_from_its_text(place: tuple[int, int], zeros: int) -> None:
    here = position(place, zeros=zeros)

    assert str(here) == f"{place[0]}/{place[1]}"
    assert Position.parse(str(here)) == here
    assert pickle.loads(pickle.dumps(here)) == here


def test_a_sequence_number_alone_is_its_first_user_record() -> None:
    assert Position.parse("42") == Position("42", 0)


@pytest.mark.parametrize(
    "text", ["", "x", "1/", "/1", "1/x", "-1", "1/-1", "1/2/3", "\u0661", " 1", "LATEST"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        Position.parse(text)


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(ValueError, match="counts from 0"):
        Position("1", -1)


def test_a_position_does_not_order_with_other_things() -> None:
    with pytest.raises(TypeError):
        Position("1") < "2"  # type: ignore[operator]  # noqa: B015


def test_an_answer_of_the_service_decodes_straight_into_records() -> None:
    body = (
        b'[{"ApproximateArrivalTimestamp":1.79E9,"Data":"aGVsbG8=","EncryptionType":"KMS",'
        b'"PartitionKey":"k","SequenceNumber":"49671","New":{"deep":[1]}},'
        b'{"Data":"","SequenceNumber":"49672","ApproximateArrivalTimestamp":1790000000}]'
    )

    full, sparse = msgspec.json.Decoder(list[Record]).decode(body)

    assert full.data == b"hello"
    assert full.partition_key == "k"
    assert full.position == Position("49671")
    assert full.arrival_time == datetime.fromtimestamp(1_790_000_000, UTC)
    assert full.explicit_hash_key is None
    assert sparse.data == b""
    assert sparse.partition_key == ""
    assert sparse.arrival_timestamp == 1_790_000_000


def test_records_are_plain_values() -> None:
    one = Record(sequence_number="1", sub_sequence_number=3, data=b"x", explicit_hash_key="9")

    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(pickle.loads(pickle.dumps(one))) == hash(one)
    assert one != Record(sequence_number="2", data=b"x")
    with pytest.raises(AttributeError):
        one.data = b"y"  # type: ignore[misc]


def test_showing_a_record_shows_neither_data_nor_key() -> None:
    shown = repr(record(b"secret")) + str(record(b"secret"))

    assert shown == "<Record 7/0, 6 bytes>" * 2


def test_rich_shows_neither_data_nor_key() -> None:
    console = pytest.importorskip("rich.console")
    shown = io.StringIO()

    console.Console(file=shown, width=200).print(record(b"secret"))

    assert "secret" not in shown.getvalue()
    assert "bob" not in shown.getvalue()
    assert "7/0" in shown.getvalue()


@dataclass
class Person:
    name: str
    age: int


class Point(TypedDict):
    x: int


class Colour(enum.Enum):
    RED = "red"


def test_json_is_decoded_and_checked() -> None:
    person = record(b'{"name":"Ada","age":36}')

    assert person.json() == {"name": "Ada", "age": 36}
    assert person.json(Person) == Person("Ada", 36)
    assert record(b'{"x":1}').json(Point) == {"x": 1}
    assert record(b"[1,2]").json(list[int]) == [1, 2]


@pytest.mark.parametrize(
    ("data", "kind", "place"),
    [
        (b'{"name":"secret","age":"secret"}', Person, "at $.age"),
        (b'[1,"secret"]', list[int], "at $[1]"),
        (b'{"secret":"secret"}', dict[str, int], "at $[...]"),
        (b"secret", object, "byte 0"),
        (b'{"secret', object, ""),
        (b'"\xff\xfesecret"', str, ""),
        (b'"secret"', Colour, ""),
        (b"[" * 100_000, object, ""),
        (b"", object, ""),
    ],
)
def test_a_decode_error_says_where_and_never_what(data: bytes, kind: type, place: str) -> None:
    with pytest.raises(RecordDecodeError) as caught:
        record(data).json(kind)

    assert "7/0" in str(caught.value)
    assert place in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.position == Position("7")
    assert caught.value.__context__ is None, "the cause would show the data in a traceback"


def test_text_is_decoded_with_its_encoding() -> None:
    assert record("é".encode()).text() == "é"
    assert record("é".encode("latin-1")).text("latin-1") == "é"
    with pytest.raises(RecordDecodeError, match=r"not utf-8 text \(byte 3\)") as caught:
        record(b"abc\xff").text()
    assert caught.value.__context__ is None
