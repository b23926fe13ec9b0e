"""How is the data of a record shown, and is it one of those that were asked for?"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kcl_py.errors import ConfigError

GZIP_MAGIC: Final = b"\x1f\x8b"
UNPACKED_BYTES_MAX: Final = 64 * 1024 * 1024
"""A record of 10 MiB that is made to hurt unpacks to a thousand times as much."""


class Form(StrEnum):
    """What data is taken for."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"
    BASE64 = "base64"
    GZIP = "gzip"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class Shown:
    """Data made visible.

    Attributes:
        value: What JSON can hold.
        form: What it was taken for.
        problem: Why it could not be shown as asked, and comes as base64.
    """

    value: Any
    form: str
    problem: str | None = None


class _NotSoError(Exception):
    """The data is not of that form."""


def show(data: bytes, form: Form) -> Shown:
    """Make data visible; what is not of the form that was asked for comes as base64."""
    try:
        return _show(data, form)
    except _NotSoError as error:
        return Shown(_base64(data), Form.BASE64, str(error))


def _show(data: bytes, form: Form) -> Shown:
    match form:
        case Form.JSON:
            return Shown(_json(data), Form.JSON)
        case Form.TEXT:
            return Shown(_text(data), Form.TEXT)
        case Form.HEX:
            return Shown(data.hex(), Form.HEX)
        case Form.BASE64:
            return Shown(_base64(data), Form.BASE64)
        case Form.GZIP:
            inner = _guess(_unpack(data))
            return Shown(inner.value, f"gzip {inner.form}")
        case Form.AUTO:
            return _guess_packed(data)


def _guess_packed(data: bytes) -> Shown:
    if data.startswith(GZIP_MAGIC):
        try:
            return _show(data, Form.GZIP)
        except _NotSoError:
            pass
    return _guess(data)


def _guess(data: bytes) -> Shown:
    for form in (Form.JSON, Form.TEXT):
        try:
            return _show(data, form)
        except _NotSoError:
            continue
    return Shown(_base64(data), Form.BASE64)


def _json(data: bytes) -> Any:  # noqa: ANN401 - JSON may be anything
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        pass
    raise _NotSoError("not JSON")


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        place = error.start
    else:
        if all(letter.isprintable() or letter in "\t\r\n" for letter in text):
            return text
        raise _NotSoError("text with control characters")
    raise _NotSoError(f"not UTF-8 text (byte {place})")


def _unpack(data: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = unpacking.decompress(data, UNPACKED_BYTES_MAX)
    except zlib.error:
        found = None
    if found is None or not unpacking.eof:
        raise _NotSoError("not gzip, or too large, or cut")
    return found


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---------------------------------------------------------------------------------------- choosing


@dataclass(frozen=True, slots=True)
class Condition:
    """A field of JSON data has this value.

    Attributes:
        path: Names, from outside in.
        wanted: As text, and as JSON if it is some.
    """

    path: Sequence[str]
    wanted: Sequence[Any]

    def holds(self, value: Any) -> bool:  # noqa: ANN401 - JSON may be anything
        """Whether the value has it."""
        for name in self.path:
            if not isinstance(value, Mapping) or name not in value:
                return False
            value = value[name]
        # JSON tells true from 1, which Python does not.
        return any(type(value) is type(each) and value == each for each in self.wanted)


def parse_condition(text: str) -> Condition:
    """Read `field=value` or `outer.inner=value`.

    Raises:
        ConfigError: It is no such thing.
    """
    field, equals, value = text.partition("=")
    path = field.strip().split(".")
    if not equals or not all(path):
        raise ConfigError(
            f"--where {text} is no condition; write field=value, as user.name=ann or count=3"
        )
    try:
        return Condition(path, (value, json.loads(value)))
    except ValueError:
        return Condition(path, (value,))
