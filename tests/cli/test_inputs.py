"""Is every record of an input found, as it is, wherever a read may end?"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.cli.producing import inputs
from kcl_py.cli.producing.forms import Format
from kcl_py.cli.producing.inputs import Bad, Entry, field_of, guess, open_source

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def entries(form: Format, raw: bytes) -> list[Entry]:
    found = list(open_source(io.BytesIO(raw), form))
    assert all(isinstance(each, Entry) for each in found), found
    return [each for each in found if isinstance(each, Entry)]


@given(
    st.lists(VALUES, max_size=5),
    st.sampled_from([None, 0, 3]),
    st.integers(1, 40),
    st.booleans(),
)
def test_an_array_is_read_in_pieces_of_any_size(
    values: list[Any],
    indent: int | None,
    chunk: int,
    is_ascii: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    raw = json.dumps(values, indent=indent, ensure_ascii=is_ascii).encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "CHUNK_CHARACTERS", chunk)
        found = entries(Format.JSON, raw)

    assert [each.place for each in found] == list(range(1, len(values) + 1))
    assert [each.value for each in found] == values
    assert [json.loads(each.data) for each in found] == values


@given(st.lists(VALUES, max_size=5), st.sampled_from(["\n", "\r\n", "\n\n \n"]))
def test_lines_of_json_are_kept_as_they_are(values: list[Any], between: str) -> None:
    lines = [json.dumps(value) for value in values]

    found = entries(Format.JSONL, between.join(lines).encode())

    # What is no number of 64 bits is a float to whoever decodes; the bytes are what counts.
    assert [each.data.decode() for each in found] == lines


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_rows_of_csv_are_objects(rows: list[tuple[str, str]], end: str) -> None:
    raw = io.StringIO(newline="")
    writer = csv.writer(raw, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerows([("a", "b"), *rows])

    found = entries(Format.CSV, raw.getvalue().encode())

    assert [(each.value["a"], each.value["b"]) for each in found] == rows


@given(st.binary(max_size=200), st.sampled_from(sorted(set(Format) - {Format.AUTO})))
def test_whatever_comes_is_a_record_or_a_named_place(raw: bytes, form: Format) -> None:
    for each in open_source(io.BytesIO(raw), form):
        if isinstance(each, Bad):
            assert each.problem
            assert each.place > 0


def test_a_line_that_is_too_long_is_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LINE_BYTES_MAX", 8)
    raw = b"one\n" + b"x" * 30 + b"\ntwo\n"

    first, long, second = open_source(io.BytesIO(raw), Format.TEXT)

    assert isinstance(long, Bad)
    assert [each.data for each in (first, second)] == [b"one", b"two"]
    assert long.place == 2


@pytest.mark.parametrize(
    ("name", "begins", "form"),
    [
        ("x.csv", b"{", Format.CSV),
        ("X.NDJSON", b"", Format.JSONL),
        ("x.json", b'\n {"a"', Format.JSONL),
        ("x.json", b" [", Format.JSON),
        ("", b"[", Format.JSON),
        ("csv", b"a,b", Format.TEXT),
        ("x.log", b"{", Format.TEXT),
        ("", b"", Format.TEXT),
    ],
)
def test_an_input_is_known_by_its_name_or_its_beginning(
    name: str, begins: bytes, form: Format
) -> None:
    assert guess(name, begins) is form


@pytest.mark.parametrize("value", [{}, {"a": None}, {"a": 1.0}, {"a": True}, {"a": []}, [1], 1])
def test_a_field_that_is_no_key(value: object) -> None:
    with pytest.raises(LookupError, match=r"field a"):
        field_of(value, "a")


def test_a_field_inside_another() -> None:
    assert field_of({"a": {"b": 7}}, "a.b") == "7"
