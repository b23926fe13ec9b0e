"""What stands in the input, record by record? Lines, JSON, CSV and text, read as they come.

A source never holds more than one record. What cannot be one is yielded as a `Bad` with its place,
so that whoever reads can go on behind it.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import msgspec

from kcl_py.cli.producing.forms import Format
from kcl_py.core.puts import RECORD_BYTES_EVER
from kcl_py.errors import ConfigError

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Base64 of the largest record, and some."""

CHUNK_CHARACTERS: Final = 64 * 1024
BOM: Final = b"\xef\xbb\xbf"
PEEK_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the input.

    Attributes:
        place: Where it ends: line, or number in an array.
        data: What is to be stored.
        value: The same as JSON; None if it is none.
    """

    place: int
    data: bytes
    value: Any = None
    key: str | None = None
    hash_key: str | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """What is no record.

    Attributes:
        is_last: Nothing behind it can be read.
    """

    place: int
    data: bytes
    problem: str
    is_last: bool = False


Found = Entry | Bad


def open_source(file: BinaryIO, form: Format) -> Iterator[Found]:
    """Read a file in one of the forms, except AUTO."""
    return _SOURCES[form](file)


def guess(name: str, begins: bytes) -> Format:
    """Say what an input is, by its name or else by how it begins."""
    _, dot, ending = name.lower().rpartition(".")
    if dot and ending in _ENDINGS:
        return _ENDINGS[ending]
    first = begins.removeprefix(BOM).lstrip()[:1]
    return {b"{": Format.JSONL, b"[": Format.JSON}.get(first, Format.TEXT)


def place_name(form: Format) -> str:
    """What `place` counts."""
    return "element" if form is Format.JSON else "line"


# ------------------------------------------------------------------------------------------- lines


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield numbers from 1 and lines with their ends; None: longer than any record."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX):
        number += 1
        if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
                pass
            yield number, None
            continue
        if number == 1:
            line = line.removeprefix(BOM)
        yield number, line


def _each_line(file: BinaryIO, read: Callable[[int, bytes], Found | None]) -> Iterator[Found]:
    for number, line in lines(file):
        if line is None:
            yield Bad(number, b"", "it is longer than any record")
            continue
        found = read(number, line.removesuffix(b"\n").removesuffix(b"\r"))
        if found is not None:
            yield found


def _text_line(number: int, line: bytes) -> Found:
    return Entry(number, line)


def _json_line(number: int, line: bytes) -> Found | None:
    text = line.strip()
    if not text:
        return None
    try:
        return Entry(number, text, msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        problem = str(error).partition("\n")[0]
    return Bad(number, line, f"no JSON: {problem}")


def _failed_line(number: int, line: bytes) -> Found | None:
    """Read what `--failed` has written."""
    if not line.strip():
        return None
    try:
        row = msgspec.json.decode(line)
        data, key, hash_key = row["data"], row.get("key"), row.get("hash_key")
        return Entry(number, base64.b64decode(data, validate=True), None, key, hash_key)
    except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, AttributeError, ValueError):
        return Bad(number, line, "no line of a file that --failed has written")


# --------------------------------------------------------------------------------------------- CSV


def _rows(file: BinaryIO) -> Iterator[Found]:
    csv.field_size_limit(LINE_BYTES_MAX)
    broken: list[str] = []
    reader = csv.reader(_texts(file, broken), strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield Bad(reader.line_num, b"", f"no CSV: {error}", is_last=header is None)
            continue
        if row is None:
            return
        if broken:
            yield Bad(reader.line_num, b"", broken.pop(), is_last=header is None)
        elif header is None:
            header, problem = row, _header_problem(row)
            if problem:
                yield Bad(reader.line_num, b"", problem, is_last=True)
                return
        elif row:
            yield _row(reader.line_num, header, row)


def _texts(file: BinaryIO, broken: list[str]) -> Iterator[str]:
    for _, line in lines(file):
        if line is None:
            broken.append("it is longer than any record")
            yield "\n"
            continue
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            broken.append(f"no UTF-8 (byte {error.start})")
            yield line.decode(errors="replace")


def _header_problem(header: Sequence[str]) -> str | None:
    if not header or not all(header):
        return "the header, which names the fields, has an empty name"
    if len(set(header)) < len(header):
        return "the header, which names the fields, has a name twice"
    return None


def _row(number: int, header: Sequence[str], row: Sequence[str]) -> Found:
    if len(row) != len(header):
        spelled = io.StringIO()
        csv.writer(spelled, lineterminator="").writerow(row)
        raw = spelled.getvalue().encode()
        return Bad(number, raw, f"{len(row)} fields, where the header has {len(header)}")
    value = dict(zip(header, row, strict=True))
    return Entry(number, msgspec.json.encode(value), value)


# ---------------------------------------------------------------------------------- arrays of JSON


_BEHIND: Final = frozenset(" \t\r\n,]")


class _BrokenError(Exception):
    """The array cannot be read any further."""


class _Array:
    """The elements of an array of JSON, one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._is_whole = False

    def elements(self) -> Iterator[Found]:
        """Yield them with their numbers from 1."""
        number = 0
        try:
            if self._next() != "[":
                raise _BrokenError("no array; for one document per line give --format jsonl")  # noqa: TRY301
            self._at += 1
            is_first = True
            while self._goes_on(is_first=is_first):
                is_first = False
                yield self._element(number + 1)
                number += 1
            if self._next():
                raise _BrokenError("more behind the array; for lines give --format jsonl")  # noqa: TRY301
        except (_BrokenError, UnicodeDecodeError) as error:
            problem = "no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            yield Bad(number + 1, b"", problem, is_last=True)

    def _goes_on(self, *, is_first: bool) -> bool:
        """Step over what parts two elements; False: the array ends here."""
        sign = self._next()
        if sign == "]":
            self._at += 1
            return False
        if is_first:
            return True
        if sign != ",":
            raise _BrokenError("neither , nor ] behind an element")
        self._at += 1
        return True

    def _element(self, number: int) -> Found:
        self._next()
        needed = CHUNK_CHARACTERS
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except (ValueError, RecursionError) as error:
                problem = getattr(error, "msg", type(error).__name__)
            else:
                # A number may go on behind what was read so far, as 1e behind 1.
                if self._is_whole or self._text[end : end + 1] in _BEHIND:
                    text, self._at = self._text[self._at : end], end
                    return _compact(number, text.encode("utf-8", "surrogatepass"), value)
                problem = "it has no end"
            if self._is_whole:
                raise _BrokenError(f"no JSON: {problem}")
            if len(self._text) - self._at > LINE_BYTES_MAX:
                raise _BrokenError("no JSON, or longer than any record")
            # Twice as much each time: what is scanned again stays in proportion.
            self._fill(needed)
            needed *= 2

    def _next(self) -> str:
        """Step over white space; return what is there, or nothing at the end."""
        while True:
            while self._at < len(self._text):
                sign = self._text[self._at]
                if sign not in " \t\r\n\ufeff":
                    return sign
                self._at += 1
            if self._is_whole:
                return ""
            self._fill(CHUNK_CHARACTERS)

    def _fill(self, count: int) -> None:
        raw = self._file.read(count)
        self._is_whole = not raw
        self._text = self._text[self._at :] + self._decoder.decode(raw, final=not raw)
        self._at = 0


def _compact(number: int, text: bytes, value: object) -> Found:
    """Without the white space of the array around it."""
    try:
        return Entry(number, msgspec.json.format(text, indent=-1), value)
    except (msgspec.DecodeError, RecursionError) as error:
        problem = str(error).partition("\n")[0]
    return Bad(number, text, f"no JSON: {problem}")


# ------------------------------------------------------------------------------------------ fields


def field_of(value: object, path: str) -> str:
    """Return the text of a field that is a key.

    Raises:
        LookupError: There is none, or it is neither text nor a whole number.
    """
    found = value
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            raise LookupError(f"no field {path}")
        found = found[name]
    if isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    kind = {type(None): "null", bool: "true or false", float: "no whole number"}
    what = kind.get(type(found), "an object or a list")
    raise LookupError(f"field {path} is {what}; a key is text or a whole number")


def check_fields(form: Format, paths: Sequence[str]) -> None:
    """Refuse fields of what has none.

    Raises:
        ConfigError: This form has no fields, or a name is empty.
    """
    for path in paths:
        if not all(path.split(".")):
            raise ConfigError(f"{path!r} is no field; write name, or outer.inner")
    if paths and form in (Format.TEXT, Format.FAILED):
        raise ConfigError(
            f"--key and --hash-key name fields, which {form} has not; leave them out, or give "
            "--format jsonl, json or csv"
        )


_ENDINGS: Final = MappingProxyType(
    {
        "jsonl": Format.JSONL,
        "ndjson": Format.JSONL,
        "csv": Format.CSV,
        "txt": Format.TEXT,
        "log": Format.TEXT,
    }
)

_SOURCES: Final = MappingProxyType[Format, Callable[[BinaryIO], Iterator[Found]]](
    {
        Format.JSONL: lambda file: _each_line(file, _json_line),
        Format.JSON: lambda file: _Array(file).elements(),
        Format.CSV: _rows,
        Format.TEXT: lambda file: _each_line(file, _text_line),
        Format.FAILED: lambda file: _each_line(file, _failed_line),
    }
)

assert LINE_BYTES_MAX > RECORD_BYTES_EVER * 4 // 3
