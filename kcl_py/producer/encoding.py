"""How does a value become the data of a record?

bytes and text go as they are; all else is written as JSON: numbers of any size and `Decimal` as
numbers, dates and UUIDs as text, dataclasses as objects.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from kcl_py.errors import RecordRefused
from kcl_py.producer.results import Encoder

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_INT_MAX: Final = 2**64 - 1
_INT_MIN: Final = -(2**63)
_DEPTH_MAX: Final = 100


def encode(data: Any, encoder: Encoder | None) -> bytes:  # noqa: ANN401 - whatever is put
    """Return what is stored.

    Raises:
        RecordRefused: It cannot be written; the message says which field, and no value.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return _utf8(data)
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    if encoder is not None:
        return _encode_by(encoder, data)
    return encode_json(data)


def encode_json(data: Any) -> bytes:  # noqa: ANN401 - as above
    """Write a value as JSON, compact.

    Raises:
        RecordRefused: Something in it has no JSON; the message says where.
    """
    try:
        written = _encoder.encode(data)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        pass
    else:
        # What is no number is written as null, or not as JSON at all.
        if not (b"null" in written or b"NaN" in written or b"Infinity" in written):
            return written
        if next(_strange_numbers(data, "$", 0), None) is None:
            return written
    return _encode_slowly(data)


def _encode_slowly(data: Any) -> bytes:  # noqa: ANN401
    """Write what needs more than the usual way, or say why it cannot be written."""
    problem = next(_problems(data, "$", 0), None)
    if problem is None:
        try:
            return _encoder.encode(_with_large_numbers(data))
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as why:
            problem = f"$: {type(why).__name__}"
    # Outside of the handler: what it caught may quote the data.
    raise RecordRefused(
        f"the data cannot be written as JSON: {problem}; change it, or give the Producer an encoder"
    )


def _encode_by(encoder: Encoder, data: Any) -> bytes:  # noqa: ANN401
    written: object = encoder(data)
    if isinstance(written, bytes):
        return written
    if isinstance(written, bytearray | memoryview):
        return bytes(written)
    raise RecordRefused(f"the encoder returned {type(written).__name__}; it must return bytes")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise RecordRefused("the data is text with half of a surrogate pair, which UTF-8 cannot hold")


def _children(value: Any, path: str) -> Iterator[tuple[Any, str]]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield item, f"{path}.{key}" if isinstance(key, str) else f"{path}[{key!r}]"
    elif isinstance(value, list | tuple | set | frozenset):
        for place, item in enumerate(value):
            yield item, f"{path}[{place}]"
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield getattr(value, field.name, None), f"{path}.{field.name}"
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield getattr(value, name, None), f"{path}.{name}"


def _problems(value: Any, path: str, depth: int) -> Iterator[str]:  # noqa: ANN401
    """Say what cannot be written, deepest first."""
    if depth > _DEPTH_MAX:
        yield f"{path[:200]} is nested too deep, or holds itself"
        return
    if _is_no_number(value):
        yield f"{path} is a number that JSON does not have (NaN or infinite)"
        return
    if _is_large(value):
        return
    has_children = False
    for child, where in _children(value, path):
        has_children = True
        yield from _problems(child, where, depth + 1)
    if has_children:
        keys = {type(key) for key in value} if isinstance(value, Mapping) else set()
        try:
            _encoder.encode(dict.fromkeys(value) if keys else None)
        except (TypeError, ValueError, msgspec.MsgspecError):
            names = ", ".join(sorted(kind.__name__ for kind in keys))
            yield f"{path} has a key that is no text ({names})"
        return
    try:
        _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        yield f"{path} is of the type {type(value).__name__}"


def _strange_numbers(value: Any, path: str, depth: int) -> Iterator[str]:  # noqa: ANN401
    if _is_no_number(value):
        yield path
    elif depth < _DEPTH_MAX:
        for child, where in _children(value, path):
            yield from _strange_numbers(child, where, depth + 1)


def _is_no_number(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, Decimal) and not value.is_finite()


def _is_large(value: object) -> bool:
    return (
        isinstance(value, int) and not isinstance(value, bool) and not _INT_MIN <= value <= _INT_MAX
    )


def _with_large_numbers(value: Any) -> Any:  # noqa: ANN401
    """Return the value with whole numbers of more than 64 bits spelled already."""
    if isinstance(value, int) and _is_large(value):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, Mapping):
        return {key: _with_large_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_with_large_numbers(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _with_large_numbers(getattr(value, name)) for name in names}
    return value
