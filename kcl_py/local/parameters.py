"""Are the parameters of a request there, known, and of the right kind?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from kcl_py.local.errors import AwsError, invalid

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,128}")
_KIND_NAMES = {str: "text", bool: "a boolean", dict: "a map", list: "a list"}


def refuse_unknown(operation: str, request: Mapping[str, Any], known: AbstractSet[str]) -> None:
    """Refuse what the engine would have to ignore: an ignored parameter is a false success."""
    if request.keys() <= known:
        return
    names = ", ".join(sorted(request.keys() - known))
    raise invalid(f"{operation}: this engine does not know the parameter {names}")


def _typed(request: Mapping[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        raise AwsError("SerializationException", f"{name} must be {_KIND_NAMES[kind]}")
    return value


def optional_text(request: Mapping[str, Any], name: str) -> str | None:
    """A string, or None when absent."""
    value: str | None = _typed(request, name, str)
    return value


def required_text(request: Mapping[str, Any], name: str) -> str:
    """A string that is not empty."""
    value = optional_text(request, name)
    if not value:
        raise invalid(f"{name} must not be empty")
    return value


def decimal_number(text: str, name: str) -> int:
    """A hash key or sequence number. Source: the patterns of HashKey and SequenceNumber."""
    if not _DECIMAL.fullmatch(text):
        raise invalid(f"{name} must be a decimal number without leading zeros")
    return int(text)


def flag(request: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """A boolean."""
    value: bool | None = _typed(request, name, bool)
    return default if value is None else value


def mapping(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A map; empty when absent."""
    value: dict[str, Any] | None = _typed(request, name, dict)
    return value or {}


def sequence(request: Mapping[str, Any], name: str) -> list[Any]:
    """A list; empty when absent."""
    value: list[Any] | None = _typed(request, name, list)
    return value or []


def optional_whole(request: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """A whole number within inclusive bounds, or None when absent."""
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise AwsError("SerializationException", f"{name} must be a whole number")
    if not low <= value <= high:
        raise invalid(f"{name} must be between {low} and {high}, not {value}")
    return value


def required_whole(request: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A whole number within inclusive bounds."""
    value = optional_whole(request, name, low, high)
    if value is None:
        raise invalid(f"{name} must not be empty")
    return value


def optional_time(request: Mapping[str, Any], name: str) -> float | None:
    """Seconds since 1970, or None when absent."""
    value = request.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AwsError("SerializationException", f"{name} must be a time in seconds")
    return float(value)


def one_of(request: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """One of the choices; the first when absent."""
    value = optional_text(request, name)
    if value is None:
        return choices[0]
    if value not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}, not {value}")
    return value
